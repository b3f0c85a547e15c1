import { arrayLeaf, type Rng } from '@regimen/core'
import { type Dense, solveSpd } from '@regimen/core/math'
import type { Emission, EmissionModel } from './emission.ts'
import { permute } from './gaussian-emission.ts'

/** Emits x_t = c + Σ φ_i x_t−i + σ ε, every number switching with the state. The first rows of a sequence condition the rest. */
export class AutoregressiveEmission implements Emission {
  readonly columns = 1
  readonly states: number
  readonly lags: number
  readonly parameters: number
  readonly #coefficients: Float64Array
  readonly #variances: Float64Array
  readonly #least: number

  constructor(coefficients: Float64Array, variances: Float64Array, order: number, least: number) {
    this.#coefficients = coefficients
    this.#variances = variances
    this.#least = least
    this.lags = order
    this.states = variances.length
    this.parameters = this.states * (order + 2)
  }

  logDensities(x: Float64Array, from: number, to: number, out: Float64Array, begin: number): void {
    const k = this.states
    const p = this.lags
    const constants = this.#variances.map((v) => -0.5 * Math.log(2 * Math.PI * v))
    for (let t = from; t < to; t++)
      for (let j = 0; j < k; j++) {
        let value = 0
        if (t - begin >= p) {
          const e = this.#residual(x, t, j)
          if (!Number.isNaN(e)) value = constants[j]! - (0.5 * e * e) / this.#variances[j]!
        }
        out[t * k + j] = value
      }
  }

  maximize(x: Dense, weights: Float64Array, begins: readonly number[]): readonly number[] {
    const k = this.states
    const p = this.lags
    const n = p + 1
    const usable: number[] = []
    for (let b = 0; b < begins.length; b++)
      for (let t = begins[b]! + p; t < (begins[b + 1] ?? x.rows); t++)
        if (!Number.isNaN(this.#residual(x.data, t, 0))) usable.push(t)
    const starved: number[] = []
    for (let j = 0; j < k; j++) {
      const gram = new Float64Array(n * n)
      const right = new Float64Array(n)
      const row = new Float64Array(n)
      let count = 0
      for (const t of usable) {
        const w = weights[t * k + j]!
        count += w
        row[0] = 1
        for (let i = 1; i <= p; i++) row[i] = x.data[t - i]!
        for (let a = 0; a < n; a++) {
          right[a]! += w * row[a]! * x.data[t]!
          for (let b = 0; b < n; b++) gram[a * n + b]! += w * row[a]! * row[b]!
        }
      }
      if (!(count > n * 1e-6)) {
        starved.push(j)
        continue
      }
      this.#coefficients.set(solveSpd({ rows: n, cols: n, data: gram }, right), j * n)
      let square = 0
      for (const t of usable) square += weights[t * k + j]! * this.#residual(x.data, t, j) ** 2
      this.#variances[j] = Math.max(square / count, this.#least)
    }
    return starved
  }

  learn(): boolean {
    return false
  }

  sample(state: number, rng: Rng, history: readonly number[][]): number[] {
    const n = this.lags + 1
    let value = this.#coefficients[state * n]!
    for (let i = 1; i < n; i++)
      value += this.#coefficients[state * n + i]! * (history.at(-i)?.[0] ?? this.#level(state))
    return [value + rng.normal(0, Math.sqrt(this.#variances[state]!))]
  }

  moments(state: number): { mean: Float64Array; covariance: Float64Array } {
    return { mean: Float64Array.of(this.#level(state)), covariance: this.#variances.slice(state, state + 1) }
  }

  natural(): { names: string[]; values: Float64Array } {
    const n = this.lags + 1
    const names = Array.from(this.#coefficients, (_, i) =>
      i % n === 0 ? `constant[${i / n}]` : `lag[${Math.floor(i / n)}][${(i % n) - 1}]`,
    )
    for (let j = 0; j < this.states; j++) names.push(`variance[${j}]`)
    return { names, values: Float64Array.from([...this.#coefficients, ...this.#variances]) }
  }

  adopt(values: Float64Array): boolean {
    this.#coefficients.set(values.subarray(0, this.#coefficients.length))
    this.#variances.set(values.subarray(this.#coefficients.length))
    return this.#variances.every((v) => v > 0)
  }

  reorder(order: readonly number[]): void {
    permute(this.#coefficients, order, this.lags + 1)
    permute(this.#variances, order, 1)
  }

  model(): EmissionModel {
    return {
      family: 'autoregressive',
      order: this.lags,
      coefficients: arrayLeaf('float64', [this.states, this.lags + 1], this.#coefficients),
      variances: arrayLeaf('float64', [this.states], this.#variances),
    }
  }

  #level(state: number): number {
    const n = this.lags + 1
    let persistence = 0
    for (let i = 1; i < n; i++) persistence += this.#coefficients[state * n + i]!
    return this.#coefficients[state * n]! / Math.max(1 - persistence, 1e-3)
  }

  #residual(x: Float64Array, t: number, j: number): number {
    const at = j * (this.lags + 1)
    let e = x[t]! - this.#coefficients[at]!
    for (let i = 1; i <= this.lags; i++) e -= this.#coefficients[at + i]! * x[t - i]!
    return e
  }
}
