import { check, type Dimension, describe, type Rng } from '@regimen/core'
import type { TrialRecord } from '../entries.ts'
import { lossesOf } from '../front.ts'
import { halton } from '../qmc/halton.ts'
import { JOE_KUO_DIMENSIONS } from '../qmc/joe-kuo.ts'
import { sobol } from '../qmc/sobol.ts'
import type { Sampler, SamplerContext, SamplerSession } from '../sampler.ts'
import { fromUnit, levelsOf, type Params, type ParamValue, toUnit } from '../space.ts'
import { type Acquisition, expectedImprovement } from './acquisition.ts'
import { logFeasibility, temper, together } from './feasibility.ts'
import { condition, fitGaussianProcess, type GaussianProcess, predictGaussianProcess } from './gaussian-process.ts'
import { type Coordinate, maximize } from './maximize.ts'
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
 * trial. Each constraint has a process of its own: the improvement is multiplied by the probability of feasibility, which is followed
 * alone while nothing is feasible. Pruned trials count as bad as the worst complete one.
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
 * log-EI; B. Letham et al., 2019, for noise; D. Eriksson et al., "TuRBO", NeurIPS 2019; J. Knowles, "ParEGO", 2006; J. Gardner et al.,
 * ICML 2014, for constraints.
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

/** All usable trials as the models see them. */
interface GpData {
  readonly x: readonly number[][]
  readonly y: readonly number[]
  readonly feasible: readonly boolean[]
  /** The losses with infeasible trials behind all others. */
  readonly merit: readonly number[]
  /** For each constraint, the points where it was evaluated and the violations. */
  readonly constraints: readonly { readonly x: number[][]; readonly y: number[] }[]
}

class GpSession implements SamplerSession {
  readonly #context: SamplerContext
  readonly #options: Required<GpOptions>
  readonly #done: TrialRecord[] = []
  readonly #fitted: Map<string, { key: string; model: GaussianProcess }> = new Map()

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
    const from = region?.from ?? 0
    const objective = this.#model('objective', space, data.x.slice(from), data.y.slice(from), straighten, from)
    const model = this.#believe(objective, space, trial)
    const { noisy, samples } = this.#options
    const draws = (noisy === 'auto' ? model.noise > 0.01 : noisy) ? samples : 1
    const eligible = (row: number): boolean => data.feasible[from + row] ?? true
    const acquisition = this.#constrained(space, data, () => expectedImprovement(model, rng, draws, eligible))
    const merit = data.merit.slice(from)
    return toParams(space, maximize(acquisition, space, model, merit, rng, { region, repeats: draws > 1 }))
  }

  /** Improvement times probability of feasibility; the latter alone while nothing is feasible. */
  #constrained(space: readonly Coordinate[], data: GpData, improvement: () => Acquisition): Acquisition {
    if (data.constraints.length === 0) return improvement()
    const models = data.constraints.map(({ x, y }, c) => this.#model(`constraint-${c}`, space, x, y, temper, 0))
    const feasibility = logFeasibility(models)
    return data.feasible.some((one) => one) ? together(improvement(), feasibility) : feasibility
  }

  #spread(number: number, d: number): Float64Array {
    const seed = this.#context.rng(0, 'shift').int(0, 2 ** 31)
    // Categories are coordinates in [0, 1] here, like everything else.
    return d <= JOE_KUO_DIMENSIONS ? sobol(1, d, { skip: number, seed }) : halton(1, d, { skip: number, seed })
  }

  #data(space: readonly Coordinate[], rng: Rng): GpData {
    const { directions } = this.#context
    const done = this.#done
    const losses = done.map(({ values }) => values && lossesOf(values, directions))
    const known = losses.filter((row) => row !== undefined)
    const weights = directions.length === 1 ? [1] : Array.from(rng.dirichlet(directions.map(() => 1)))
    const low = directions.map((_, k) => Math.min(...known.map((row) => row[k]!)))
    const high = directions.map((_, k) => Math.max(...known.map((row) => row[k]!)))
    const scalar = (row: readonly number[]): number => {
      if (row.length === 1) return row[0]!
      const parts = row.map((v, k) => (weights[k]! * (v - low[k]!)) / (high[k]! - low[k]! || 1))
      return Math.max(...parts) + 0.05 * parts.reduce((sum, part) => sum + part, 0)
    }
    const values = losses.map((row) => row && scalar(row))
    const worst = Math.max(...values.filter((v) => v !== undefined))
    const x = done.map((trial) => space.map((one) => coordinate(one, trial.params)))
    const y = values.map((v) => v ?? worst)
    const excess = done.map(({ violations }) => violations.reduce((sum, v) => sum + Math.max(v, 0), 0))
    const count = Math.max(...done.map(({ violations }) => violations.length))
    return {
      x,
      y,
      feasible: done.map(({ state }, i) => state === 'complete' && excess[i] === 0),
      merit: y.map((v, i) => (excess[i]! > 0 ? worst + excess[i]! : v)),
      constraints: Array.from({ length: count }, (_, c) => {
        const rows = done.flatMap(({ violations }, i) => (violations[c] === undefined ? [] : [i]))
        return { x: rows.map((i) => x[i]!), y: rows.map((i) => done[i]!.violations[c]!) }
      }),
    }
  }

  #region(space: readonly Coordinate[], { x, merit }: GpData): TrustRegion | undefined {
    const { trustRegion } = this.#options
    const wanted = trustRegion === 'auto' ? space.length >= 20 : trustRegion
    return wanted ? createRegion(x, merit, this.#options.startup) : undefined
  }

  /** The kernel is fitted to a prefix of the data that depends on their number only, so a resumed study fits the same. */
  #model(
    label: string,
    space: readonly Coordinate[],
    x: readonly number[][],
    y: readonly number[],
    shape: (y: readonly number[]) => number[],
    from: number,
  ): GaussianProcess {
    const n = from + y.length
    const { refit } = this.#options
    const fitTo = n <= refit ? n : n - (n % (4 * 2 ** Math.floor(Math.log2(n / Math.max(refit, 1)))))
    const categorical = space.flatMap(({ dimension }, j) => (dimension.type === 'categorical' ? [j] : []))
    const key = `${from}:${fitTo}:${space.length}`
    const before = this.#fitted.get(label)
    // Several objectives are weighed anew for each trial.
    const several = label === 'objective' && this.#context.directions.length > 1
    let model = before?.key === key && !several ? before.model : undefined
    if (!model) {
      model = fitGaussianProcess(x.slice(0, fitTo - from), shape(y.slice(0, fitTo - from)), {
        categorical,
        // So many data leave one maximum worth finding.
        restarts: fitTo >= 100 ? 1 : 2,
      })
      this.#fitted.set(label, { key, model })
    }
    return withData(model, x, shape(y))
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
