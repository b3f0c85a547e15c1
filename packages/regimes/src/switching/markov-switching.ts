import {
  arrayLeaf,
  check,
  createRng,
  type LongTaskOptions,
  RegimenError,
  type Rng,
  throwIfAborted,
} from '@regimen/core'
import {
  cholesky,
  choleskyInverse,
  type Dense,
  lbfgs,
  leastSquares,
  numericalGradient,
  numericalHessian,
} from '@regimen/core/math'
import { checkCount, type Float64Leaf, type Observations, toObservations } from '../observations.ts'
import { layoutOf, readParameters, type SwitchingLayout, writeParameters } from './layout.ts'
import { SwitchingFilter } from './switching-filter.ts'

/** Options of {@link fitMarkovSwitching}. */
export interface MarkovSwitchingOptions extends LongTaskOptions {
  /** Number of regimes, from 2 to 8. */
  regimes: number
  /** Explanatory columns beside the constant, one row an observation. @default none */
  exogenous?: Observations
  /** Whether there is a constant, switching with the regime. @default true */
  constant?: boolean
  /** Whether the coefficients of `exogenous` switch. @default true */
  switchingCoefficients?: boolean
  /** Whether the variance switches. @default false */
  switchingVariance?: boolean
  /**
   * Lags of the deviation from the regime's mean, Hamilton's φ(L)(y_t − μ_s_t) = ε_t, from 0. The filter then follows
   * regimes^(order + 1) joint states; the first `order` rows condition the rest.
   * @default 0
   */
  order?: number
  /** Whether the autoregressive coefficients switch. @default false */
  switchingAutoregression?: boolean
  /** Columns that drive the transition probabilities (a constant is added), one row an observation. @default none */
  transitionDrivers?: Observations
  /** Starts, from 1; the highest likelihood wins. @default 12 */
  restarts?: number
  /** Parameters to start from, in the order of `names`. @default none */
  start?: ArrayLike<number>
  /** @default 0 */
  seed?: number | string
}

/** A fitted Markov switching model as plain data. */
export type MarkovSwitchingModel = {
  readonly kind: 'markov-switching'
  readonly layout: SwitchingLayout
  /** Names of the parameters: `p[0->0]`, `const[0]`, `x0[1]`, `variance`, `ar1`, … */
  readonly names: readonly string[]
  readonly parameters: Float64Leaf
  readonly logLikelihood: number
  readonly rows: number
  readonly bic: number
  readonly aic: number
}

/** Where this family reports from. */
export const SWITCHING = 'regimes/markov-switching'

/**
 * Fits a Markov switching regression or autoregression: y_t = x_t β_s_t + u_t with φ(L) u_t = σ_s_t ε_t, where the regime s_t
 * is a Markov chain, its transition probabilities constant or a logistic function of drivers. The exact likelihood of the Hamilton
 * filter over the joint states (s_t, …, s_t−p) is maximized by L-BFGS from many starts. For plain emissions without regressors
 * `fitHmm` is faster; this is for regressions, Hamilton's mean-switching autoregression and driven transitions, and it forecasts
 * out of sample with `switchingForecast`.
 *
 * Gotchas: cost rows · regimes^(order + 2) a filter run; the surface has many maxima, so keep `restarts` high with three regimes.
 * Regimes are ordered by their constant (or variance).
 *
 * ```ts
 * import { fitMarkovSwitching } from '@regimen/regimes'
 *
 * const y = Array.from({ length: 120 }, (_, t) => Math.sin(t * t) + (t % 40 < 20 ? 0 : 5))
 * const model = fitMarkovSwitching(y, { regimes: 2, restarts: 2 })
 * model.names // => ['p[0->0]', 'p[1->0]', 'const[0]', 'const[1]', 'variance']
 * model.parameters.data[3]! - model.parameters.data[2]! > 4 // => true
 * ```
 *
 * Reference: Hamilton, Econometrica 57 (1989); Kim and Nelson, State-Space Models with Regime Switching, 1999, chapter 4;
 * Filardo, J. Bus. Econ. Stat. 12 (1994), for driven transitions.
 */
