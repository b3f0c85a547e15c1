import { abs, add, div, eq, gt, lag, lt, mul, ratio, select, sqrt, square, sub, where } from './kernel/expression.ts'
import { moments, rollingSum } from './kernel/windows.ts'
import type { FeatureFamily } from './types.ts'

const W = 60
const BLOCKS = [4, 5, 3]
const PATH = 20

/**
 * Shape of the last returns: `skew_60` and `kurtosis_60` (population, excess), 0 where returns do not vary;
 * `efficiency_20`, Kaufman's ratio |net move| / path, 0 where nothing moved; `upShare_20`, the share of rising among
 * moving bars, ½ where none moved.
 */
export const distribution: FeatureFamily = {
  features: [
    { name: 'skew_60', warmup: W + 1 },
    { name: 'kurtosis_60', warmup: W + 1 },
    { name: 'efficiency_20', warmup: PATH + 1 },
    { name: 'upShare_20', warmup: PATH + 1 },
  ],
  formulas({ ret, level }) {
    const [m2, m3, m4] = moments(ret, BLOCKS, 4).powers
    const still = eq(m2!, 0)
    const rises = rollingSum(where(gt(ret, 0), 1), PATH)
    const falls = rollingSum(where(lt(ret, 0), 1), PATH)
    return [
      select(still, 0, div(mul(m3!, Math.sqrt(W)), mul(m2!, sqrt(m2!)))),
      select(still, 0, sub(div(mul(m4!, W), square(m2!)), 3)),
      ratio(abs(sub(level, lag(level, PATH))), rollingSum(abs(ret), PATH), 0),
      ratio(rises, add(rises, falls), 0.5),
    ]
  },
  push({ at, ret, logClose }, out, k) {
    let path = 0
    let up = 0
    let down = 0
    for (let i = at - PATH + 1; i <= at; i++) {
      path += Math.abs(ret[i]!)
      if (ret[i]! > 0) up++
      else if (ret[i]! < 0) down++
    }
    out[k + 2] = path === 0 ? 0 : Math.abs(logClose[at]! - logClose[at - PATH]!) / path
    out[k + 3] = up + down === 0 ? 0.5 : up / (up + down)
    const anchor = ret[at]!
    let sum = 0
    for (let i = at - W + 1; i <= at; i++) sum += ret[i]! - anchor
    const mean = sum / W
    let m2 = 0
    let m3 = 0
    let m4 = 0
    for (let i = at - W + 1; i <= at; i++) {
      const d = ret[i]! - anchor - mean
      m2 += d * d
      m3 += d * d * d
      m4 += d * d * d * d
    }
    m2 /= W
    out[k] = m2 > 0 ? m3 / W / (m2 * Math.sqrt(m2)) : 0
    out[k + 1] = m2 > 0 ? m4 / W / (m2 * m2) - 3 : 0
  },
}
