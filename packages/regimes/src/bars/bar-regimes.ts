import { arrayLeaf, check, createRng, type LongTaskOptions, type Rng, throwIfAborted } from '@regimen/core'
import { quantiles } from '@regimen/core/math'
import { smoothChain, stationaryOf } from '../hmm/chain.ts'
import { checkCount, type Float64Leaf } from '../observations.ts'
import { BarBeliefs, type BarParameters, filterBars, type Shocks, stageTransitions } from './bar-filter.ts'
import { maximizeRegimes, maximizeShocks } from './bar-maximize.ts'
import { BARS, type BarColumns, type BarSeries, barSeries, gapShareOf } from './bar-series.ts'

/** Options of {@link fitBarRegimes}. */
export interface BarRegimeOptions extends LongTaskOptions {
  /** Number of regimes, from 1 to 16. */
  regimes: number
  /** Stages of a stay, from 1 (geometric stays, most likely one bar) to 8 (stays close to their mean). @default 2 */
  stages?: number
  /** Starts, from 1; all climb 20 iterations, the likeliest to the end. @default 6 */
  restarts?: number
  /** Iterations of the winner at most, from 1. @default 200 */
  maxIterations?: number
  /** Stops when the log-likelihood of a bar grows by less. From 0. @default 1e-6 */
  tolerance?: number
  /** @default 0 */
  seed?: number | string
}

/** Fitted regimes of bars as plain data. Rates are a bar's. */
export type BarRegimeModel = {
  readonly kind: 'bar-regimes'
  readonly regimes: number
  readonly stages: number
  /** Mean log return of each regime. */
  readonly drift: Float64Leaf
  /** Deviation of the log return where variance is at its mean. */
  readonly scale: Float64Leaf
  /** Weight of the return before. */
  readonly echo: Float64Leaf
  /** P(a stage ends at a bar). */
  readonly leave: Float64Leaf
  /** regimes × regimes with a zero diagonal: where a stay's end leads. */
  readonly moves: Float64Leaf
  /** Clustering (alpha, gamma, beta), tails (degrees) and jumps (in deviations), the same in all regimes. */
  readonly shocks: Readonly<Shocks>
  /** Share of a bar's variance between the close before and its open. */
  readonly gapShare: number
  readonly logLikelihood: number
  /** Log-likelihood at each iteration of the winner. */
  readonly history: readonly number[]
  readonly converged: boolean
  readonly rows: number
}

/**
 * Fits regimes to open, high, low and close: in each the return has its own drift, volatility and echo of the bar before; variance
 * clusters around the regime's level by a GJR-GARCH recursion, shocks are Student-t with rare jumps, the range is a Brownian bridge's, and
 * stays are made of `stages` geometric stages. A bar tells six times as much of its variance as its return alone, and what
 * clustering explains is not mistaken for a change of regime: choose it over `fitHmm` wherever bars come from a market; several
 * series of one kind of market teach more than one.
 *
 * Expectation–maximization over (regime, stage), with a quasi-Newton search for what all regimes share. The variance factor depends
 * on the whole path of regimes; each regime carries its expectation instead (Gray's collapse), so an iteration may in rare cases
 * lower the likelihood: the fit then stops at the best seen. Regimes are ordered by drift, the lowest first.
 *
 * Gotchas: drifts need many stays (an annual drift of 20 % at a volatility of 10 % shows after about a hundred bars); bars are taken as
 * continuous, so volatility that follows the hour must be divided out first.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { fitBarRegimes } from '@regimen/regimes'
 *
 * // Calm for a hundred bars, then wild, in turns; the close is a random walk and the range follows its deviation.
 * const rng = createRng(1)
 * const bars = { open: [100], high: [101], low: [99], close: [100] }
 * for (let t = 1; t < 600; t++) {
 *   const deviation = t % 200 < 100 ? 0.005 : 0.02
 *   const open = bars.close[t - 1]!
 *   const close = open * Math.exp(rng.normal(0, deviation))
 *   bars.open.push(open)
 *   bars.close.push(close)
 *   bars.high.push(Math.max(open, close) * Math.exp(deviation * rng.uniform()))
 *   bars.low.push(Math.min(open, close) * Math.exp(-deviation * rng.uniform()))
 * }
 * const { scale } = fitBarRegimes(bars, { regimes: 2, restarts: 2 })
 * Math.max(...scale.data) / Math.min(...scale.data) > 2 // => true
 * ```
 *
 * Reference: Gray, J. Financ. Econ. 42 (1996); Rogers and Satchell, Ann. Appl. Probab. 1 (1991); Glosten, Jagannathan and Runkle, J.
 * Finance 48 (1993).
 */
