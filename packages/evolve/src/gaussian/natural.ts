import { symmetricEigenInto } from '@regimen/core/math'
import { defineSearch, type SearchFactory } from '../engine/factory.ts'
import {
  createGaussianEngine,
  type Distribution,
  type GaussianOptions,
  type GaussianSetting,
  separable,
  utilities,
} from './gaussian.ts'

const popular = (n: number): number => 4 + Math.floor(3 * Math.log(n))

/**
 * Minimizes or maximizes by exponential natural evolution: follows the natural gradient of the expected rank in the
 * parameters of a normal distribution, with the covariance's factor A updated by a matrix exponential,
 *
 *     m ← m + A·Σ u_k·z_k,  A ← A·exp(η/2·Σ u_k·(z_k·z_kᵀ − 1))
 *
 * As invariant as `cmaEs` and with two settings instead of ten, but without its path memory: `cmaEs` needs fewer
 * evaluations. For hundreds of dimensions take {@link snes}.
 *
 * ```ts
 * import { xnes } from '@regimen/evolve'
 *
 * const optimizer = xnes.open({ space: { dimension: 2 }, direction: 'minimize', start: [1, 1], sigma: 0.5, seed: 1 })
 * while (optimizer.evaluations < 2000) {
 *   optimizer.tell(optimizer.ask().map(({ id, point: [x, y] }) => ({ id, value: x! ** 2 + (x! + y!) ** 2 })))
 * }
 * optimizer.best!.value // ≈ 0.0000
 * ```
 *
 * Reference: T. Glasmachers et al., "Exponential natural evolution strategies", 2010.
 */
export const xnes: SearchFactory<GaussianOptions> = /* @__PURE__ */ defineSearch<GaussianOptions>(
  'evolve/xnes',
  1,
  (setting) => createGaussianEngine(setting, false, popular, fullDistribution),
)

/**
 * Minimizes or maximizes by separable natural evolution: one mean and one step size a coordinate, in linear time and memory.
 *
 *     m ← m + σ∘Σ u_k·z_k,  σ ← σ∘exp(η/2·Σ u_k·(z_k² − 1))
 *
 * For hundreds to thousands of parameters that interact weakly, such as the weights of a small net; {@link xnes} and `cmaEs`
 * where they interact.
 *
 * ```ts
 * import { snes } from '@regimen/evolve'
 *
 * const optimizer = snes.open({ space: { dimension: 50 }, direction: 'minimize', sigma: 1, seed: 1 })
 * optimizer.populationSize // => 15
 * ```
 *
 * Reference: T. Schaul, T. Glasmachers & J. Schmidhuber, "High dimensions and heavy tails for natural evolution strategies", 2011.
 */
export const snes: SearchFactory<GaussianOptions> = /* @__PURE__ */ defineSearch<GaussianOptions>(
  'evolve/snes',
  1,
  (setting) => createGaussianEngine(setting, false, popular, separableDistribution),
)

function separableDistribution(setting: GaussianSetting): Distribution {
  const rate = (3 + Math.log(setting.n)) / (5 * Math.sqrt(setting.n))
  return separable(setting, utilities(setting.size), (toMean, toSigma, _, deviation, __, out) => {
    out[0] = deviation * toMean
    out[1] = Math.exp((rate / 2) * toSigma)
  })
}

function fullDistribution({ n, size, scale, sigma }: GaussianSetting): Distribution {
  const factor = new Float64Array(n * n)
  for (let i = 0; i < n; i++) factor[i * n + i] = scale[i]! * sigma
  const u = utilities(size)
  const rate = (9 + 3 * Math.log(n)) / (5 * n * Math.sqrt(n))
  const g = new Float64Array(n * n)
  const vectors = new Float64Array(n * n)
  const values = new Float64Array(n)
  const work = new Float64Array(n)
  const row = new Float64Array(n)
  const toMean = new Float64Array(n)
  return {
    state: { factor },
    step(z, out) {
      for (let i = 0; i < n; i++) {
        let sum = 0
        for (let j = 0; j < n; j++) sum += factor[i * n + j]! * z[j]!
        out[i] = sum
      }
    },
    learn(z, order, count, mean) {
      g.fill(0)
      toMean.fill(0)
      for (let k = 0; k < count; k++) {
        const at = order[k]! * n
        for (let i = 0; i < n; i++) {
          toMean[i]! += u[k]! * z[at + i]!
          for (let j = 0; j <= i; j++) g[i * n + j]! += u[k]! * (z[at + i]! * z[at + j]! - (i === j ? 1 : 0))
        }
      }
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) mean[i]! += factor[i * n + j]! * toMean[j]!
      symmetricEigenInto(g, n, values, vectors, work)
      for (let j = 0; j < n; j++) values[j] = Math.exp((rate / 2) * values[j]!)
      // A ← A·V·diag(exp)·Vᵀ, one row of A at a time.
      for (let i = 0; i < n; i++) {
        row.fill(0)
        for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) row[k]! += factor[i * n + j]! * vectors[j * n + k]!
        for (let k = 0; k < n; k++) row[k]! *= values[k]!
        for (let j = 0; j < n; j++) {
          let sum = 0
          for (let k = 0; k < n; k++) sum += row[k]! * vectors[j * n + k]!
          factor[i * n + j] = sum
        }
      }
    },
  }
}
