import {
  arrayLeaf,
  check,
  createLifetime,
  createSnapshot,
  describe,
  isSnapshot,
  type LiveFactory,
  restore,
  type Segment,
  schema,
  toSegments,
} from '@regimen/core'
import { median } from '@regimen/core/math'

/** The prices of a bar that rules look at. */
export interface RuleBar {
  readonly high: number
  readonly low: number
  readonly close: number
}

/** Configuration of {@link ruleDetector}. */
export type RuleConfig = {
  /** Bars of the moving average, from 2. @default 20 */
  readonly average?: number
  /** Slope of the average from which there is a trend, in percent a bar, above 0. @default 0.02 */
  readonly slope?: number
  /**
   * Measures the slope against the range instead of in percent, for markets of any volatility: a trend begins at 5 × `slope`
   * average true ranges a bar, a tenth of one by default. @default false
   */
  readonly scaled?: boolean
  /** Bars of the average true range, from 2. @default 14 */
  readonly range?: number
  /** Times its running median from which the range counts as high, above 0. @default 1.5 */
  readonly ratio?: number
  /** Bars of the running median, from 2. @default 250 */
  readonly memory?: number
}

/** The six regimes in their order. */
export type RuleRegime = 'bull-low' | 'bull-high' | 'sideways-low' | 'sideways-high' | 'bear-low' | 'bear-high'

const NAMES: readonly RuleRegime[] = ['bull-low', 'bull-high', 'sideways-low', 'sideways-high', 'bear-low', 'bear-high']
const ID = 'regimes/rules'

/**
 * Tells one of six regimes by rule, bar by bar: the slope of the moving average makes bull, bear or sideways, the average true
 * range (Wilder's) against its running median low or high volatility. `predict(bar)` answers for the bar as if it came next,
 * undefined until the averages are warm (the first `max(average + 1, range)` bars). Nothing is fitted and nothing looks ahead: the
 * baseline that a model must beat.
 *
 * ```ts
 * import { ruleDetector } from '@regimen/regimes'
 *
 * const live = ruleDetector.open({ average: 3, range: 2 })
 * for (const close of [100, 101, 102, 103]) live.update({ high: close + 1, low: close - 1, close })
 * live.predict({ high: 105, low: 103, close: 104 }) // => 'bull-low'
 * ```
 *
 * Reference: Wilder, New Concepts in Technical Trading Systems, 1978, for the average true range.
 */
export const ruleDetector: LiveFactory<RuleConfig, RuleBar, undefined, RuleRegime | undefined> = {
  id: ID,
  version: 1,
  open(from) {
    const saved = isSnapshot(from)
      ? restore(from, { id: ID, version: 1, config: schema.any(), state: stateSchema })
      : undefined
    const config = (saved?.config ?? from) as RuleConfig
    const { average, slope, scaled, range, ratio, memory } = settle(config)
    const state = saved?.state
    // Ring buffers: the last average + 1 closes, the last `memory` ranges.
    const closes = state ? state.closes.data.slice() : new Float64Array(average + 1)
    const ranges = state ? state.ranges.data.slice() : new Float64Array(memory)
    let { seen, atr, last } = state ?? { seen: 0, atr: 0, last: 0 }
    const life = createLifetime(ID)
    const rangeWith = (bar: RuleBar): number => {
      const wide = bar.high - bar.low
      const tr = seen === 0 ? wide : Math.max(wide, Math.abs(bar.high - last), Math.abs(bar.low - last))
      return seen < range ? atr + (tr - atr) / (seen + 1) : atr + (tr - atr) / range
    }
    return {
      predict(bar) {
        life.check()
        admit(bar)
        if (seen + 1 < Math.max(average + 1, range)) return undefined
        let before = 0
        // closes[(seen − i) mod] is i bars before the new one.
        for (let i = 1; i <= average; i++) before += closes[(seen - i) % (average + 1)]!
        const oldest = closes[(seen - average) % (average + 1)]!
        const level = before / average
        const change = (bar.close - oldest) / average / level
        const now = rangeWith(bar)
        const unit = scaled ? (5 * now) / bar.close : 0.01
        const steps = unit > 0 ? change / unit : 0
        const trend = steps > slope ? 0 : steps < -slope ? 2 : 1
        const known = Math.min(seen, memory)
        const usual = known > 0 ? median(ranges.subarray(0, known)) : now
        return NAMES[2 * trend + (now > ratio * usual ? 1 : 0)]!
      },
      update(bar) {
        life.check()
        admit(bar)
        atr = rangeWith(bar)
        ranges[seen % memory] = atr
        closes[seen % (average + 1)] = bar.close
        last = bar.close
        seen++
      },
      snapshot() {
        life.check()
        return createSnapshot({
          id: ID,
          version: 1,
          config: { ...config },
          state: {
            closes: arrayLeaf('float64', [closes.length], closes),
            ranges: arrayLeaf('float64', [ranges.length], ranges),
            seen,
            atr,
            last,
          },
        })
      },
      dispose() {
        life.end()
      },
    }
  },
}

