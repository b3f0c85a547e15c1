import { check, describe } from '@regimen/core'
import { type Batch, type Engine, rankBatch } from '../engine/engine.ts'
import { checkCount, checkRange, defineSearch, type SearchFactory, type Setting } from '../engine/factory.ts'
import { type AnyPoint, middleOf, rangeScale } from '../engine/space.ts'
import { boundTransform } from './bounds.ts'
import { diagonalCovariance, fullCovariance } from './covariance.ts'
import { cmaParameters } from './parameters.ts'
import { nextRestart } from './restarts.ts'
import { createStopWatch } from './stop.ts'

/** Options of {@link cmaEs}. */
export interface CmaEsOptions {
  /**
   * Initial step size: in the units of the coordinates of a vector space, in widths of the range for named parameters. The
   * optimum should lie within about three of it from the start.
   * @default 0.3 of each coordinate's range (1 where it has none)
   */
  readonly sigma?: number
  /**
   * Candidates per generation, from 4. More searches wider and slower.
   * @default 4 + floor(3 ln n)
   */
  readonly populationSize?: number
  /**
   * Learns from bad candidates too: directions that lead nowhere shrink.
   * @default true
   */
  readonly active?: boolean
  /**
   * Keeps to a diagonal covariance: linear time and memory, faster learning, blind to correlations. For hundreds of
   * dimensions.
   * @default false
   */
  readonly separable?: boolean
  /**
   * What follows when a run has converged or stalled: `'ipop'` starts again with twice the population, `'bipop'` also spends
   * as much on small populations, `'none'` stops.
   * @default 'bipop'
   */
  readonly restarts?: 'none' | 'ipop' | 'bipop'
  /**
   * Restarts with a larger population, from 0.
   * @default 9
   */
  readonly maxRestarts?: number
  /**
   * A run ends when its values vary by less than this, in units of the objective, above 0.
   * @default 1e-11
   */
  readonly tolFun?: number
  /**
   * A run ends when its steps are shorter than this times the initial step, above 0.
   * @default 1e-11
   */
  readonly tolX?: number
}

/**
 * Minimizes or maximizes by covariance matrix adaptation: draws a population from a normal distribution, moves the mean to
 * its better half, and learns step size and covariance from the path that the mean takes:
 *
 *     x_k = m + σ·B·D·z_k,  m ← m + σ·Σ w_i·y_i,  C ← (1 − c₁ − c_μ·Σw)·C + c₁·p_c·p_cᵀ + c_μ·Σ w_i·y_i·y_iᵀ
 *
 * The first choice for 3 to 200 real parameters that interact, when an evaluation costs more than a microsecond and there is
 * no gradient. It is invariant to the objective's scale and to rotations of the space. For many local optima keep the
 * restarts; for hundreds of parameters take `separable: true` or `snes`; for fewer than some hundred evaluations the
 * surrogates of `@regimen/bayes` get further; for categorical choices take `lshade`.
 *
 * Bounds are met by a smooth transform, whole numbers keep a smallest step, so that they never freeze early. An evaluation
 * takes O(n²); the eigendecomposition is postponed so that it does too. A candidate that failed ranks last.
 *
 * ```ts
 * import { cmaEs } from '@regimen/evolve'
 *
 * const optimizer = cmaEs.open({ space: { dimension: 3 }, direction: 'minimize', start: [1, 1, 1], sigma: 0.5, seed: 1 })
 * while (optimizer.evaluations < 1000) {
 *   const asked = optimizer.ask()
 *   optimizer.tell(asked.map(({ id, point }) => ({ id, value: point[0] ** 2 + 10 * point[1] ** 2 + (point[2] - 2) ** 2 })))
 * }
 * optimizer.best!.point[2] // ≈ 2
 * ```
 *
 * References: N. Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772; R. Ros & N. Hansen 2008 (separable);
 * A. Auger & N. Hansen 2005 (IPOP); N. Hansen 2009 (BIPOP).
 */
export const cmaEs: SearchFactory<CmaEsOptions> = /* @__PURE__ */ defineSearch<CmaEsOptions>(
  'evolve/cma-es',
  1,
  createCmaEngine,
)

