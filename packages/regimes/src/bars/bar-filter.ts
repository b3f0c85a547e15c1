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
 * Filters one series, a bar at a time. The variance factor h follows h' = ω + (α + γ [z < 0]) min(z², cap) h + β h with the shock z in
 * units of each regime's own deviation; as it depends on the whole path, each regime carries its expectation, mixed as the regimes mix.
 */
export class BarFilter {
  /** P(regime, stage) of the bar at hand, before or after it is weighed. */
  belief: Float64Array
  /** E(variance factor of the next bar | regime at this one). */
  readonly grown: Float64Array
  /** E(variance factor | regime, bars before). */
  readonly factor: Float64Array
  /** ln p(return | bars before) of the bar weighed last. */
  logReturn: number = Number.NaN
  readonly #p: BarParameters
  readonly #heights: { tail: number; jump: number }
  readonly #prior: Float64Array
  readonly #leaving: Float64Array
  readonly #exits: Float64Array
  readonly #logs: Float64Array
  readonly #logBar: Float64Array
  #next: Float64Array

  constructor(p: BarParameters) {
    const { k, stages, leave } = p
    const n = k * stages
    this.#p = p
    this.#heights = shockScale(p.shocks)
    this.belief = stationaryOf(stageTransitions(p), n)
    this.#next = new Float64Array(n)
    this.factor = new Float64Array(k).fill(1)
    this.grown = new Float64Array(k).fill(1)
    this.#prior = new Float64Array(k)
    this.#leaving = new Float64Array(k)
    this.#logs = new Float64Array(k)
    this.#logBar = new Float64Array(k)
    this.#exits = Float64Array.from({ length: n }, (_, i) => leave[Math.floor(i / stages)]! ** (stages - (i % stages)))
  }

  /** Moves belief and variance factors to the next bar. */
  advance(): void {
    const { k, stages, leave, moves } = this.#p
    const { belief, factor, grown } = this
    const prior = this.#prior
    const leaving = this.#leaving
    const exits = this.#exits
    const next = this.#next
    for (let s = 0; s < k; s++) {
      const end = leave[s]!
      let out = 0
      let kept = 0
      for (let a = 0; a < stages; a++) {
        const at = s * stages + a
        out += belief[at]! * exits[at]!
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
    this.#next = belief
    this.belief = next
  }

  /** Conditions on row t and returns ln p(bar | bars before). The return before the series' first is NaN. */
  weigh(x: BarSeries, t: number, before: number): number {
    const { k, stages, drift, scale, echo, shocks } = this.#p
    const { alpha, gamma, beta, degrees, jumpMean, jumpDeviation } = shocks
    const { belief, factor, grown } = this
    const prior = this.#prior
    const logs = this.#logs
    const logBar = this.#logBar
    const omega = 1 - alpha - beta - gamma / 2
    const width = 1 / (degrees - 2)
    const power = -(degrees + 1) / 2
    const { tail, jump } = this.#heights
    const r = x.returns[t]!
    const spread = x.spread[t]!
    const freedom = x.freedom[t]!
    const first = Number.isNaN(before)
    let top = Number.NEGATIVE_INFINITY
    let topReturn = Number.NEGATIVE_INFINITY
    for (let s = 0; s < k; s++) {
      let mass = 0
      for (let a = s * stages; a < (s + 1) * stages; a++) mass += belief[a]!
      prior[s] = mass
      const h = factor[s]!
      const variance = scale[s]! * scale[s]! * h
      const e = r - drift[s]! - (first ? 0 : echo[s]! * (before - drift[s]!))
      const z = e / Math.sqrt(variance)
      const j = (z - jumpMean) / jumpDeviation
      const body = power * Math.log1p(z * z * width)
      const density = tail * Math.exp(body) + jump * Math.exp(-0.5 * j * j)
      const size = Math.log(variance)
      // Far outside, the tail alone is left, and only its logarithm can be held.
      logs[s] = (density > 1e-290 ? Math.log(density) : Math.log(tail) + body) - 0.5 * size
      logBar[s] = logs[s]! - 0.5 * (freedom * size + spread / variance)
      if (mass > 0 && logBar[s]! > top) top = logBar[s]!
      if (mass > 0 && logs[s]! > topReturn) topReturn = logs[s]!
      grown[s] = omega + ((alpha + (z < 0 ? gamma : 0)) * Math.min(z * z, CAP) + beta) * h
    }
    let sum = 0
    let sumReturn = 0
    for (let s = 0; s < k; s++) {
      if (prior[s] === 0) continue
      const ratio = Math.exp(logBar[s]! - top)
      sumReturn += prior[s]! * Math.exp(logs[s]! - topReturn)
      for (let a = s * stages; a < (s + 1) * stages; a++) sum += belief[a]! *= ratio
    }
    for (let i = 0; i < belief.length; i++) belief[i]! /= sum
    this.logReturn = topReturn + Math.log(sumReturn)
    return top + Math.log(sum)
  }
}

/** Filters a whole series into `out` from row `base` on. Returns ln p(bars). */
export function filterBars(p: BarParameters, x: BarSeries, out?: BarBeliefs, base = 0): number {
  const filter = new BarFilter(p)
  const n = p.k * p.stages
  let total = 0
  for (let t = 0; t < x.rows; t++) {
    if (t > 0) filter.advance()
    if (out) {
      out.predicted.set(filter.belief, (base + t) * n)
      out.factor.set(filter.factor, (base + t) * p.k)
    }
    total += filter.weigh(x, t, t > 0 ? x.returns[t - 1]! : Number.NaN)
    if (out) {
      out.filtered.set(filter.belief, (base + t) * n)
      out.logReturn[base + t] = filter.logReturn
    }
  }
  return total
}