export function fitMarkovSwitching(series: ArrayLike<number>, options: MarkovSwitchingOptions): MarkovSwitchingModel {
  const { restarts = 12, seed = 0, start, signal, onProgress } = options
  checkCount(options.regimes, 'regimes', SWITCHING, 2, 8)
  checkCount(options.order ?? 0, 'order', SWITCHING, 0, 8)
  checkCount(restarts, 'restarts', SWITCHING)
  const data = switchingData(series, options)
  const layout = layoutOf(options, data.x.cols, data.z?.cols ?? 0)
  const n = layout.names.length
  check(data.y.length > layout.order + n / 2, SWITCHING, () => `${n} parameters need more than ${data.y.length} rows.`)
  const filter = new SwitchingFilter(layout, data)
  const loss = (free: Float64Array): number => -filter.logLikelihood(readParameters(layout, free))
  const rng = createRng(seed)
  const starts = Array.from({ length: start ? 1 : restarts }, (_, r) =>
    start ? writeParameters(layout, Float64Array.from(start)) : draw(layout, data, rng.split(r), r),
  )
  let best: { x: Float64Array; value: number } | undefined
  const climbFrom = (free: Float64Array, maxIterations: number) =>
    lbfgs(
      (x, gradient) => {
        numericalGradient(loss, x, gradient)
        return loss(x)
      },
      free,
      { maxIterations, gradientTolerance: 1e-5 },
    )
  const short: { x: Float64Array; value: number }[] = []
  starts.forEach((free, r) => {
    throwIfAborted(signal)
    if (Number.isFinite(loss(free))) short.push(climbFrom(free, 40))
    onProgress?.({ done: r + 1, total: starts.length })
  })
  short.sort((a, b) => a.value - b.value)
  // Starts that ended in the same place need finishing once.
  const apart = short.filter(({ value }, i) => i === 0 || value - short[i - 1]!.value > 1e-4)
  for (const { x } of apart.slice(0, 3)) {
    throwIfAborted(signal)
    const end = climbFrom(climbFrom(x, 300).x, 100)
    if (best === undefined || end.value < best.value) best = end
  }
  if (best === undefined) {
    throw new RegimenError('no start had a finite likelihood.', {
      code: 'NO_CONVERGENCE',
      where: SWITCHING,
      hint: 'Standardize the series or pass start.',
    })
  }
  const parameters = start ? readParameters(layout, best.x) : orderRegimes(layout, readParameters(layout, best.x))
  const logLikelihood = filter.logLikelihood(parameters)
  const rows = data.y.length - layout.order
  return {
    kind: 'markov-switching',
    layout,
    names: layout.names,
    parameters: arrayLeaf('float64', [n], parameters),
    logLikelihood,
    rows,
    bic: -2 * logLikelihood + n * Math.log(rows),
    aic: -2 * logLikelihood + 2 * n,
  }
}

/** What the model says about each row, rows × regimes; the first `order` rows are NaN. */
export interface SwitchingBeliefs {
  /** P(regime at t | rows up to t). */
  readonly filtered: Float64Array
  /** P(regime at t | rows before t). */
  readonly predicted: Float64Array
  /** P(regime at t | all rows): it looks ahead. */
  readonly smoothed: Float64Array
  /** E(y_t | rows before t). */
  readonly oneStep: Float64Array
  readonly logLikelihood: number
}

/**
 * Filters a series under a fitted model, and smooths it in hindsight (Kim's algorithm over the joint states, exact).
 *
 * ```ts
 * import { fitMarkovSwitching, switchingFilter } from '@regimen/regimes'
 *
 * const y = Array.from({ length: 120 }, (_, t) => Math.sin(t * t) + (t % 40 < 20 ? 0 : 5))
 * const { filtered } = switchingFilter(fitMarkovSwitching(y, { regimes: 2, restarts: 2 }), y)
 * filtered[1]! < 0.1 // => true
 * ```
 *
 * Reference: Kim, J. Econometrics 60 (1994).
 */
export function switchingFilter(
  model: MarkovSwitchingModel,
  series: ArrayLike<number>,
  inputs: Pick<MarkovSwitchingOptions, 'exogenous' | 'transitionDrivers'> = {},
): SwitchingBeliefs {
  const data = switchingData(series, { ...inputs, constant: model.layout.constant })
  return new SwitchingFilter(model.layout, data).beliefs(model.parameters.data)
}

/** The next rows of a series, as the model sees them. */
export interface SwitchingForecast {
  /** P(regime) at each of the next rows, h × regimes. */
  readonly probabilities: Float64Array
  /** E(y) at each of the next rows. */
  readonly mean: Float64Array
  /** Variance of y at each of the next rows, the regimes' uncertainty and the noise carried on by the lags included. */
  readonly variance: Float64Array
}

/**
 * Forecasts beyond the sample: the chain is run forward from the last filtered joint state, and each joint state carries the first
 * two moments of its last deviations, which mix linearly, so that mean and variance are exact for any order.
 *
 * ```ts
 * import { fitMarkovSwitching, switchingForecast } from '@regimen/regimes'
 *
 * const y = Array.from({ length: 120 }, (_, t) => Math.sin(t * t) + (t % 40 < 20 ? 0 : 5))
 * const { mean } = switchingForecast(fitMarkovSwitching(y, { regimes: 2, restarts: 2 }), y, 3)
 * mean.length // => 3
 * ```
 */
