import { check, type Rng } from '@regimen/core'
import type { Dense } from '@regimen/core/math'
import { checkCount, columnScales } from '../observations.ts'
import { AutoregressiveEmission } from './autoregressive-emission.ts'
import { CategoricalEmission, PoissonEmission } from './count-emission.ts'
import type { Emission, EmissionModel, EmissionOptions } from './emission.ts'
import { GaussianEmission } from './gaussian-emission.ts'

const WHERE = 'regimes/hmm'

/** Makes emissions that know the data's scale and nothing else; `maximize` gives them their first values. */
export function createEmission(
  x: Dense,
  k: number,
  options: EmissionOptions,
  floor: number,
  scales: Float64Array,
  rng: Rng,
): Emission {
  const { rows, cols: d, data } = x
  const { family } = options
  if (family === 'gaussian' || family === 'student-t' || family === 'mixture') {
    const m = family === 'mixture' ? (options.components ?? 2) : 1
    checkCount(m, 'components', WHERE, 1, 64)
    const n = k * m
    const means = new Float64Array(n * d)
    const covariances = new Float64Array(n * d * d)
    const { means: centre } = columnScales(x)
    for (let c = 0; c < n; c++)
      for (let i = 0; i < d; i++) {
        // Components of one state must differ or EM cannot tell them apart.
        means[c * d + i] = centre[i]! + (m > 1 ? rng.normal(0, Math.sqrt(scales[i]!)) : 0)
        covariances[(c * d + i) * d + i] = scales[i]!
      }
    return new GaussianEmission(
      {
        family,
        states: k,
        components: m,
        means,
        covariances,
        weights: new Float64Array(n).fill(1 / m),
        degrees: new Float64Array(k).fill(8),
      },
      d,
      { type: options.covariance ?? 'full', floor, regularization: 0, scales },
    )
  }
  check(d === 1, WHERE, () => `${family} emissions take one column, got ${d}.`)
  if (family === 'autoregressive') {
    const order = options.order ?? 1
    checkCount(order, 'order', WHERE, 1, 64)
    check(rows > order + k, WHERE, () => `order ${order} needs more than ${order + k} rows, got ${rows}.`)
    const variances = new Float64Array(k).fill(scales[0]!)
    return new AutoregressiveEmission(new Float64Array(k * (order + 1)), variances, order, floor * scales[0]!)
  }
  let largest = 0
  for (let t = 0; t < rows; t++) {
    const value = data[t]!
    if (Number.isNaN(value)) continue
    check(
      Number.isInteger(value) && value >= 0,
      WHERE,
      () => `${family} rows must be counts, got ${value} in row ${t}.`,
    )
    largest = Math.max(largest, value)
  }
  if (family === 'poisson') return new PoissonEmission(new Float64Array(k).fill(1))
  const { symbols = largest + 1, prior = 0 } = options.family === 'categorical' ? options : {}
  checkCount(symbols, 'symbols', WHERE, largest + 1, 1e6)
  const probabilities = new Float64Array(k * symbols)
  for (let j = 0; j < k; j++)
    rng.dirichlet(new Float64Array(symbols).fill(5), probabilities.subarray(j * symbols, (j + 1) * symbols))
  return new CategoricalEmission(probabilities, k, prior)
}

/** Puts the emissions of a model to work. They own copies of its numbers. */
export function openEmission(model: {
  readonly states: number
  readonly columns: number
  readonly emission: EmissionModel
  readonly scales: { readonly data: Float64Array }
  readonly floor: number
}): Emission {
  const { states: k, columns: d, emission: e, floor, scales } = model
  if (e.family === 'poisson') return new PoissonEmission(e.rates.data.slice())
  if (e.family === 'categorical') return new CategoricalEmission(e.probabilities.data.slice(), k, 0)
  if (e.family === 'autoregressive') {
    const least = floor * scales.data[0]!
    return new AutoregressiveEmission(e.coefficients.data.slice(), e.variances.data.slice(), e.order, least)
  }
  const m = e.family === 'mixture' ? e.components : 1
  return new GaussianEmission(
    {
      family: e.family,
      states: k,
      components: m,
      means: e.means.data.slice(),
      covariances: e.covariances.data.slice(),
      weights: e.family === 'mixture' ? e.weights.data.slice() : new Float64Array(k).fill(1),
      degrees: e.family === 'student-t' ? e.degrees.data.slice() : new Float64Array(k),
    },
    d,
    { type: e.covariance, floor, regularization: 0, scales: scales.data.slice() },
  )
}
