import { check, type Dimension, describe, type Rng } from '@regimen/core'
import { lbfgs } from '@regimen/core/math'
import type { TrialRecord } from '../entries.ts'
import { halton } from '../qmc/halton.ts'
import { JOE_KUO_DIMENSIONS } from '../qmc/joe-kuo.ts'
import { sobol } from '../qmc/sobol.ts'
import type { Sampler, SamplerContext, SamplerSession } from '../sampler.ts'
import { fromUnit, levelsOf, type Params, type ParamValue, toUnit } from '../space.ts'
import { type Acquisition, expectedImprovement } from './acquisition.ts'
import { condition, fitGaussianProcess, type GaussianProcess, predictGaussianProcess } from './gaussian-process.ts'
import { createRegion, type TrustRegion } from './trust-region.ts'
import { straighten } from './warp.ts'

/** Options of {@link gp}. */
export interface GpOptions {
  /** Evenly spread trials before the model is asked. @default 10 */
  startup?: number
  /**
   * Averages the improvement over draws of the objective at the evaluated points, for evaluations with noise. `'auto'` does so
   * where the fitted noise is more than a hundredth of the variance.
   * @default 'auto'
   */
  noisy?: boolean | 'auto'
  /** Draws of the noisy improvement. @default 16 */
  samples?: number
  /**
   * Searches in a box around the best point that grows with success and shrinks with failure; `'auto'` from 20 parameters up.
   * @default 'auto'
   */
  trustRegion?: boolean | 'auto'
  /** Trials up to which the kernel is fitted anew for each; beyond, every fourth, and half as often with each doubling. @default 50 */
  refit?: number
}

/**
 * Models the objective by a Gaussian process and tries where its expected improvement is largest. Takes reals, whole numbers and
 * categories together; parallel trials are believed to come out as predicted (kriging believer), so that they spread. Choose it for up to
 * a few hundred expensive evaluations of up to about 20 parameters; it needs fewer than `tpe()`, and O(n³) time for each.
 * Absent conditional parameters count as the middle of their range. Several objectives are joined with random weights for each
 * trial; infeasible and pruned trials count as bad as the worst complete one.
 *
 * ```ts
 * import { gp, openStudy } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize', sampler: gp({ startup: 5 }), seed: 1 })
 * await study.optimize((trial) => (trial.float('x', -5, 5) - 1) ** 2 + (trial.float('y', -5, 5) + 2) ** 2, { trials: 20 })
 * study.best!.value < 0.01 // => true
 * ```
 *
 * Reference: D. Jones et al., "Efficient global optimization of expensive black-box functions", 1998; S. Ament et al., 2023, for
 * log-EI; B. Letham et al., 2019, for noise; D. Eriksson et al., "TuRBO", NeurIPS 2019; J. Knowles, "ParEGO", 2006.
 */
export function gp(options: GpOptions = {}): Sampler {
  const { startup = 10, noisy = 'auto', samples = 16, trustRegion = 'auto', refit = 50 } = options
  for (const [name, value, least] of [
    ['startup', startup, 2],
    ['samples', samples, 2],
    ['refit', refit, 0],
  ] as const)
    check(
      Number.isInteger(value) && value >= least,
      'bayes/gp',
      () => `${name} must be a whole number from ${least}, got ${describe(value)}.`,
    )
  return {
    name: 'gp',
    open: (context) => new GpSession(context, { startup, noisy, samples, trustRegion, refit }),
  }
}

/** One column of the model. */
interface Coordinate {
  readonly name: string
  readonly dimension: Dimension
  readonly levels: number
}

class GpSession implements SamplerSession {
  readonly #context: SamplerContext
  readonly #options: Required<GpOptions>
  readonly #done: TrialRecord[] = []
  #fitted: { key: string; model: GaussianProcess } | undefined

  constructor(context: SamplerContext, options: Required<GpOptions>) {
    this.#context = context
    this.#options = options
  }

  finished(trial: TrialRecord): void {
    if (trial.state !== 'failed') this.#done.push(trial)
  }

  suggest(trial: TrialRecord, name: string, dimension: Dimension): ParamValue {
    return fromUnit(dimension, this.#context.rng(trial.number, name).uniform())
  }

  joint(trial: TrialRecord): Params {
    const space: Coordinate[] = [...this.#context.space].map(([name, dimension]) => ({
      name,
      dimension,
      levels: levelsOf(dimension),
    }))
    if (space.length === 0) return {}
    const complete = this.#done.filter(({ state }) => state === 'complete').length
    if (complete < this.#options.startup) return toParams(space, this.#spread(trial.number, space.length))
    const rng = this.#context.rng(trial.number, 'gp')
    const data = this.#data(space, rng)
    const region = this.#region(space, data)
    const model = this.#believe(this.#model(space, data, region?.from ?? 0), space, trial)
    const { noisy, samples } = this.#options
    const draws = (noisy === 'auto' ? model.noise > 0.01 : noisy) ? samples : 1
    const acquisition = expectedImprovement(model, rng, draws)
    return toParams(space, maximize(acquisition, space, model, rng, region, draws > 1))
  }