export function switchingForecast(
  model: MarkovSwitchingModel,
  series: ArrayLike<number>,
  h: number,
  inputs: Pick<MarkovSwitchingOptions, 'exogenous' | 'transitionDrivers'> & {
    /** Explanatory rows of the next h observations. @default none */
    nextExogenous?: Observations
    /** Drivers of the next h transitions. @default none */
    nextDrivers?: Observations
  } = {},
): SwitchingForecast {
  checkCount(h, 'h', SWITCHING)
  const { layout } = model
  const data = switchingData(series, { ...inputs, constant: layout.constant })
  const next = switchingData(new Float64Array(h), {
    constant: layout.constant,
    ...(inputs.nextExogenous ? { exogenous: inputs.nextExogenous } : {}),
    ...(inputs.nextDrivers ? { transitionDrivers: inputs.nextDrivers } : {}),
  })
  check(next.x.cols === data.x.cols, SWITCHING, () => 'the next rows need as many regressors.', 'Pass nextExogenous.')
  check(next.z?.cols === data.z?.cols, SWITCHING, () => 'the next rows need their drivers.', 'Pass nextDrivers.')
  return new SwitchingFilter(layout, data).forecast(model.parameters.data, next)
}

/**
 * Computes standard errors from the inverse of the observed information at the estimates, in the order of `names`. NaN where the
 * likelihood is flat.
 *
 * ```ts
 * import { fitMarkovSwitching, switchingStandardErrors } from '@regimen/regimes'
 *
 * const y = Array.from({ length: 120 }, (_, t) => Math.sin(t * t) + (t % 40 < 20 ? 0 : 5))
 * const errors = switchingStandardErrors(fitMarkovSwitching(y, { regimes: 2, restarts: 2 }), y)
 * errors.length // => 5
 * ```
 */
export function switchingStandardErrors(
  model: MarkovSwitchingModel,
  series: ArrayLike<number>,
  inputs: Pick<MarkovSwitchingOptions, 'exogenous' | 'transitionDrivers'> = {},
): Float64Array {
  const data = switchingData(series, { ...inputs, constant: model.layout.constant })
  const filter = new SwitchingFilter(model.layout, data)
  const hessian = numericalHessian((p) => -filter.logLikelihood(p), model.parameters.data)
  const n = model.names.length
  if (!hessian.data.every(Number.isFinite)) return new Float64Array(n).fill(Number.NaN)
  const inverse = choleskyInverse(cholesky(hessian))
  return Float64Array.from({ length: n }, (_, i) => Math.sqrt(inverse.data[i * n + i]!))
}

/** The series with its regressors (constant first) and drivers (constant first). */
export interface SwitchingData {
  readonly y: Float64Array
  readonly x: Dense
  readonly z: Dense | undefined
}

function switchingData(
  series: ArrayLike<number>,
  options: Pick<MarkovSwitchingOptions, 'exogenous' | 'transitionDrivers' | 'constant'>,
): SwitchingData {
  const { data: y, cols } = toObservations(series, SWITCHING)
  check(cols === 1, SWITCHING, () => `the series must be one column, got ${cols}.`)
  const widen = (from: Observations | undefined, constant: boolean): Dense => {
    const own = from === undefined ? undefined : toObservations(from, SWITCHING)
    check(
      own === undefined || own.rows === y.length,
      SWITCHING,
      () => `${y.length} rows need as many rows of inputs, got ${own?.rows}.`,
    )
    const first = constant ? 1 : 0
    const d = first + (own?.cols ?? 0)
    const out = new Float64Array(y.length * d)
    for (let t = 0; t < y.length; t++) {
      if (constant) out[t * d] = 1
      for (let j = first; j < d; j++) out[t * d + j] = own!.data[t * own!.cols + j - first]!
    }
    return { rows: y.length, cols: d, data: out }
  }
  const { exogenous, transitionDrivers, constant = true } = options
  return { y, x: widen(exogenous, constant), z: transitionDrivers ? widen(transitionDrivers, true) : undefined }
}

