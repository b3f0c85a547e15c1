import { lgamma } from '@regimen/core/math'
import { stationaryOf } from '../hmm/chain.ts'
import type { BarSeries } from './bar-series.ts'

/** What all regimes share: how variance clusters and how far shocks reach. */
export interface Shocks {
  alpha: number
  gamma: number
  beta: number
  degrees: number
  jumpRate: number
  jumpMean: number
  jumpDeviation: number
}

/** Parameters at work; `stages` steps of the same leaving probability make a stay. */
export interface BarParameters {
  readonly k: number
  readonly stages: number
  readonly drift: Float64Array
  readonly scale: Float64Array
  readonly echo: Float64Array
  /** P(a stage ends at a bar). */
  readonly leave: Float64Array
  /** regimes × regimes with a zero diagonal, or a single 1. */
  readonly moves: Float64Array
  shocks: Shocks
}

/** Heights of the two densities a shock mixes: a Student-t of variance 1 and, now and then, a normal jump. */
export function shockScale({ degrees: v, jumpRate, jumpDeviation }: Shocks): { tail: number; jump: number } {
  const tail = ((1 - jumpRate) * Math.exp(lgamma((v + 1) / 2) - lgamma(v / 2))) / Math.sqrt(Math.PI * (v - 2))
  return { tail, jump: jumpRate / (jumpDeviation * Math.sqrt(2 * Math.PI)) }
}

/** Squared shocks above this many variances move the variance no further. */
export const CAP = 16

/** Room for what the filter says at each bar. */
export class BarBeliefs {
  /** rows × (regimes · stages). */
  readonly predicted: Float64Array
  readonly filtered: Float64Array
  /** E(variance factor | regime, bars before), rows × regimes. */
  readonly factor: Float64Array
  /** ln p(return | bars before). */
  readonly logReturn: Float64Array

  constructor(rows: number, k: number, stages: number) {
    this.predicted = new Float64Array(rows * k * stages)
    this.filtered = new Float64Array(rows * k * stages)
    this.factor = new Float64Array(rows * k)
    this.logReturn = new Float64Array(rows)
  }
}

/** Transitions over (regime, stage), row-major: several stages may end at once, then the stay ends. */
export function stageTransitions(p: BarParameters): Float64Array {
  const { k, stages, leave, moves } = p
  const n = k * stages
  const out = new Float64Array(n * n)
  for (let s = 0; s < k; s++)
    for (let a = 0; a < stages; a++) {
      const row = (s * stages + a) * n
      for (let b = a; b < stages; b++) out[row + s * stages + b] = leave[s]! ** (b - a) * (1 - leave[s]!)
      const exit = leave[s]! ** (stages - a)
      for (let j = 0; j < k; j++) out[row + j * stages]! += exit * moves[s * k + j]!
    }
  return out
}

/**
 * Filters one series. The variance factor h follows h' = ω + (α + γ [z < 0]) min(z², cap) h + β h with the shock z in units of each
 * regime's own deviation; as it depends on the whole path, each regime carries its expectation, mixed as the regimes mix.
 * Returns ln p(bars).
 */
export function filterBars(p: BarParameters, x: BarSeries, out?: BarBeliefs, base = 0): number {
  const { k, stages, drift, scale, echo, leave, moves, shocks } = p
  const { alpha, gamma, beta, degrees, jumpMean, jumpDeviation } = shocks
  const n = k * stages
  const omega = 1 - alpha - beta - gamma / 2
  const width = 1 / (degrees - 2)
  const power = -(degrees + 1) / 2
  const { tail, jump } = shockScale(shocks)
  let belief: Float64Array = stationaryOf(stageTransitions(p), n)
  let next: Float64Array = new Float64Array(n)
  const factor = new Float64Array(k).fill(1)
  const grown = new Float64Array(k).fill(1)
  const logs = new Float64Array(k)
  const logBar = new Float64Array(k)
  const leaving = new Float64Array(k)
  const prior = new Float64Array(k)
  const exits = Float64Array.from({ length: n }, (_, i) => leave[Math.floor(i / stages)]! ** (stages - (i % stages)))
  let total = 0
  for (let t = 0; t < x.rows; t++) {
    if (t === 0)
      for (let s = 0; s < k; s++) {
        prior[s] = 0
        for (let a = 0; a < stages; a++) prior[s]! += belief[s * stages + a]!
      }
    else {
      for (let s = 0; s < k; s++) {
        const end = leave[s]!
        let out = 0
        let kept = 0
        for (let a = 0; a < stages; a++) {
          const at = s * stages + a
          const mass = belief[at]!
          out += mass * exits[at]!
          let stay = 0
          for (let b = 0, chance = 1 - end; b <= a; b++, chance *= end) stay += belief[at - b]! * chance
          next[at] = stay
          kept += stay
        }
        leaving[s] = out
        prior[s] = kept
        factor[s] = kept * grown[s]!
      }
      for (let j = 0; j < k; j++) {
        let entered = 0
        for (let i = 0; i < k; i++) {
          const move = leaving[i]! * moves[i * k + j]!
          entered += move
          factor[j]! += move * grown[i]!
        }
        next[j * stages]! += entered
        prior[j]! += entered
        factor[j]! = prior[j]! > 1e-300 ? factor[j]! / prior[j]! : 1
      }
      const held = belief
      belief = next
      next = held
    }
    if (out) {
      out.predicted.set(belief, (base + t) * n)
      out.factor.set(factor, (base + t) * k)
    }
    const r = x.returns[t]!
    const before = t > 0 ? x.returns[t - 1]! : Number.NaN
    const spread = x.spread[t]!
    const freedom = x.freedom[t]!
    let top = Number.NEGATIVE_INFINITY
    let topReturn = Number.NEGATIVE_INFINITY
    for (let s = 0; s < k; s++) {
      const h = factor[s]!
      const variance = scale[s]! * scale[s]! * h
      const e = r - drift[s]! - (t > 0 ? echo[s]! * (before - drift[s]!) : 0)
      const z = e / Math.sqrt(variance)
      const j = (z - jumpMean) / jumpDeviation
      const density = tail * Math.exp(power * Math.log1p(z * z * width)) + jump * Math.exp(-0.5 * j * j)
      const size = Math.log(variance)
      logs[s] = Math.log(density) - 0.5 * size
      logBar[s] = logs[s]! - 0.5 * (freedom * size + spread / variance)
      if (logBar[s]! > top) top = logBar[s]!
      if (logs[s]! > topReturn) topReturn = logs[s]!
      grown[s] = omega + ((alpha + (z < 0 ? gamma : 0)) * Math.min(z * z, CAP) + beta) * h
    }
    let sum = 0
    let sumReturn = 0
    for (let s = 0; s < k; s++) {
      const ratio = Math.exp(logBar[s]! - top)
      sumReturn += prior[s]! * Math.exp(logs[s]! - topReturn)
      for (let a = s * stages; a < (s + 1) * stages; a++) sum += belief[a]! *= ratio
    }
    const scaleBy = 1 / sum
    for (let i = 0; i < n; i++) belief[i]! *= scaleBy
    if (out) {
      out.filtered.set(belief, (base + t) * n)
      out.logReturn[base + t] = topReturn + Math.log(sumReturn)
    }
    total += top + Math.log(sum)
  }
  return total
}
