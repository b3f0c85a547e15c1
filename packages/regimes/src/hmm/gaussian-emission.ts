import { arrayLeaf, type Rng } from '@regimen/core'
import { choleskyInto, type Dense, digamma, lgamma } from '@regimen/core/math'
import { type CovarianceType, GaussianKernel, isDiagonal } from '../gaussian/kernel.ts'
import { type CovarianceGuard, covarianceParameters, maximizeGaussians } from '../gaussian/maximize.ts'
import type { Emission, EmissionModel } from './emission.ts'

type Family = 'gaussian' | 'student-t' | 'mixture'

/** Parameters of the three Gaussian-like families; a mixture has m > 1 components a state. */
export interface GaussianParts {
  family: Family
  states: number
  components: number
  means: Float64Array
  covariances: Float64Array
  weights: Float64Array
  degrees: Float64Array
}

/** Emits from Gaussians, Student-t or mixtures of Gaussians on one kernel. */
export class GaussianEmission implements Emission {
  readonly states: number
  readonly columns: number
  readonly lags = 0
  readonly #p: GaussianParts
  readonly #guard: CovarianceGuard
  readonly #kernel: GaussianKernel
  #loaded = false

  constructor(parts: GaussianParts, columns: number, guard: CovarianceGuard) {
    this.#p = parts
    this.states = parts.states
    this.columns = columns
    this.#guard = guard
    this.#kernel = new GaussianKernel(parts.states * parts.components, columns, isDiagonal(guard.type))
  }

