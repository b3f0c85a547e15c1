import { check, describe, type Rng, toSegments } from '@regimen/core'
import { type MarketParameters, type SimulatedMarket, simulate, trueFilter } from '@regimen/market'
import { standardize } from './chart-patterns.ts'
import { classSets } from './class-sets.ts'
import type { TaskFamily } from './sampler.ts'
import { checkCount } from './synthetic.ts'
import type { TaskSet } from './task.ts'

/** How far the parameters of a drawn market lie from those of its preset. */
export interface MarketSpread {
  /** Deviation of the logarithm of each regime's volatility, ≥ 0. @default 0.15 */
  volatility?: number
  /** Deviation of the logarithm of the factor on all drifts, ≥ 0. @default 0.2 */
  drift?: number
}

/**
 * Draws a market near another one: every regime's volatility and the drifts are multiplied by random factors. Use separate
 * streams for training and test, and the test's parameters have never been seen.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { preset } from '@regimen/market'
 * import { varyMarket } from '@regimen/meta'
 *
 * const market = preset('equity-daily')
 * const varied = varyMarket(market, createRng(1))
 * varied.regimes[0]!.volatility === market.regimes[0]!.volatility // => false
 * varied.regimes[0]!.duration === market.regimes[0]!.duration // => true
 * ```
 */
export function varyMarket(market: MarketParameters, rng: Rng, spread: MarketSpread = {}): MarketParameters {
  const { volatility = 0.15, drift = 0.2 } = spread
  for (const [name, value] of Object.entries({ volatility, drift })) {
    check(
      value >= 0 && value < Number.POSITIVE_INFINITY,
      'meta/vary-market',
      () => `${name} must be finite and ≥ 0, got ${describe(value)}.`,
    )
  }
  const drifts = Math.exp(rng.normal(0, drift))
  return {
    ...market,
    regimes: market.regimes.map((regime) => ({
      ...regime,
      drift: regime.drift * drifts,
      volatility: regime.volatility * Math.exp(rng.normal(0, volatility)),
    })),
  }
}

/** Options of {@link regimeWindows}. */
export interface RegimeWindowOptions extends MarketSpread {
  /** The market whose surroundings tasks are drawn from. */
  market: MarketParameters
  /** Support windows of each regime, ≥ 1. */
  shots: number
  /** Query windows of each regime, ≥ 1. @default shots */
  queries?: number
  /** Bars of a window, ≥ 4. @default 20 */
  window?: number
}

/** A drawn market and its path. */
export interface SimulatedTask {
  readonly parameters: MarketParameters
  readonly seed: string
}

/**
 * Makes a family of few-shot regime tasks: a task is a market with parameters of its own, its classes are all regimes, a sample
 * is a window of bars that ends inside a regime it does not leave. Inputs are window log returns over the support's own
 * deviation, [window], and the standardized close path, [window]; labels are int32. Query windows are later than all support
 * windows.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { preset } from '@regimen/market'
 * import { regimeWindows } from '@regimen/meta'
 *
 * const family = regimeWindows({ market: preset('separable'), shots: 2, window: 10 })
 * const { support, query } = family.task(family.draw(createRng(1)), createRng(2))
 * support.x.shape // => [6, 20]
 * Math.min(...query.time!) > Math.max(...support.time!) // => true
 * ```
 */