  #spread(number: number, d: number): Float64Array {
    const seed = this.#context.rng(0, 'shift').int(0, 2 ** 31)
    // Categories are coordinates in [0, 1] here, like everything else.
    return d <= JOE_KUO_DIMENSIONS ? sobol(1, d, { skip: number, seed }) : halton(1, d, { skip: number, seed })
  }

  /** All usable trials as rows and losses. */
  #data(space: readonly Coordinate[], rng: Rng): { x: number[][]; y: number[] } {
    const { directions } = this.#context
    const losses = this.#done.map((trial) =>
      trial.state === 'complete' && trial.violations.every((v) => v <= 0)
        ? trial.values!.map((v, k) => (directions[k] === 'minimize' ? v : -v))
        : undefined,
    )
    const known = losses.filter((row) => row !== undefined)
    const weights = directions.length === 1 ? [1] : Array.from(rng.dirichlet(directions.map(() => 1)))
    const low = directions.map((_, k) => Math.min(...known.map((row) => row[k]!)))
    const high = directions.map((_, k) => Math.max(...known.map((row) => row[k]!)))
    const scalar = (row: readonly number[]): number => {
      if (row.length === 1) return row[0]!
      const parts = row.map((v, k) => (weights[k]! * (v - low[k]!)) / (high[k]! - low[k]! || 1))
      return Math.max(...parts) + 0.05 * parts.reduce((sum, part) => sum + part, 0)
    }
    const values = losses.map((row) => (row ? scalar(row) : undefined))
    const worst = Math.max(...values.filter((v) => v !== undefined), Number.NEGATIVE_INFINITY)
    return {
      x: this.#done.map((trial) => space.map((one) => coordinate(one, trial.params))),
      y: values.map((v) => v ?? (Number.isFinite(worst) ? worst : 0)),
    }
  }

  #region(space: readonly Coordinate[], data: { x: number[][]; y: number[] }): TrustRegion | undefined {
    const { trustRegion } = this.#options
    const wanted = trustRegion === 'auto' ? space.length >= 20 : trustRegion
    return wanted ? createRegion(data.x, data.y, this.#options.startup) : undefined
  }

  /** The kernel is fitted to a prefix of the data that depends on their number only, so a resumed study fits the same. */
  #model(space: readonly Coordinate[], data: { x: number[][]; y: number[] }, from: number): GaussianProcess {
    const n = data.y.length
    const several = this.#context.directions.length > 1
    const { refit } = this.#options
    const fitTo = n <= refit ? n : n - (n % (4 * 2 ** Math.floor(Math.log2(n / Math.max(refit, 1)))))
    const categorical = space.flatMap(({ dimension }, j) => (dimension.type === 'categorical' ? [j] : []))
    const key = `${from}:${fitTo}:${space.length}`
    let fitted = this.#fitted?.key === key && !several ? this.#fitted.model : undefined
    if (!fitted) {
      fitted = fitGaussianProcess(data.x.slice(from, fitTo), straighten(data.y.slice(from, fitTo)), {
        categorical,
        // So many data leave one maximum worth finding.
        restarts: fitTo >= 100 ? 1 : 2,
      })
      this.#fitted = { key, model: fitted }
    }
    const y = data.y.slice(from)
    return withData(fitted, data.x.slice(from), straighten(y))
  }

  /** Adds running trials with their predicted values. */
  #believe(model: GaussianProcess, space: readonly Coordinate[], self: TrialRecord): GaussianProcess {
    const rows: number[][] = []
    for (const { number, params } of this.#context.running) {
      if (number !== self.number && Object.keys(params).length > 0)
        rows.push(space.map((one) => coordinate(one, params)))
    }
    if (rows.length === 0) return model
    const old = Array.from({ length: model.n }, (_, i) => Array.from(model.x.subarray(i * model.d, (i + 1) * model.d)))
    const y = Array.from(model.y, (v) => model.mean + model.deviation * v)
    return withData(model, [...old, ...rows], [...y, ...rows.map((row) => predictGaussianProcess(model, row).mean)])
  }
}

/** The same kernel and scaling on other data. */
function withData(model: GaussianProcess, x: readonly (readonly number[])[], y: readonly number[]): GaussianProcess {
  return condition({
    ...model,
    n: y.length,
    x: Float64Array.from(x.flat()),
    y: Float64Array.from(y, (v) => (v - model.mean) / model.deviation),
  })
}

function coordinate({ name, dimension, levels }: Coordinate, params: Params): number {
  const value = params[name]
  if (value === undefined) return dimension.type === 'categorical' ? (Math.floor(levels / 2) + 0.5) / levels : 0.5
  return toUnit(dimension, value)
}

