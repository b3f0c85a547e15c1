import { rollingShape, rollingSum } from './rolling.ts'
import type { Batch, FeatureFamily } from './types.ts'

const W = 60
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
  batch(bars, out) {
    const { size, ret } = bars
    const [skew, kurtosis, efficiency, upShare] = out
    if (skew || kurtosis) rollingShape(ret, W, skew ?? bars.temp(0), kurtosis ?? bars.temp(1))
    if (efficiency) kaufman(bars, efficiency)
    if (!upShare) return
    let up = 0
    let down = 0
    for (let i = 0; i < size; i++) {
      if (ret[i]! > 0) up++
      else if (ret[i]! < 0) down++
      if (i >= PATH) {
        if (ret[i - PATH]! > 0) up--
        else if (ret[i - PATH]! < 0) down--
      }
      upShare[i] = up + down === 0 ? 0.5 : up / (up + down)
    }
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

function kaufman(bars: Batch, out: Float64Array): void {
  const { size, ret, logClose } = bars
  const path = bars.temp(0)
  const sum = bars.temp(1)
  for (let i = 0; i < size; i++) path[i] = Math.abs(ret[i]!)
  rollingSum(path, PATH, sum)
  for (let i = PATH; i < size; i++) out[i] = sum[i] === 0 ? 0 : Math.abs(logClose[i]! - logClose[i - PATH]!) / sum[i]!
}