/**
 * Cuts bars into the stretches of one regime each that {@link ruleDetector} tells; meta-learning draws its tasks from them. Bars
 * before the averages are warm count to the first regime told. Each label is known at its bar's close.
 *
 * ```ts
 * import { segmentByRegime } from '@regimen/regimes'
 *
 * const close = Array.from({ length: 60 }, (_, t) => (t < 30 ? 100 + t : 160 - t))
 * const bars = { high: close.map((c) => c + 1), low: close.map((c) => c - 1), close }
 * segmentByRegime(bars, { average: 4, range: 3 }).map((segment) => segment.label)
 * // => ['bull-low', 'sideways-low', 'bear-low']
 * ```
 */
export function segmentByRegime(
  bars: { readonly high: ArrayLike<number>; readonly low: ArrayLike<number>; readonly close: ArrayLike<number> },
  config: RuleConfig = {},
): Segment<RuleRegime>[] {
  const live = ruleDetector.open(config)
  const labels: (RuleRegime | undefined)[] = []
  for (let t = 0; t < bars.close.length; t++) {
    const bar = { high: bars.high[t]!, low: bars.low[t]!, close: bars.close[t]! }
    labels.push(live.predict(bar))
    live.update(bar)
  }
  const first = labels.find((label) => label !== undefined)
  check(
    first !== undefined,
    ID,
    () => `${labels.length} bars are too few to warm up.`,
    'Pass more bars or shorter averages.',
  )
  return toSegments(labels.map((label) => label ?? first))
}

function settle(config: RuleConfig): Required<RuleConfig> {
  const { average = 20, slope = 0.02, scaled = false, range = 14, ratio = 1.5, memory = 250 } = config
  for (const [name, value] of Object.entries({ average, range, memory }))
    check(
      Number.isInteger(value) && value >= 2 && value <= 1e6,
      ID,
      () => `${name} must be an integer from 2, got ${describe(value)}.`,
    )
  check(slope > 0 && ratio > 0, ID, () => `slope and ratio must be above 0, got ${slope} and ${ratio}.`)
  return { average, slope, scaled, range, ratio, memory }
}

function stateSchema(config: unknown) {
  const { average, memory } = settle(config as RuleConfig)
  return schema.object({
    closes: schema.leaf('float64', [average + 1]),
    ranges: schema.leaf('float64', [memory]),
    seen: schema.integer({ min: 0 }),
    atr: schema.number(),
    last: schema.number(),
  })
}

function admit(bar: RuleBar): void {
  const { high, low, close } = bar
  if (!(close > 0 && high >= low && high < 1e150 && low > 0))
    check(false, ID, () => `a bar needs finite prices above 0, got high ${high}, low ${low}, close ${close}.`)
}