  get parameters(): number {
    const { family, states, components } = this.#p
    const n = states * components
    const base = n * this.columns + covarianceParameters(this.#guard.type, n, this.columns)
    return base + (family === 'mixture' ? states * (components - 1) : family === 'student-t' ? states : 0)
  }

  logDensities(x: Float64Array, from: number, to: number, out: Float64Array): void {
    const { family, states: k, components: m, degrees, weights } = this.#p
    this.#load()
    if (family === 'gaussian') {
      this.#kernel.logDensities(x, from, to, out.subarray(from * k, to * k))
      return
    }
    const d = this.columns
    const n = k * m
    const block = new Float64Array(1024 * n)
    const constants = Float64Array.from({ length: n }, (_, c) =>
      family === 'mixture'
        ? this.#kernel.constant(c) + Math.log(weights[c]!)
        : this.#kernel.constant(c) +
          0.5 * d * Math.log(2 / degrees[c]!) +
          lgamma((degrees[c]! + d) / 2) -
          lgamma(degrees[c]! / 2),
    )
    for (let start = from; start < to; start += 1024) {
      const end = Math.min(to, start + 1024)
      this.#kernel.quadratics(x, start, end, block)
      for (let t = start; t < end; t++)
        for (let j = 0; j < k; j++) {
          const at = (t - start) * n + j * m
          if (block[at]! < 0) out[t * k + j] = 0
          else if (family === 'student-t') {
            out[t * k + j] = constants[j]! - 0.5 * (degrees[j]! + d) * Math.log1p(block[at]! / degrees[j]!)
          } else out[t * k + j] = logSum(block, at, constants, j * m, m)
        }
    }
  }

  maximize(x: Dense, weights: Float64Array): readonly number[] {
    const { family, states: k, components: m, degrees } = this.#p
    const n = k * m
    const d = this.columns
    const kernel = this.#kernel
    this.#load()
    kernel.reset()
    const mass = new Float64Array(k)
    const logU = new Float64Array(k)
    const block = new Float64Array(1024 * n)
    for (let start = 0; start < x.rows; start += 1024) {
      const end = Math.min(x.rows, start + 1024)
      if (family === 'gaussian') {
        kernel.accumulate(x.data, start, end, weights.subarray(start * k, end * k))
        continue
      }
      kernel.quadratics(x.data, start, end, block)
      for (let t = start; t < end; t++)
        for (let j = 0; j < k; j++) {
          const at = (t - start) * n + j * m
          const w = weights[t * k + j]!
          if (block[at]! < 0) for (let c = 0; c < m; c++) block[at + c] = 0
          else if (family === 'student-t') {
            const u = (degrees[j]! + d) / (degrees[j]! + block[at]!)
            mass[j]! += w
            logU[j]! += w * (Math.log(u) - u)
            block[at] = w * u
          } else {
            let top = Number.NEGATIVE_INFINITY
            for (let c = 0; c < m; c++) {
              const value = kernel.constant(j * m + c) + Math.log(this.#p.weights[j * m + c]!) - 0.5 * block[at + c]!
              block[at + c] = value
              top = Math.max(top, value)
            }
            let sum = 0
            for (let c = 0; c < m; c++) sum += block[at + c] = Math.exp(block[at + c]! - top)
            for (let c = 0; c < m; c++) block[at + c]! *= w / sum
          }
        }
      kernel.accumulate(x.data, start, end, block)
    }
    maximizeGaussians(kernel, this.#guard, this.#p.means, this.#p.covariances, 1e-8)
    const starved: number[] = []
    for (let j = 0; j < k; j++) {
      let total = 0
      for (let c = 0; c < m; c++) total += kernel.counts[j * m + c]!
      if (!(total > 1e-8)) {
        starved.push(j)
        continue
      }
      if (family === 'mixture')
        for (let c = 0; c < m; c++) this.#p.weights[j * m + c] = Math.max(1e-12, kernel.counts[j * m + c]! / total)
      if (family === 'student-t') degrees[j] = solveDegrees(degrees[j]!, d, logU[j]! / mass[j]!)
    }
    this.#loaded = false
    return starved
  }

  learn(row: Float64Array, weights: Float64Array, rate: number): boolean {
    if (this.#p.family !== 'gaussian' || this.#guard.type === 'tied') return false
    const d = this.columns
    const { means, covariances, states } = this.#p
    const delta = new Float64Array(d)
    for (let c = 0; c < states; c++) {
      const step = Math.min(0.5, rate * weights[c]!)
      if (step < 1e-12) continue
      for (let i = 0; i < d; i++) delta[i] = row[i]! - means[c * d + i]!
      let trace = 0
      for (let i = 0; i < d; i++) trace += delta[i]! * delta[i]!
      for (let i = 0; i < d; i++) {
        means[c * d + i]! += step * delta[i]!
        for (let j = 0; j < d; j++) {
          const at = (c * d + i) * d + j
          const type = this.#guard.type
          const product =
            type === 'full'
              ? delta[i]! * delta[j]!
              : i !== j
                ? 0
                : type === 'diagonal'
                  ? delta[i]! * delta[i]!
                  : trace / d
          // The rank-one update about the moving mean; the covariance stays positive definite.
          covariances[at] = (1 - step) * (covariances[at]! + step * product)
        }
      }
      for (let i = 0; i < d; i++) {
        const at = (c * d + i) * d + i
        covariances[at] = Math.max(covariances[at]!, this.#guard.floor * this.#guard.scales[i]!)
      }
    }
    this.#loaded = false
    return true
  }

  sample(state: number, rng: Rng): number[] {
    const { family, components: m, weights, degrees, means, covariances } = this.#p
    const d = this.columns
    const c = family === 'mixture' ? state * m + rng.categorical(weights.subarray(state * m, state * m + m)) : state
    const lower = new Float64Array(d * d)
    choleskyInto(covariances.subarray(c * d * d, (c + 1) * d * d), d, lower)
    const stretch = family === 'student-t' ? Math.sqrt(degrees[c]! / (2 * rng.gamma(degrees[c]! / 2))) : 1
    const z = rng.fillNormal(new Float64Array(d))
    return Array.from({ length: d }, (_, i) => {
      let value = 0
      for (let j = 0; j <= i; j++) value += lower[i * d + j]! * z[j]!
      return means[c * d + i]! + stretch * value
    })
  }

  moments(state: number): { mean: Float64Array; covariance: Float64Array } {
    const { family, components: m, weights, means, covariances, degrees } = this.#p
    const d = this.columns
    const mean = new Float64Array(d)
    const covariance = new Float64Array(d * d)
    const share = (c: number): number => (family === 'mixture' ? weights[c]! : 1)
    for (let c = state * m; c < (state + 1) * m; c++)
      for (let i = 0; i < d; i++) mean[i]! += share(c) * means[c * d + i]!
    const nu = family === 'student-t' ? degrees[state]! : Number.POSITIVE_INFINITY
    const inflate = nu === Number.POSITIVE_INFINITY ? 1 : nu > 2 ? nu / (nu - 2) : Number.POSITIVE_INFINITY
    for (let c = state * m; c < (state + 1) * m; c++)
      for (let i = 0; i < d; i++)
        for (let j = 0; j < d; j++)
          covariance[i * d + j]! +=
            share(c) *
            (inflate * covariances[(c * d + i) * d + j]! +
              (means[c * d + i]! - mean[i]!) * (means[c * d + j]! - mean[j]!))
    return { mean, covariance }
  }

  natural(): { names: string[]; values: Float64Array } {
    const { means, covariances, weights, degrees, family, components: m } = this.#p
    const names: string[] = []
    const values: number[] = []
    means.forEach((value, i) => {
      names.push(`mean[${Math.floor(i / this.columns)}][${i % this.columns}]`)
      values.push(value)
    })
    for (const [c, i, j] of this.#covarianceSlots()) {
      names.push(`covariance[${c}][${i}][${j}]`)
      values.push(covariances[(c * this.columns + i) * this.columns + j]!)
    }
    if (family === 'mixture')
      weights.forEach((value, c) => {
        if (c % m === m - 1) return
        names.push(`weight[${Math.floor(c / m)}][${c % m}]`)
        values.push(value)
      })
    if (family === 'student-t')
      degrees.forEach((value, c) => {
        names.push(`degrees[${c}]`)
        values.push(value)
      })
    return { names, values: Float64Array.from(values) }
  }

  adopt(values: Float64Array): boolean {
    const { means, covariances, weights, degrees, family, components: m } = this.#p
    const d = this.columns
    let at = means.length
    means.set(values.subarray(0, at))
    const { type } = this.#guard
    for (const [c, i, j] of this.#covarianceSlots()) {
      const value = values[at++]!
      const copies = type === 'tied' ? this.#kernel.k : 1
      for (let o = 0; o < copies; o++) {
        covariances[((c + o) * d + i) * d + j] = value
        covariances[((c + o) * d + j) * d + i] = value
      }
      if (type === 'spherical') for (let e = 1; e < d; e++) covariances[(c * d + e) * d + e] = value
    }
    let admissible = true
    if (family === 'mixture')
      for (let c = 0; c < weights.length; c += m) {
        let rest = 1
        for (let o = 0; o < m - 1; o++) {
          weights[c + o] = values[at++]!
          admissible &&= weights[c + o]! > 0
          rest -= weights[c + o]!
        }
        weights[c + m - 1] = rest
        admissible &&= rest > 0
      }
    if (family === 'student-t')
      for (let c = 0; c < degrees.length; c++) {
        degrees[c] = values[at++]!
        admissible &&= degrees[c]! > 0.5
      }
    this.#loaded = false
    return admissible && this.#kernel.load(means, covariances)
  }

  reorder(order: readonly number[]): void {
    const { components: m } = this.#p
    const d = this.columns
    const each = order.flatMap((state) => Array.from({ length: m }, (_, c) => state * m + c))
    permute(this.#p.means, each, d)
    permute(this.#p.covariances, each, d * d)
    permute(this.#p.weights, each, 1)
    if (this.#p.family === 'student-t') permute(this.#p.degrees, order, 1)
    this.#loaded = false
  }

  model(): EmissionModel {
    const { family, states: k, components: m, means, covariances, weights, degrees } = this.#p
    const d = this.columns
    const covariance: CovarianceType = this.#guard.type
    const shared = {
      covariance,
      means: arrayLeaf('float64', [k * m, d], means),
      covariances: arrayLeaf('float64', [k * m, d, d], covariances),
    }
    if (family === 'gaussian') return { family, ...shared }
    if (family === 'student-t') return { family, ...shared, degrees: arrayLeaf('float64', [k], degrees) }
    return { family, components: m, ...shared, weights: arrayLeaf('float64', [k, m], weights) }
  }

  *#covarianceSlots(): Generator<[number, number, number]> {
    const { type } = this.#guard
    const d = this.columns
    for (let c = 0; c < (type === 'tied' ? 1 : this.#kernel.k); c++)
      for (let i = 0; i < (type === 'spherical' ? 1 : d); i++)
        for (let j = isDiagonal(type) ? i : 0; j <= i; j++) yield [c, i, j]
  }

  #load(): void {
    if (this.#loaded) return
    this.#kernel.load(this.#p.means, this.#p.covariances)
    this.#loaded = true
  }
}

/** Moves groups of `width` numbers into a new order. */
export function permute(a: Float64Array, order: readonly number[], width: number): void {
  const copy = a.slice()
  order.forEach((from, to) => {
    a.set(copy.subarray(from * width, (from + 1) * width), to * width)
  })
}

function logSum(q: Float64Array, at: number, constants: Float64Array, base: number, m: number): number {
  let top = Number.NEGATIVE_INFINITY
  for (let c = 0; c < m; c++) top = Math.max(top, constants[base + c]! - 0.5 * q[at + c]!)
  let sum = 0
  for (let c = 0; c < m; c++) sum += Math.exp(constants[base + c]! - 0.5 * q[at + c]! - top)
  return top + Math.log(sum)
}

/** Root in ν of ln(ν/2) − ψ(ν/2) + 1 + mean(ln u − u) + ψ((ν₀+d)/2) − ln((ν₀+d)/2), by bisection on ln ν within [1, 200]. */
function solveDegrees(now: number, d: number, meanLogU: number): number {
  const fixed = 1 + meanLogU + digamma((now + d) / 2) - Math.log((now + d) / 2)
  const f = (nu: number): number => Math.log(nu / 2) - digamma(nu / 2) + fixed
  let low = 0
  let high = Math.log(200)
  if (f(200) > 0) return 200
  if (f(1) < 0) return 1
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2
    if (f(Math.exp(middle)) > 0) low = middle
    else high = middle
  }
  return Math.exp((low + high) / 2)
}