function createCmaEngine({ id, options, codec, rng, start }: Setting<CmaEsOptions>): Engine<AnyPoint> {
  const { n, lower, upper, grain } = codec
  const {
    active = true,
    separable = false,
    restarts = 'bipop',
    maxRestarts = 9,
    tolFun = 1e-11,
    tolX = 1e-11,
  } = options
  const lambda0 = checkCount(id, 'populationSize', options.populationSize ?? 4 + Math.floor(3 * Math.log(n)), 4)
  checkCount(id, 'maxRestarts', maxRestarts, 0, 100)
  checkRange(id, 'tolFun', tolFun, Number.MIN_VALUE, 1)
  checkRange(id, 'tolX', tolX, Number.MIN_VALUE, 1)
  check(
    restarts === 'none' || restarts === 'ipop' || restarts === 'bipop',
    id,
    () => `restarts must be 'none', 'ipop' or 'bipop', got ${describe(restarts)}.`,
  )
  const sigma0 = checkRange(id, 'sigma', options.sigma ?? 0.3, Number.MIN_VALUE, 1e100)
  const scale = rangeScale(codec, options.sigma !== undefined)
  const transform = boundTransform(lower, upper)
  const origin = start ?? middleOf(codec)
  const covariance = separable ? diagonalCovariance(n) : fullCovariance(n)
  const s = {
    run: 0,
    lambda: lambda0,
    runSigma: sigma0,
    runBudget: Number.POSITIVE_INFINITY,
    runEvaluations: 0,
    largeRuns: 0,
    largeSpent: 0,
    smallSpent: 0,
    small: false,
    generation: 0,
    decomposed: 0,
    sigma: sigma0,
    reason: '',
    mean: transform.invert(origin),
    ...covariance.arrays,
    pc: new Float64Array(n),
    ps: new Float64Array(n),
    histories: new Float64Array(0) as Float64Array,
  }
  let parameters = cmaParameters(n, s.lambda, active, separable)
  let order = new Int32Array(s.lambda)
  let y = new Float64Array(s.lambda * n)
  let signed = new Float64Array(s.lambda)
  const z = new Float64Array(n)
  const step = new Float64Array(n)
  const shown = new Float64Array(n)
  const watch = createStopWatch(n, { tolFun, tolX })

  const begin = (): void => {
    parameters = cmaParameters(n, s.lambda, active, separable)
    order = new Int32Array(s.lambda)
    y = new Float64Array(s.lambda * n)
    signed = new Float64Array(s.lambda)
  }

  const reset = (): void => {
    covariance.reset(scale)
    s.pc.fill(0)
    s.ps.fill(0)
    s.generation = 0
    s.decomposed = 0
    s.runEvaluations = 0
    s.sigma = s.runSigma
    watch.clear(s.lambda)
    s.histories = watch.saved
    begin()
  }
  reset()

  const engine: Engine<AnyPoint> = {
    // The candidate, the squared length of its normal vector, and the run that it belongs to.
    width: n + 2,
    state: s,
    grows: ['histories'],
    get size() {
      return s.lambda
    },
    get stopped() {
      return s.reason === '' ? undefined : s.reason
    },
    restored() {
      begin()
      check(
        watch.load(s.histories, s.lambda),
        id,
        () => `state.engine.histories: has an impossible length, ${s.histories.length}.`,
        'Pass what snapshot() returned.',
      )
      s.histories = watch.saved
    },
    decode(rows, at) {
      if (transform.identity) return codec.decode(rows, at)
      transform.apply(rows, at, shown)
      return codec.decode(shown, 0)
    },
    propose(rows, at) {
      rng.fillNormal(z)
      let squared = 0
      for (let i = 0; i < n; i++) squared += z[i]! * z[i]!
      covariance.sample(z, s.mean, s.sigma, rows, at)
      rows[at + n] = squared
      rows[at + n + 1] = s.run
    },
    learn(batch) {
      if (countUsable(batch) === 0) {
        // Nothing came back: learn nothing, and let the run's limits end it.
        s.runEvaluations += batch.count
        s.generation++
      } else update(batch)
      const ended =
        watch.check(batch, order, s, parameters, separable) ?? (s.runEvaluations >= s.runBudget ? 'budget' : undefined)
      if (ended === undefined) return
      const next = restarts === 'none' ? undefined : nextRestart(s, restarts, lambda0, sigma0, maxRestarts, rng)
      if (next === undefined) {
        s.reason = ended === 'budget' ? 'maxRestarts' : ended
        return
      }
      s.run++
      s.lambda = next.lambda
      s.runSigma = next.sigma
      s.runBudget = next.budget
      if (codec.bounded) {
        for (let i = 0; i < n; i++) shown[i] = lower[i]! + rng.uniform() * (upper[i]! - lower[i]!)
        s.mean.set(transform.invert(shown))
      } else {
        const home = transform.invert(origin)
        for (let i = 0; i < n; i++) s.mean[i] = home[i]! + sigma0 * scale[i]! * rng.normal()
      }
      reset()
    },
  }

  // Results of an earlier run lie in another landscape, so to speak: they count as failed.
  const countUsable = (batch: Batch): number => {
    let usable = 0
    for (let k = 0; k < batch.count; k++) {
      if (batch.rows[k * (n + 2) + n + 1] !== s.run) {
        batch.violations[k] = Number.POSITIVE_INFINITY
        batch.values[k] = Number.POSITIVE_INFINITY
      }
      if (batch.violations[k] !== Number.POSITIVE_INFINITY) usable++
    }
    return usable
  }

  const update = (batch: Batch): void => {
    const { lambda, mu, weights, mueff, cc, cs, c1, cmu, damps, chiN, lazyGap } = parameters
    const { mean, c, pc, ps, sigma } = s
    const { rows, violations } = batch
    const width = n + 2
    rankBatch(batch, order)
    s.generation++
    s.runEvaluations += lambda
    differences(rows, width, order, mean, 1 / sigma, y)
    let usable = 0
    let usableWeight = 0
    while (usable < mu && violations[order[usable]!] !== Number.POSITIVE_INFINITY) usableWeight += weights[usable++]!
    weightedSum(y, weights, usable, step)
    for (let i = 0; i < n; i++) {
      step[i]! /= usableWeight
      mean[i]! += sigma * step[i]!
    }
    // p_σ follows B·D⁻¹·Bᵀ·step (eq. 43).
    covariance.whiten(step, z)
    const keep = Math.sqrt(cs * (2 - cs) * mueff)
    let length = 0
    for (let i = 0; i < n; i++) {
      ps[i] = (1 - cs) * ps[i]! + keep * z[i]!
      length += ps[i]! * ps[i]!
    }
    const normal = Math.sqrt(length)
    const stalled = length / n / (1 - (1 - cs) ** (2 * s.generation)) < 2 + 4 / (n + 1)
    const h = stalled ? 1 : 0
    const follow = h * Math.sqrt(cc * (2 - cc) * mueff)
    for (let i = 0; i < n; i++) pc[i] = (1 - cc) * pc[i]! + follow * step[i]!

    let weightSum = 0
    for (let k = 0; k < lambda; k++) {
      signed[k] = 0
      if (violations[order[k]!] === Number.POSITIVE_INFINITY) continue
      const w = weights[k]!
      weightSum += w
      // A long bad step must not cost more than a step of the expected length (eq. 46).
      signed[k] = cmu * (w < 0 ? (w * n) / (rows[order[k]! * width + n]! + 1e-300) : w)
    }
    const decay = 1 - c1 * (1 - (1 - h) * cc * (2 - cc)) - cmu * weightSum
    covariance.update(decay, c1, pc, y, signed, active ? lambda : mu)
    s.sigma = sigma * Math.exp(Math.min(1, (cs / damps) * (normal / chiN - 1)))
    for (let i = 0; i < n; i++) {
      if (grain[i] === 0) continue
      // Whole numbers keep a step that can still reach the next one.
      const at = covariance.diagonal(i)
      const least = (grain[i]! / (2 * lambda + 1) / s.sigma) ** 2
      if (c[at]! < least) c[at] = least
    }
    if (s.generation - s.decomposed >= lazyGap) {
      s.decomposed = s.generation
      covariance.decompose()
    }
  }

  return engine
}

/** y_k ← (x_k − m)/σ, best first. */
function differences(
  rows: Float64Array,
  width: number,
  order: Int32Array,
  mean: Float64Array,
  scale: number,
  y: Float64Array,
): void {
  const n = mean.length
  for (let k = 0, to = 0; k < order.length; k++, to += n) {
    const row = order[k]! * width
    for (let i = 0; i < n; i++) y[to + i] = (rows[row + i]! - mean[i]!) * scale
  }
}

/** out ← Σ w_k·y_k over the first `count` rows. */
function weightedSum(y: Float64Array, w: Float64Array, count: number, out: Float64Array): void {
  const n = out.length
  out.fill(0)
  for (let k = 0, at = 0; k < count; k++, at += n) for (let i = 0; i < n; i++) out[i]! += w[k]! * y[at + i]!
}

/** What {@link nextRestart} and the stop criteria need to know of a run. */
export type CmaRun = {
  lambda: number
  runEvaluations: number
  largeRuns: number
  largeSpent: number
  smallSpent: number
  small: boolean
  generation: number
  sigma: number
  readonly mean: Float64Array
  readonly c: Float64Array
  readonly d: Float64Array
  readonly bd: Float64Array
  readonly pc: Float64Array
  readonly runSigma: number
}