function toParams(space: readonly Coordinate[], point: Float64Array): Params {
  return Object.fromEntries(space.map(({ name, dimension }, j) => [name, fromUnit(dimension, point[j]!)]))
}

/** Puts grid coordinates on their grid. */
function snap(space: readonly Coordinate[], point: Float64Array): void {
  for (const [j, { dimension, levels }] of space.entries())
    if (Number.isFinite(levels)) point[j] = toUnit(dimension, fromUnit(dimension, point[j]!))
}

/** The point of largest acquisition: many draws, the best of them climbed, grids then tried value by value. */
function maximize(
  acquisition: Acquisition,
  space: readonly Coordinate[],
  model: GaussianProcess,
  rng: Rng,
  region: TrustRegion | undefined,
  repeats: boolean,
): Float64Array {
  const d = space.length
  // Without noise a second evaluation of a point teaches nothing, however good the model finds it.
  const known = new Set(Array.from({ length: model.n }, (_, i) => model.x.subarray(i * d, (i + 1) * d).join()))
  const box = region?.box(model.lengthscales)
  const lower = box?.lower ?? new Float64Array(d)
  const upper = box?.upper ?? new Float64Array(d).fill(1)
  const order = Array.from(model.y.keys()).sort((a, b) => model.y[a]! - model.y[b]!)
  const draws: { point: Float64Array; value: number }[] = []
  const consider = (point: Float64Array): void => {
    for (let j = 0; j < d; j++) point[j] = Math.min(Math.max(point[j]!, lower[j]!), upper[j]!)
    snap(space, point)
    if (repeats || !known.has(point.join())) draws.push({ point, value: acquisition.evaluate(point) })
  }
  for (let k = 0; k < 300; k++) {
    const point = new Float64Array(d)
    for (let j = 0; j < d; j++) point[j] = rng.uniform(lower[j], upper[j])
    consider(point)
  }
  // Starts everywhere, or the climb would never leave the basin of the best point.
  const everywhere = [...draws].sort((a, b) => b.value - a.value).slice(0, 4)
  for (let k = 0; k < 100; k++) {
    // Around the best points, a few coordinates at a time where there are many.
    const center = order[rng.int(0, Math.min(5, order.length))]!
    const share = Math.min(1, 10 / d)
    const width = 10 ** rng.uniform(-3, -0.7)
    const point = Float64Array.from(model.x.subarray(center * d, center * d + d))
    for (let j = 0; j < d; j++) {
      if (rng.uniform() > share) continue
      point[j] =
        Number.isFinite(space[j]!.levels) && rng.uniform() < 0.5 ? rng.uniform() : point[j]! + width * rng.normal()
    }
    consider(point)
  }
  draws.sort((a, b) => b.value - a.value)
  // All grid points taken: repeat the best.
  let best = draws[0] ?? { point: Float64Array.from(model.x.subarray(0, d)), value: Number.NEGATIVE_INFINITY }
  for (const { point } of new Set([...draws.slice(0, 3), ...everywhere])) {
    const low = Float64Array.from(lower)
    const high = Float64Array.from(upper)
    for (let j = 0; j < d; j++) if (Number.isFinite(space[j]!.levels)) low[j] = high[j] = point[j]!
    const climbed = lbfgs(
      (x, gradient) => {
        const value = -acquisition.evaluate(x, gradient)
        for (let j = 0; j < d; j++) gradient[j] = -gradient[j]!
        return value
      },
      point,
      { lower: low, upper: high, maxIterations: 50, gradientTolerance: 1e-4, valueTolerance: 1e-8 },
    )
    const refined = improveGrid(acquisition, space, climbed.x, -climbed.value, rng)
    if (refined.value > best.value && (repeats || !known.has(refined.point.join()))) best = refined
  }
  return best.point
}

/** Coordinate descent over the parameters with a finite number of values. */
function improveGrid(
  acquisition: Acquisition,
  space: readonly Coordinate[],
  start: Float64Array,
  startValue: number,
  rng: Rng,
): { point: Float64Array; value: number } {
  const point = Float64Array.from(start)
  let value = startValue
  for (const [j, { levels, dimension }] of space.entries()) {
    if (!Number.isFinite(levels)) continue
    const kept = point[j]!
    let bestHere = kept
    const tries = Math.min(levels, 24)
    for (let k = 0; k < tries; k++) {
      const u = levels <= 24 ? (k + 0.5) / levels : k < 12 ? kept + (k - 5.5) / levels : rng.uniform()
      point[j] = toUnit(dimension, fromUnit(dimension, Math.min(Math.max(u, 0), 1)))
      const here = acquisition.evaluate(point)
      if (here > value) {
        value = here
        bestHere = point[j]!
      }
    }
    point[j] = bestHere
  }
  return { point, value }
}
