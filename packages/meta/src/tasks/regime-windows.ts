import { check, describe, RegimenError, type Rng, toSegments } from '@regimen/core'
import { type MarketParameters, type SimulatedMarket, simulate, trueFilter } from '@regimen/market'
import { classSets } from './class-sets.ts'
import type { TaskFamily } from './sampler.ts'
import { drawMarket, LONGEST, type MarketSpread, pathCache, type SimulatedTask } from './simulated.ts'
import { checkCount } from './synthetic.ts'
import type { TaskSet } from './task.ts'

/** Options of {@link regimeWindows}. */
export interface RegimeWindowOptions extends MarketSpread {
  /** The market whose surroundings tasks are drawn from. */
  market: MarketParameters
  /** Support moments of each regime, ≥ 1. */
  shots: number
  /** Query moments of each regime, ≥ 1. @default shots */
  queries?: number
  /** Bars that a moment lies inside its regime at least, ≥ 4. @default 20 */
  window?: number
  /** Bars that returns and volatilities are measured over, each ≥ 1. @default [5, 10, 20, 40, 80] */
  horizons?: readonly number[]
  /** Bars that autocorrelations of returns are measured over, each ≥ 2. @default [40] */
  echoes?: readonly number[]
}

/**
 * Makes a family of few-shot regime tasks: a task is a market with parameters of its own, its classes are all regimes, a sample
 * is a moment that lies at least `window` bars inside a regime. Its inputs are what the bars up to then show at several scales,
 * 13 numbers: over the last h = 5, 10, 20, 40 and 80 bars the return, Σ r / (s √h), and the logarithm of the volatility by
 * Garman and Klass over s, where s is the deviation of the returns of the support's half; over 40 bars the autocorrelation of
 * returns; and how far the close is below the highest and above the lowest of the longest horizon's H bars, over s √H. Other
 * `horizons` give 2 numbers each, other `echoes` 1. Labels are int32. Query moments, and the `window` bars before them, are later
 * than all support moments.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { preset } from '@regimen/market'
 * import { regimeWindows } from '@regimen/meta'
 *
 * const family = regimeWindows({ market: preset('separable'), shots: 2, window: 10 })
 * const { support, query } = family.task(family.draw(createRng(1)), createRng(2))
 * support.x.shape // => [6, 13]
 * Math.min(...query.time!) > Math.max(...support.time!) // => true
 * ```
 *
 * Reference: Garman and Klass 1980.
 */