export function regimeWindows(options: RegimeWindowOptions): TaskFamily<SimulatedTask> {
  const where = 'meta/regime-windows'
  const { market, shots, queries = shots, window = 20 } = options
  checkCount(where, 'shots', shots)
  checkCount(where, 'queries', queries)
  check(Number.isInteger(window) && window >= 4, where, () => `window must be an integer ≥ 4, got ${describe(window)}.`)
  return {
    draw: (rng) => drawMarket(market, rng, options),
    task(spec, rng) {
      const { source, ends, cut } = simulateEnough(spec, where, shots, queries, window)
      const ways = source.parameters.regimes.length
      const chosen = ends.map((list) => ({
        support: pickSorted(
          list.filter((end) => end < cut),
          shots,
          rng,
        ),
        query: pickSorted(
          list.filter((end) => end - window + 1 >= cut),
          queries,
          rng,
        ),
      }))
      const scale = deviation(source.returns, 1, cut)
      const sets = classSets({ ways, shots, queries, width: 2 * window }, (label, out, sample, part) => {
        const end = chosen[label]![part][sample]!
        const path = out.subarray(window)
        let level = 0
        for (let i = 0; i < window; i++) {
          const r = source.returns[end - window + 1 + i]!
          level += r
          out[i] = r / scale
          path[i] = level
        }
        standardize(path)
      })
      const times = (part: 'support' | 'query'): Float64Array =>
        Float64Array.from(
          chosen.flatMap((one) => one[part].map((end) => source.bars.time[end]! + source.bars.interval)),
        )
      return {
        support: { ...sets.support, time: times('support') },
        query: { ...sets.query, time: times('query') },
        label: source.parameters.name,
      }
    },
  }
}

/** Options of {@link regimeReturns}. */
export interface RegimeReturnOptions extends MarketSpread {
  /** The market whose surroundings tasks are drawn from. */
  market: MarketParameters
  /** Support bars, ≥ 1. @default 32 */
  shots?: number
  /** Query bars, ≥ 1. @default 32 */
  queries?: number
  /** Past returns that are the input, ≥ 2. @default 8 */
  lags?: number
}

/**
 * Makes a family of forecasting tasks: a stretch of one regime in a market with parameters of its own. Inputs are the last
 * `lags` log returns and the logarithm of their root mean square, all in units of the deviation that the *preset* has on
 * average; the target is the next return in the same units. The support comes first, the query directly after.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { preset } from '@regimen/market'
 * import { regimeReturns } from '@regimen/meta'
 *
 * const family = regimeReturns({ market: preset('separable'), shots: 16, queries: 8 })
 * const { support, label } = family.task(family.draw(createRng(1)), createRng(2))
 * support.x.shape // => [16, 9]
 * ```
 */
export function regimeReturns(options: RegimeReturnOptions): TaskFamily<SimulatedTask> {
  const where = 'meta/regime-returns'
  const { market, shots = 32, queries = 32, lags = 8 } = options
  for (const [name, value] of Object.entries({ shots, queries, lags })) checkCount(where, name, value)
  const average = market.regimes.reduce((sum, regime) => sum + regime.volatility / market.regimes.length, 0)
  const unit = average / Math.sqrt(market.barsPerYear)
  return {
    draw: (rng) => drawMarket(market, rng, options),
    task(spec, rng) {
      const need = lags + shots + queries
      for (let bars = 1024; bars <= LONGEST; bars *= 2) {
        const source = simulate(spec.parameters, { bars, seed: spec.seed })
        const long = toSegments(source.regimes).filter(({ start, end }) => end - start >= need && start > 0)
        if (long.length === 0) continue
        const { start, end, label } = long[rng.int(0, long.length)]!
        const first = rng.int(start + lags, end - shots - queries + 1)
        return {
          support: forecastSet(source, first, shots, lags, unit),
          query: forecastSet(source, first + shots, queries, lags, unit),
          label: source.parameters.regimes[label]!.name,
        }
      }
      return check(
        false,
        where,
        () => `no regime of ${spec.parameters.name} lasts for ${need} bars within ${LONGEST}.`,
        'Ask for fewer samples, or take a market with longer regimes.',
      ) as never
    },
  }
}

/**
 * Answers the queries of a {@link regimeWindows} task with the simulator's own filter, which knows the true parameters: the
 * share of right regimes at the windows' ends is the ceiling for anything that learns.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { preset } from '@regimen/market'
 * import { regimeCeiling, regimeWindows } from '@regimen/meta'
 *
 * const family = regimeWindows({ market: preset('separable'), shots: 3 })
 * const spec = family.draw(createRng(1))
 * regimeCeiling(spec, family.task(spec, createRng(2)).query) > 0.8 // => true
 * ```
 */