export function fitBarRegimes(bars: BarColumns | readonly BarColumns[], options: BarRegimeOptions): BarRegimeModel {
  const { regimes: k, stages = 2, restarts = 6, maxIterations = 200, tolerance = 1e-6, seed = 0 } = options
  const { signal, onProgress } = options
  checkCount(k, 'regimes', BARS, 1, 16)
  checkCount(stages, 'stages', BARS, 1, 8)
  checkCount(restarts, 'restarts', BARS)
  checkCount(maxIterations, 'maxIterations', BARS)
  check(tolerance >= 0, BARS, () => `tolerance must be at least 0, got ${tolerance}.`)
  const all = 'close' in bars ? [bars] : bars
  const gapShare = gapShareOf(all)
  const series = all.map((each) => barSeries(each, gapShare))
  const rows = series.reduce((sum, x) => sum + x.rows, 0)
  check(rows >= 20 * k, BARS, () => `${k} regimes need at least ${20 * k} bars, got ${rows}.`)
  const rng = createRng(seed)
  const room = new Room(rows, k, stages)
  let best: Run | undefined
  for (let r = 0; r < restarts; r++) {
    const run = seedRun(series, k, stages, r, rng.split(r))
    climb(run, series, room, restarts > 1 ? Math.min(20, maxIterations) : maxIterations, tolerance, signal)
    if (best === undefined || run.logLikelihood > best.logLikelihood) best = run
    onProgress?.({ done: r + 1, total: restarts })
  }
  const run = best!
  if (restarts > 1) climb(run, series, room, maxIterations - run.history.length, tolerance, signal)
  const { p } = run
  const order = Array.from({ length: k }, (_, s) => s).sort((a, b) => p.drift[a]! - p.drift[b]! || a - b)
  const own = (values: Float64Array) =>
    arrayLeaf(
      'float64',
      [k],
      order.map((s) => values[s]!),
    )
  return {
    kind: 'bar-regimes',
    regimes: k,
    stages,
    drift: own(p.drift),
    scale: own(p.scale),
    echo: own(p.echo),
    leave: own(p.leave),
    moves: arrayLeaf(
      'float64',
      [k, k],
      order.flatMap((i) => order.map((j) => p.moves[i * k + j]!)),
    ),
    shocks: p.shocks,
    gapShare,
    logLikelihood: run.logLikelihood,
    history: run.history,
    converged: run.converged,
    rows,
  }
}

/** What a model says at each bar, bars × regimes. */
export interface BarRegimeBeliefs {
  /** P(regime at t | bars up to t). */
  readonly filtered: Float64Array
  /** P(regime at t | bars before t). */
  readonly predicted: Float64Array
  /** ln p(return at t | bars before t). */
  readonly logReturn: Float64Array
  readonly logLikelihood: number
}

/**
 * Filters bars: P(regime at t | bars up to t), what was known at each close. Appending bars changes nothing before them.
 *
 * ```ts
 * import { barRegimeFilter, fitBarRegimes } from '@regimen/regimes'
 *
 * const close = Array.from({ length: 80 }, (_, t) => 100 * Math.exp((t % 40 < 20 ? 0.002 : 0.02) * Math.sin(t * t)))
 * const open = close.map((c, t) => (t > 0 ? close[t - 1]! : c))
 * const bars = { open, high: close.map((c, t) => Math.max(c, open[t]!) * 1.001), low: close.map((c, t) => Math.min(c, open[t]!) / 1.001), close }
 * const { filtered } = barRegimeFilter(fitBarRegimes(bars, { regimes: 2, restarts: 2 }), bars)
 * filtered[0]! + filtered[1]! // ≈ 1
 * ```
 *
 * Reference: as {@link fitBarRegimes}.
 */
export function barRegimeFilter(model: BarRegimeModel, bars: BarColumns): BarRegimeBeliefs {
  check(model?.kind === 'bar-regimes', BARS, () => 'model must be what fitBarRegimes returned.')
  const { regimes: k, stages } = model
  const x = barSeries(bars, model.gapShare)
  const beliefs = new BarBeliefs(x.rows, k, stages)
  const logLikelihood = filterBars(parametersOf(model), x, beliefs)
  const overStages = (p: Float64Array): Float64Array => {
    const out = new Float64Array(x.rows * k)
    for (let i = 0; i < p.length; i++) out[Math.floor(i / stages)]! += p[i]!
    return out
  }
  const { logReturn } = beliefs
  return { filtered: overStages(beliefs.filtered), predicted: overStages(beliefs.predicted), logReturn, logLikelihood }
}

/** A model's numbers at work. */
export function parametersOf(model: BarRegimeModel): BarParameters {
  const { regimes: k, stages, drift, scale, echo, leave, moves, shocks } = model
  return {
    k,
    stages,
    drift: drift.data,
    scale: scale.data,
    echo: echo.data,
    leave: leave.data,
    moves: moves.data,
    shocks,
  }
}