/** A random start: least squares on random stretches, regimes ever stickier. */
function draw(layout: SwitchingLayout, data: SwitchingData, rng: Rng, r: number): Float64Array {
  const { regimes: k, at } = layout
  const p = new Float64Array(layout.names.length)
  const { y, x } = data
  const n = y.length
  const fit = (rows: number[]): { beta: Float64Array; variance: number } => {
    const beta =
      x.cols === 0
        ? new Float64Array(0)
        : leastSquares(
            {
              rows: rows.length,
              cols: x.cols,
              data: Float64Array.from(rows.flatMap((t) => [...x.data.subarray(t * x.cols, (t + 1) * x.cols)])),
            },
            rows.map((t) => y[t]!),
          )
    let square = 0
    for (const t of rows) {
      let e = y[t]!
      for (let j = 0; j < x.cols; j++) e -= x.data[t * x.cols + j]! * beta[j]!
      square += e * e
    }
    return { beta, variance: square / rows.length }
  }
  const all = Array.from({ length: n }, (_, t) => t)
  const whole = fit(all)
  const residual = all.map((t) => {
    let e = y[t]!
    for (let j = 0; j < x.cols; j++) e -= x.data[t * x.cols + j]! * whole.beta[j]!
    return e
  })
  const sorted = (key: (t: number) => number): number[] => [...all].sort((a, b) => key(a) - key(b))
  const way = r % 3
  const ranked = way === 0 ? sorted((t) => residual[t]!) : way === 1 ? sorted((t) => Math.abs(residual[t]!)) : undefined
  const least = Math.max(x.cols + 2, Math.floor(n / (3 * k)))
  for (let s = 0; s < k; s++) {
    let rows: number[]
    if (ranked) rows = ranked.slice(Math.floor((s * n) / k), Math.floor(((s + 1) * n) / k))
    else {
      const from = rng.int(0, Math.max(1, n - least))
      rows = all.slice(from, from + least)
    }
    const { beta, variance } = fit(rows)
    const jitter = r < 3 ? 0 : 0.3
    for (let j = 0; j < x.cols; j++) {
      const shared = Number.isNaN(at.beta[j * k + s]!) || layout.switching[j] === 0
      const value = shared ? whole.beta[j]! : beta[j]!
      p[at.beta[j * k + s]!] = value + jitter * rng.normal() * (shared ? 0 : Math.sqrt(whole.variance) * 0.3)
    }
    p[at.variance[s]!] = layout.switchingVariance
      ? Math.max(variance, 1e-3 * whole.variance)
      : whole.variance * (r % 2 === 0 ? 0.5 : 0.2)
    for (let i = 0; i < layout.order; i++) p[at.ar[i * k + s]!] = rng.uniform(-0.2, 0.2)
  }
  const stay = [0.9, 0.7, 0.95, 0.8][r % 4]!
  for (let i = 0; i < k; i++)
    for (let j = 0; j < k - 1; j++) {
      if (layout.drivers === 0) p[at.transition[i * (k - 1) + j]!] = i === j ? stay : (1 - stay) / (k - 1)
      else p[at.transition[(i * (k - 1) + j) * layout.drivers]!] = i === j ? 2 : i === k - 1 ? -2 : 0
    }
  return writeParameters(layout, p)
}

/** Relabels regimes by their first switching number, or their variance where none switches. */
function orderRegimes(layout: SwitchingLayout, p: Float64Array): Float64Array {
  const { regimes: k, at, switching } = layout
  const key = switching.indexOf(1)
  const rank = (s: number): number => (key >= 0 ? p[at.beta[key * k + s]!]! : p[at.variance[s]!]!)
  const order = Array.from({ length: k }, (_, s) => s).sort((a, b) => rank(a) - rank(b))
  const out = p.slice()
  order.forEach((from, to) => {
    for (let j = 0; j < switching.length; j++) out[at.beta[j * k + to]!] = p[at.beta[j * k + from]!]!
    out[at.variance[to]!] = p[at.variance[from]!]!
    for (let i = 0; i < layout.order; i++) out[at.ar[i * k + to]!] = p[at.ar[i * k + from]!]!
  })
  const width = Math.max(1, layout.drivers)
  for (let m = 0; m < width; m++)
    for (let i = 0; i < k; i++) {
      const read = (from: number, j: number): number => {
        if (j < k - 1) return p[at.transition[(from * (k - 1) + j) * width + m]!]!
        if (layout.drivers > 0) return 0
        let rest = 1
        for (let o = 0; o < k - 1; o++) rest -= p[at.transition[from * (k - 1) + o]!]!
        return rest
      }
      // With drivers the last target is the reference, so logits shift when it changes.
      const reference = layout.drivers > 0 ? read(order[i]!, order[k - 1]!) : 0
      for (let j = 0; j < k - 1; j++)
        out[at.transition[(i * (k - 1) + j) * width + m]!] = read(order[i]!, order[j]!) - reference
    }
  return out
}