export function regimeCeiling(spec: SimulatedTask, query: TaskSet): number {
  check(query.time !== undefined, 'meta/regime-ceiling', () => 'the query carries no times.')
  const last = Math.max(...query.time)
  let bars = 1024
  let source = simulate(spec.parameters, { bars, seed: spec.seed })
  while (source.bars.time.at(-1)! + source.bars.interval < last && bars < LONGEST) {
    bars *= 2
    source = simulate(spec.parameters, { bars, seed: spec.seed })
  }
  const { probabilities } = trueFilter(source.bars, { parameters: spec.parameters })
  const k = spec.parameters.regimes.length
  const rowOf = new Map(Array.from(source.bars.time, (time, i) => [time + source.bars.interval, i]))
  let right = 0
  query.time.forEach((time, i) => {
    const row = rowOf.get(time)!
    const belief = probabilities.subarray(row * k, (row + 1) * k)
    if (belief.indexOf(Math.max(...belief)) === query.y.data[i]) right++
  })
  return right / query.time.length
}

const LONGEST = 131_072

function drawMarket(market: MarketParameters, rng: Rng, spread: MarketSpread): SimulatedTask {
  return { parameters: varyMarket(market, rng, spread), seed: String(rng.int(0, 2 ** 31)) }
}

/** Simulates until every regime has windows enough on both sides of the middle. */
function simulateEnough(
  spec: SimulatedTask,
  where: string,
  shots: number,
  queries: number,
  window: number,
): { source: SimulatedMarket; ends: number[][]; cut: number } {
  for (let bars = 1024; bars <= LONGEST; bars *= 2) {
    const source = simulate(spec.parameters, { bars, seed: spec.seed })
    const ends: number[][] = spec.parameters.regimes.map(() => [])
    for (const { start, end, label } of toSegments(source.regimes)) {
      for (let at = Math.max(start, 1) + window - 1; at < end; at += Math.ceil(window / 2)) ends[label]!.push(at)
    }
    const cut = bars / 2
    const enough = ends.every(
      (list) =>
        list.filter((at) => at < cut).length >= shots && list.filter((at) => at - window + 1 >= cut).length >= queries,
    )
    if (enough) return { source, ends, cut }
  }
  return check(
    false,
    where,
    () => `a regime of ${spec.parameters.name} has too few windows of ${window} bars within ${LONGEST} bars.`,
    'Ask for fewer windows or shorter ones.',
  ) as never
}

function pickSorted(from: readonly number[], count: number, rng: Rng): number[] {
  return Array.from(rng.sample(from.length, count), (i) => from[i]!).sort((a, b) => a - b)
}

function deviation(values: Float64Array, from: number, to: number): number {
  let square = 0
  for (let i = from; i < to; i++) square += values[i]! ** 2
  return Math.sqrt(square / (to - from))
}

function forecastSet(source: SimulatedMarket, first: number, n: number, lags: number, unit: number): TaskSet {
  const x = new Float32Array(n * (lags + 1))
  const y = new Float32Array(n)
  const time = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    let square = 0
    for (let lag = 0; lag < lags; lag++) {
      const r = source.returns[first + i - lags + lag]! / unit
      x[i * (lags + 1) + lag] = r
      square += (r * r) / lags
    }
    x[i * (lags + 1) + lags] = 0.5 * Math.log(square + 1e-12)
    y[i] = source.returns[first + i]! / unit
    time[i] = source.bars.time[first + i]! + source.bars.interval
  }
  return {
    x: { dtype: 'float32', shape: [n, lags + 1], data: x },
    y: { dtype: 'float32', shape: [n, 1], data: y },
    time,
  }
}
