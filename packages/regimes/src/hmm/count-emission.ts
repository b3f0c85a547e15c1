import { arrayLeaf, type Rng } from '@regimen/core'
import { type Dense, lgamma } from '@regimen/core/math'
import type { Emission, EmissionModel } from './emission.ts'
import { permute } from './gaussian-emission.ts'

/** Emits Poisson counts: ln b = x ln λ − λ − ln x!. */
export class PoissonEmission implements Emission {
  readonly columns = 1
  readonly lags = 0
  readonly states: number
  readonly parameters: number
  readonly #rates: Float64Array

  constructor(rates: Float64Array) {
    this.#rates = rates
    this.states = rates.length
    this.parameters = rates.length
  }

  logDensities(x: Float64Array, from: number, to: number, out: Float64Array): void {
    const k = this.states
    const logs = this.#rates.map(Math.log)
    for (let t = from; t < to; t++) {
      const value = x[t]!
      const missing = Number.isNaN(value)
      const factorial = missing ? 0 : lgamma(value + 1)
      for (let j = 0; j < k; j++) out[t * k + j] = missing ? 0 : value * logs[j]! - this.#rates[j]! - factorial
    }
  }

  maximize(x: Dense, weights: Float64Array): readonly number[] {
    const starved: number[] = []
    for (let j = 0; j < this.states; j++) {
      let count = 0
      let sum = 0
      for (let t = 0; t < x.rows; t++) {
        if (Number.isNaN(x.data[t]!)) continue
        count += weights[t * this.states + j]!
        sum += weights[t * this.states + j]! * x.data[t]!
      }
      // A rate of 0 would make every later count impossible.
      if (count > 1e-8) this.#rates[j] = Math.max(sum / count, 1e-9)
      else starved.push(j)
    }
    return starved
  }

  learn(row: Float64Array, weights: Float64Array, rate: number): boolean {
    for (let j = 0; j < this.states; j++) this.#rates[j]! += rate * weights[j]! * (row[0]! - this.#rates[j]!)
    return true
  }

  sample(state: number, rng: Rng): number[] {
    return [rng.poisson(this.#rates[state]!)]
  }

  moments(state: number): { mean: Float64Array; covariance: Float64Array } {
    return { mean: this.#rates.slice(state, state + 1), covariance: this.#rates.slice(state, state + 1) }
  }

  natural(): { names: string[]; values: Float64Array } {
    return { names: Array.from(this.#rates, (_, j) => `rate[${j}]`), values: this.#rates.slice() }
  }

  adopt(values: Float64Array): boolean {
    this.#rates.set(values)
    return values.every((rate) => rate > 0)
  }

  reorder(order: readonly number[]): void {
    permute(this.#rates, order, 1)
  }

  model(): EmissionModel {
    return { family: 'poisson', rates: arrayLeaf('float64', [this.states], this.#rates) }
  }
}

/** Emits symbols 0 … n − 1. */
export class CategoricalEmission implements Emission {
  readonly columns = 1
  readonly lags = 0
  readonly states: number
  readonly parameters: number
  readonly #p: Float64Array
  readonly #symbols: number
  readonly #prior: number

  constructor(probabilities: Float64Array, states: number, prior: number) {
    this.#p = probabilities
    this.states = states
    this.#symbols = probabilities.length / states
    this.#prior = prior
    this.parameters = states * (this.#symbols - 1)
  }

  logDensities(x: Float64Array, from: number, to: number, out: Float64Array): void {
    const k = this.states
    const logs = this.#p.map(Math.log)
    for (let t = from; t < to; t++) {
      const symbol = x[t]!
      for (let j = 0; j < k; j++)
        out[t * k + j] = Number.isNaN(symbol) ? 0 : (logs[j * this.#symbols + symbol] ?? Number.NEGATIVE_INFINITY)
    }
  }

  maximize(x: Dense, weights: Float64Array): readonly number[] {
    const k = this.states
    const n = this.#symbols
    const sums = new Float64Array(k * n).fill(this.#prior)
    for (let t = 0; t < x.rows; t++) {
      const symbol = x.data[t]!
      if (!Number.isNaN(symbol)) for (let j = 0; j < k; j++) sums[j * n + symbol]! += weights[t * k + j]!
    }
    const starved: number[] = []
    for (let j = 0; j < k; j++) {
      let total = 0
      for (let s = 0; s < n; s++) total += sums[j * n + s]!
      if (total > 1e-8) for (let s = 0; s < n; s++) this.#p[j * n + s] = sums[j * n + s]! / total
      else starved.push(j)
    }
    return starved
  }

  learn(row: Float64Array, weights: Float64Array, rate: number): boolean {
    for (let j = 0; j < this.states; j++)
      for (let s = 0; s < this.#symbols; s++)
        this.#p[j * this.#symbols + s]! +=
          rate * weights[j]! * ((s === row[0] ? 1 : 0) - this.#p[j * this.#symbols + s]!)
    return true
  }

  sample(state: number, rng: Rng): number[] {
    return [rng.categorical(this.#p.subarray(state * this.#symbols, (state + 1) * this.#symbols))]
  }

  moments(state: number): { mean: Float64Array; covariance: Float64Array } {
    let mean = 0
    let square = 0
    for (let s = 0; s < this.#symbols; s++) {
      mean += s * this.#p[state * this.#symbols + s]!
      square += s * s * this.#p[state * this.#symbols + s]!
    }
    return { mean: Float64Array.of(mean), covariance: Float64Array.of(square - mean * mean) }
  }

  natural(): { names: string[]; values: Float64Array } {
    const names: string[] = []
    const values: number[] = []
    this.#p.forEach((value, i) => {
      if (i % this.#symbols === this.#symbols - 1) return
      names.push(`probability[${Math.floor(i / this.#symbols)}][${i % this.#symbols}]`)
      values.push(value)
    })
    return { names, values: Float64Array.from(values) }
  }

  adopt(values: Float64Array): boolean {
    let at = 0
    let admissible = true
    for (let j = 0; j < this.states; j++) {
      let rest = 1
      for (let s = 0; s < this.#symbols - 1; s++) {
        this.#p[j * this.#symbols + s] = values[at++]!
        admissible &&= this.#p[j * this.#symbols + s]! >= 0
        rest -= this.#p[j * this.#symbols + s]!
      }
      this.#p[(j + 1) * this.#symbols - 1] = rest
      admissible &&= rest >= 0
    }
    return admissible
  }

  reorder(order: readonly number[]): void {
    permute(this.#p, order, this.#symbols)
  }

  model(): EmissionModel {
    return { family: 'categorical', probabilities: arrayLeaf('float64', [this.states, this.#symbols], this.#p) }
  }
}