export function regimeWindows(options: RegimeWindowOptions): TaskFamily<SimulatedTask> {
  const where = 'meta/regime-windows'
  const { market, shots, queries = shots, window = 20, horizons = HORIZONS, echoes = ECHOES } = options
  checkCount(where, 'shots', shots)
  checkCount(where, 'queries', queries)
  check(Number.isInteger(window) && window >= 4, where, () => `window must be an integer ≥ 4, got ${describe(window)}.`)
  check(horizons.length > 0, where, () => 'horizons must not be empty.')
  for (const bars of horizons) checkCount(where, 'horizons', bars)
  for (const bars of echoes) {
    check(Number.isInteger(bars) && bars >= 2, where, () => `echoes must be integers ≥ 2, got ${describe(bars)}.`)
  }
  const scales = { horizons, echoes, long: Math.max(...horizons) }
  const past = Math.max(scales.long, ...echoes)
  const pathOf = pathCache(
    (source) => readPath(source, { shots, queries, window, past }),
    (parameters) => {
      throw new RegimenError(
        `a regime of ${parameters.name} has too few windows of ${window} bars within ${LONGEST} bars.`,
        { code: 'INVALID_ARGUMENT', where, hint: 'Ask for fewer windows or shorter ones.' },
      )
    },
  )
  return {
    draw: (rng) => drawMarket(market, rng, options),
    task(spec, rng) {
      const path = pathOf(spec)
      const { bars, parameters } = path.source
      const chosen = path.ends.map(({ support, query }) => ({
        support: pickSorted(support, shots, rng),
        query: pickSorted(query, queries, rng),
      }))
      const sizes = { ways: chosen.length, shots, queries, width: 2 * horizons.length + echoes.length + 2 }
      const sets = classSets(sizes, (label, out, sample, part) =>
        writeFeatures(path, chosen[label]![part][sample]!, scales, out),
      )
      const times = (part: 'support' | 'query'): Float64Array =>
        Float64Array.from(chosen.flatMap((one) => one[part].map((end) => bars.time[end]! + bars.interval)))
      return {
        support: { ...sets.support, time: times('support') },
        query: { ...sets.query, time: times('query') },
        label: parameters.name,
      }
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

const HORIZONS = [5, 10, 20, 40, 80] as const
const ECHOES = [40] as const

/** The bars that features look back, each list as in the options. */
interface Scales {
  readonly horizons: readonly number[]
  readonly echoes: readonly number[]
  readonly long: number
}

/** A simulated path with the sums that the features are differences of. */
interface Path {
  readonly source: SimulatedMarket
  /** Moments of each regime on either side of the middle. */
  readonly ends: readonly { readonly support: readonly number[]; readonly query: readonly number[] }[]
  /** Deviation of the returns before the middle. */
  readonly scale: number
  /** Sums before each bar: of returns, their squares, their products with the return before, Garman-Klass variances. */
  readonly sums: {
    readonly r: Float64Array
    readonly rr: Float64Array
    readonly rp: Float64Array
    readonly gk: Float64Array
  }
}

function readPath(
  source: SimulatedMarket,
  { shots, queries, window, past }: { shots: number; queries: number; window: number; past: number },
): Path | undefined {
  const { bars, returns } = source
  const n = returns.length
  const cut = n / 2
  const ends = source.parameters.regimes.map(() => ({ support: [] as number[], query: [] as number[] }))
  for (const { start, end, label } of toSegments(source.regimes)) {
    for (let at = start + window - 1; at < end; at += Math.ceil(window / 2)) {
      if (at <= past) continue
      if (at < cut) ends[label]!.support.push(at)
      else if (at - window + 1 >= cut) ends[label]!.query.push(at)
    }
  }
  if (ends.some(({ support, query }) => support.length < shots || query.length < queries)) return undefined
  const sum = (value: (i: number) => number): Float64Array => {
    const out = new Float64Array(n + 1)
    for (let i = 0; i < n; i++) out[i + 1] = out[i]! + value(i)
    return out
  }
  const sums = {
    r: sum((i) => returns[i]!),
    rr: sum((i) => returns[i]! ** 2),
    rp: sum((i) => (i > 0 ? returns[i]! * returns[i - 1]! : 0)),
    gk: sum((i) => {
      const high = Math.log(bars.high[i]! / bars.low[i]!)
      const day = Math.log(bars.close[i]! / bars.open[i]!)
      return 0.5 * high * high - (2 * Math.LN2 - 1) * day * day
    }),
  }
  return { source, ends, scale: Math.sqrt(sums.rr[cut]! / cut), sums }
}

function writeFeatures(
  { source, scale, sums }: Path,
  end: number,
  { horizons, echoes, long }: Scales,
  out: Float32Array,
): void {
  const over = (values: Float64Array, bars: number): number => values[end + 1]! - values[end + 1 - bars]!
  let k = 0
  for (const h of horizons) {
    out[k++] = over(sums.r, h) / (scale * Math.sqrt(h))
    out[k++] = 0.5 * Math.log(Math.max(over(sums.gk, h) / h, 1e-12) / scale ** 2)
  }
  for (const h of echoes) out[k++] = over(sums.rp, h) / Math.max(over(sums.rr, h), 1e-12)
  const { close } = source.bars
  let [low, high] = [close[end]!, close[end]!]
  for (let i = end - long + 1; i < end; i++) {
    low = Math.min(low, close[i]!)
    high = Math.max(high, close[i]!)
  }
  const unit = scale * Math.sqrt(long)
  out[k++] = Math.log(high / close[end]!) / unit
  out[k] = Math.log(close[end]! / low) / unit
}

function pickSorted(from: readonly number[], count: number, rng: Rng): number[] {
  return Array.from(rng.sample(from.length, count), (i) => from[i]!).sort((a, b) => a - b)
}
