import { filterStep, stationaryOf } from '../hmm/chain.ts'
import type { SwitchingLayout } from './layout.ts'
import type { SwitchingBeliefs, SwitchingData, SwitchingForecast } from './markov-switching.ts'

/**
 * Hamilton's filter over the joint state (s_t, …, s_t−p). Digit 0 of a joint state's number, base k, is s_t; digit i is s_t−i.
 */
export class SwitchingFilter {
  readonly #layout: SwitchingLayout
  readonly #data: SwitchingData
  readonly #joint: number
  readonly #transition: Float64Array
  readonly #fits: Float64Array
  /** y_t − fit of each regime. */
  readonly #deviations: Float64Array
  /** joint × (order + 1). */
  readonly #digits: Uint8Array
  readonly #logs: Float64Array
  readonly #logB: Float64Array
  readonly #predicted: Float64Array
  readonly #filtered: Float64Array

  constructor(layout: SwitchingLayout, data: SwitchingData) {
    const { regimes: k, order } = layout
    this.#layout = layout
    this.#data = data
    this.#joint = k ** (order + 1)
    this.#transition = new Float64Array(k * k * (layout.drivers > 0 ? data.y.length : 1))
    this.#fits = new Float64Array(data.y.length * k)
    this.#deviations = new Float64Array(data.y.length * k)
    this.#digits = Uint8Array.from({ length: this.#joint * (order + 1) }, (_, i) =>
      digit(Math.floor(i / (order + 1)), i % (order + 1), k),
    )
    this.#logs = new Float64Array(k)
    this.#logB = new Float64Array(this.#joint)
    this.#predicted = new Float64Array(this.#joint)
    this.#filtered = new Float64Array(this.#joint)
  }

  logLikelihood(p: Float64Array): number {
    if (!this.#load(p)) return Number.NaN
    const { order } = this.#layout
    this.#initial()
    let total = 0
    for (let t = order; t < this.#data.y.length; t++) total += this.#step(p, t)
    return total
  }

  beliefs(p: Float64Array): SwitchingBeliefs {
    this.#load(p)
    const { regimes: k, order } = this.#layout
    const n = this.#data.y.length
    const joint = this.#joint
    const jointPredicted = new Float64Array(n * joint)
    const jointFiltered = new Float64Array(n * joint)
    const filtered = new Float64Array(n * k).fill(Number.NaN, 0, order * k)
    const predicted = filtered.slice()
    const smoothed = filtered.slice()
    const oneStep = new Float64Array(n).fill(Number.NaN, 0, order)
    let logLikelihood = 0
    this.#initial()
    for (let t = order; t < n; t++) {
      logLikelihood += this.#step(p, t)
      jointPredicted.set(this.#predicted, t * joint)
      jointFiltered.set(this.#filtered, t * joint)
      for (let m = 0; m < joint; m++) {
        filtered[t * k + (m % k)]! += this.#filtered[m]!
        predicted[t * k + (m % k)]! += this.#predicted[m]!
        oneStep[t]! += this.#predicted[m]! * (this.#data.y[t]! - this.#residual(p, t, m))
      }
    }
    const block = joint / k
    const later = this.#filtered.slice()
    const now = new Float64Array(joint)
    for (let t = n - 1; t >= order; t--) {
      if (t < n - 1) {
        const a = this.#at(t + 1)
        for (let m = 0; m < joint; m++) {
          let sum = 0
          // The successors of m: a new s in front, the oldest digit dropped.
          for (let j = 0; j < k; j++) {
            const next = j + k * (m % block)
            const target = order === 0 ? j : next
            const ahead = jointPredicted[(t + 1) * joint + target]!
            if (ahead > 0) sum += (this.#transition[a + (m % k) * k + j]! * later[target]!) / ahead
          }
          now[m] = jointFiltered[t * joint + m]! * sum
        }
        later.set(now)
      }
      for (let m = 0; m < joint; m++) smoothed[t * k + (m % k)]! += later[m]!
    }
    return { filtered, predicted, smoothed, oneStep, logLikelihood }
  }

  forecast(p: Float64Array, next: SwitchingData): SwitchingForecast {
    this.logLikelihood(p)
    const { regimes: k, order, at, drivers } = this.#layout
    const joint = this.#joint
    const h = next.y.length
    const ahead = new SwitchingFilter(this.#layout, next)
    ahead.#load(p)
    const probabilities = new Float64Array(h * k)
    const mean = new Float64Array(h)
    const variance = new Float64Array(h)
    const block = joint / k
    // Deviations u_t, u_t−1, … given each joint state, with their second moments: both mix linearly, so nothing is lost.
    const n = this.#data.y.length
    let weights = this.#filtered.slice()
    let past = Array.from({ length: joint }, (_, m) =>
      Float64Array.from(
        { length: order },
        (_v, i) => this.#data.y[n - 1 - i]! - this.#fits[(n - 1 - i) * k + digit(m, i, k)]!,
      ),
    )
    let second = past.map((u) => outer(u))
    for (let step = 0; step < h; step++) {
      const a = drivers > 0 ? step * k * k : 0
      const moved = new Float64Array(joint)
      const carried = Array.from({ length: joint }, () => new Float64Array(order))
      const spread = Array.from({ length: joint }, () => new Float64Array(order * order))
      for (let m = 0; m < joint; m++)
        for (let j = 0; j < k; j++) {
          const target = order === 0 ? j : j + k * (m % block)
          const w = weights[m]! * ahead.#transition[a + (m % k) * k + j]!
          moved[target]! += w
          let u = 0
          for (let i = 0; i < order; i++) u += p[at.ar[i * k + j]!]! * past[m]![i]!
          const own = carried[target]!
          if (order > 0) own[0]! += w * u
          for (let i = 1; i < order; i++) own[i]! += w * past[m]![i - 1]!
          if (order === 0) continue
          const grown = spread[target]!
          let variance = p[at.variance[j]!]!
          for (let i = 0; i < order; i++) {
            let cross = 0
            for (let l = 0; l < order; l++) cross += p[at.ar[l * k + j]!]! * second[m]![l * order + i]!
            variance += p[at.ar[i * k + j]!]! * cross
            if (i + 1 < order) {
              grown[i + 1]! += w * cross
              grown[(i + 1) * order]! += w * cross
            }
          }
          grown[0]! += w * variance
          for (let i = 1; i < order; i++)
            for (let l = 1; l < order; l++) grown[i * order + l]! += w * second[m]![(i - 1) * order + l - 1]!
        }
      let square = 0
      for (let m = 0; m < joint; m++) {
        if (moved[m]! > 0) {
          for (let i = 0; i < order; i++) carried[m]![i]! /= moved[m]!
          for (let i = 0; i < order * order; i++) spread[m]![i]! /= moved[m]!
        }
        const s = m % k
        const fit = ahead.#fits[step * k + s]!
        const u = order > 0 ? carried[m]![0]! : 0
        probabilities[step * k + s]! += moved[m]!
        mean[step]! += moved[m]! * (fit + u)
        square += moved[m]! * (fit * (fit + 2 * u) + (order > 0 ? spread[m]![0]! : p[at.variance[s]!]!))
      }
      variance[step] = square - mean[step]! ** 2
      weights = moved
      past = carried
      second = spread
    }
    return { probabilities, mean, variance }
  }

  #at(t: number): number {
    const { regimes: k, drivers } = this.#layout
    return drivers > 0 ? t * k * k : 0
  }

  #load(p: Float64Array): boolean {
    const { regimes: k, drivers, at, columns } = this.#layout
    const { x, z, y } = this.#data
    const width = Math.max(1, drivers)
    for (let t = 0, end = drivers > 0 ? y.length : 1; t < end; t++)
      for (let i = 0; i < k; i++) {
        const row = t * k * k + i * k
        let top = 0
        let total = 0
        for (let j = 0; j < k - 1; j++) {
          let value = p[at.transition[(i * (k - 1) + j) * width]!]!
          for (let m = 1; m < drivers; m++)
            value += p[at.transition[(i * (k - 1) + j) * width + m]!]! * z!.data[t * drivers + m]!
          this.#transition[row + j] = value
          top = Math.max(top, value)
          total += value
        }
        if (drivers === 0) {
          if (total > 1 + 1e-12) return false
          for (let j = 0; j < k - 1; j++) if (this.#transition[row + j]! < 0) return false
          this.#transition[row + k - 1] = Math.max(0, 1 - total)
          continue
        }
        this.#transition[row + k - 1] = 0
        total = 0
        for (let j = 0; j < k; j++) total += this.#transition[row + j] = Math.exp(this.#transition[row + j]! - top)
        for (let j = 0; j < k; j++) this.#transition[row + j]! /= total
      }
    for (let t = 0; t < y.length; t++)
      for (let s = 0; s < k; s++) {
        let fit = 0
        for (let j = 0; j < columns; j++) fit += x.data[t * columns + j]! * p[at.beta[j * k + s]!]!
        this.#fits[t * k + s] = fit
        this.#deviations[t * k + s] = y[t]! - fit
      }
    for (let s = 0; s < k; s++) {
      const v = p[at.variance[s]!]!
      if (!(v > 0)) return false
      this.#logs[s] = 1.8378770664093453 + Math.log(v)
    }
    return true
  }

  /** The joint state before the first row: the stationary distribution of the first matrix, moved on `order` steps. */
  #initial(): void {
    const { regimes: k, order } = this.#layout
    const pi = stationaryOf(this.#transition, k)
    for (let m = 0; m < this.#joint; m++) {
      let weight = pi[digit(m, order, k)]!
      for (let i = order; i > 0; i--)
        weight *= this.#transition[this.#at(order - i) + digit(m, i, k) * k + digit(m, i - 1, k)]!
      this.#filtered[m] = weight
    }
  }

  #step(p: Float64Array, t: number): number {
    const { regimes: k, at, order } = this.#layout
    const joint = this.#joint
    const block = joint / k
    const a = this.#at(t)
    for (let m = 0; m < joint; m++) {
      const s = m % k
      // The predecessors share m's digits but the newest, and have any oldest digit.
      const stem = (m - s) / k
      let sum = 0
      for (let o = 0; o < k; o++) {
        const from = order === 0 ? o : stem + o * block
        sum += this.#filtered[from]! * this.#transition[a + (from % k) * k + s]!
      }
      this.#predicted[m] = sum
    }
    for (let s = 0; s < k; s++) {
      const half = -0.5 / p[at.variance[s]!]!
      const log = -0.5 * this.#logs[s]!
      for (let m = s; m < joint; m += k) {
        const e = this.#residual(p, t, m)
        this.#logB[m] = log + half * e * e
      }
    }
    return filterStep(joint, this.#logB, this.#predicted, this.#filtered, 0)
  }

  #residual(p: Float64Array, t: number, m: number): number {
    const { regimes: k, order, at } = this.#layout
    const base = m * (order + 1)
    const s = this.#digits[base]!
    let e = this.#deviations[t * k + s]!
    for (let i = 1; i <= order; i++)
      e -= p[at.ar[(i - 1) * k + s]!]! * this.#deviations[(t - i) * k + this.#digits[base + i]!]!
    return e
  }
}

function outer(u: Float64Array): Float64Array {
  return Float64Array.from({ length: u.length ** 2 }, (_, at) => u[Math.floor(at / u.length)]! * u[at % u.length]!)
}

function digit(m: number, i: number, k: number): number {
  return Math.floor(m / k ** i) % k
}