interface Run {
  p: BarParameters
  logLikelihood: number
  history: number[]
  converged: boolean
}

class Room {
  readonly beliefs: BarBeliefs
  readonly smoothed: Float64Array
  readonly pairs: Float64Array

  constructor(rows: number, k: number, stages: number) {
    this.beliefs = new BarBeliefs(rows, k, stages)
    this.smoothed = new Float64Array(rows * k * stages)
    this.pairs = new Float64Array((k * stages) ** 2)
  }
}

function climb(
  run: Run,
  series: readonly BarSeries[],
  room: Room,
  iterations: number,
  tolerance: number,
  signal: AbortSignal | undefined,
): void {
  const { beliefs, smoothed, pairs } = room
  const rows = smoothed.length / (run.p.k * run.p.stages)
  let kept = run.p
  for (let i = 0; i < iterations; i++) {
    throwIfAborted(signal)
    const p = clone(kept)
    const n = p.k * p.stages
    const transition = stageTransitions(p)
    const chain = { k: n, start: stationaryOf(transition, n), transition, stride: 0 }
    let base = 0
    pairs.fill(0)
    for (const x of series) {
      filterBars(p, x, beliefs, base)
      smoothChain(chain, base, base + x.rows, beliefs.predicted, beliefs.filtered, smoothed, pairs)
      base += x.rows
    }
    for (let at = 0; at < pairs.length; at++) pairs[at]! *= transition[at]!
    maximizeRegimes(p, series, beliefs, smoothed, pairs)
    // What all share is dear to search for and moves little.
    const shared = i % 10 === 9
    if (shared) maximizeShocks(p, series, 3)
    const value = series.reduce((sum, x) => sum + filterBars(p, x), 0)
    const gain = value - run.logLikelihood
    if (gain > 0) {
      run.logLikelihood = value
      run.p = kept = p
      run.history.push(value)
    }
    run.converged = gain < tolerance * rows
    if (gain <= 0 || (run.converged && shared)) return
  }
}

function clone(p: BarParameters): BarParameters {
  const { k, stages, drift, scale, echo, leave, moves, shocks } = p
  return {
    k,
    stages,
    drift: drift.slice(),
    scale: scale.slice(),
    echo: echo.slice(),
    leave: leave.slice(),
    moves: moves.slice(),
    shocks: { ...shocks },
  }
}

/**
 * Lays regimes on a grid of volatilities (quantiles of the local level) by trends, falling ones the wilder, jittered from the second
 * start on.
 */
function seedRun(series: readonly BarSeries[], k: number, stages: number, r: number, rng: Rng): Run {
  const levels: number[] = []
  for (const x of series) {
    let level = (x.returns[0]! ** 2 + x.spread[0]!) / (1 + x.freedom[0]!)
    for (let t = 0; t < x.rows; t++) {
      level += ((x.returns[t]! ** 2 + x.spread[t]!) / (1 + x.freedom[t]!) - level) / 15
      levels.push(level)
    }
  }
  const heights = Math.min(k, [2, 2, k, 2, 3][r % 5]!)
  const trends = Math.ceil(k / heights)
  const middles = quantiles(
    levels,
    Array.from({ length: heights }, (_, i) => (i + 0.6) / heights),
  )
  const jitter = (deviation: number): number => (r === 0 ? 1 : Math.exp(rng.normal(0, deviation)))
  const drift = new Float64Array(k)
  const scale = new Float64Array(k)
  for (let s = 0; s < k; s++) {
    // From 1, rising, to −1, falling.
    const trend = trends > 1 ? 1 - (2 * Math.floor(s / heights)) / (trends - 1) : rng.normal()
    const wilder = r % 2 === 1 ? 1 + 0.3 * Math.max(0, -trend) : 1
    scale[s] = Math.sqrt(Math.max(middles[s % heights]!, 1e-16)) * wilder * jitter(0.1)
    drift[s] = 0.1 * trend * scale[s]! * jitter(0.4)
  }
  const p: BarParameters = {
    k,
    stages,
    drift,
    scale,
    echo: new Float64Array(k),
    leave: new Float64Array(k).fill(stages / (stages + 60)),
    moves: Float64Array.from({ length: k * k }, (_, at) =>
      k === 1 ? 1 : Math.floor(at / k) === at % k ? 0 : 1 / (k - 1),
    ),
    shocks: { alpha: 0.04, gamma: 0.03, beta: 0.87, degrees: 8, jumpRate: 0.005, jumpMean: 0, jumpDeviation: 3 },
  }
  return { p, logLikelihood: Number.NEGATIVE_INFINITY, history: [], converged: false }
}
