import {
  arrayLeaf,
  check,
  createLifetime,
  createSnapshot,
  isSnapshot,
  restore,
  type Schema,
  schema,
  type Tree,
} from '@regimen/core'
import { checkCount } from '../observations.ts'
import type { RegimeFactory } from '../regime-model.ts'
import { BarFilter, stageTransitions } from './bar-filter.ts'
import { type BarRegimeModel, parametersOf } from './bar-regimes.ts'
import { barSeries } from './bar-series.ts'

/** Configuration of {@link onlineBarRegimes}. */
export type OnlineBarRegimesConfig = {
  /** A fitted model. */
  readonly model: BarRegimeModel
}

/** The prices of a bar. */
export interface PriceBar {
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
}

const ID = 'regimes/online-bars'

/**
 * Runs a fitted model of bars over a live market, one bar at a time at (regimes · stages)² operations at most: the same numbers as
 * `barRegimeFilter` over the whole series. The parameters stay; refit on a longer past and open anew, `alignStates` keeps the names.
 *
 * Gotchas: the first bar knows no close before it, so feed it the last bars of the past to warm up. `logScore` is that of the
 * return alone, the range left out, so that it compares with other detectors'.
 *
 * ```ts
 * import { fitBarRegimes, onlineBarRegimes } from '@regimen/regimes'
 *
 * const close = Array.from({ length: 80 }, (_, t) => 100 * Math.exp((t % 40 < 20 ? 0.002 : 0.02) * Math.sin(t * t)))
 * const bars = close.map((c, t) => {
 *   const open = t > 0 ? close[t - 1]! : c
 *   return { open, high: Math.max(c, open) * 1.001, low: Math.min(c, open) / 1.001, close: c }
 * })
 * const column = (name: 'open' | 'high' | 'low' | 'close') => bars.map((bar) => bar[name])
 * const past = { open: column('open'), high: column('high'), low: column('low'), close: column('close') }
 * const live = onlineBarRegimes.open({ model: fitBarRegimes(past, { regimes: 2, restarts: 2 }) })
 * for (const bar of bars) live.update(bar)
 * live.filtered[0]! + live.filtered[1]! // ≈ 1
 * ```
 *
 * Reference: as `fitBarRegimes`.
 */
export const onlineBarRegimes: RegimeFactory<OnlineBarRegimesConfig, PriceBar> = {
  id: ID,
  version: 1,
  open(from) {
    const saved = isSnapshot(from)
      ? restore(from, { id: ID, version: 1, config: schema.any(), state: stateSchema })
      : undefined
    const { model } = (saved?.config ?? from) as OnlineBarRegimesConfig
    check(model?.kind === 'bar-regimes', ID, () => 'model must be what fitBarRegimes returned.')
    const { regimes: k, stages, gapShare } = model
    const n = k * stages
    const state = saved?.state as SavedState | undefined
    const p = parametersOf(model)
    const filter = new BarFilter(p)
    const belief = (state ? state.belief.data : filter.belief).slice()
    const grown = (state ? state.grown.data : filter.grown).slice()
    let { seen, last, before } = state ?? { seen: 0, last: 0, before: 0 }
    let logScore = state?.logScore ?? Number.NaN
    const life = createLifetime(ID)
    const regimesOf = (stagewise: Float64Array): Float64Array => {
      const out = new Float64Array(k)
      for (let i = 0; i < n; i++) out[Math.floor(i / stages)]! += stagewise[i]!
      return out
    }
    /** Leaves the filter at the bar and returns the bar's return. */
    const fold = ({ open, high, low, close }: PriceBar): number => {
      const none: number[] = []
      // The close before stands in as a bar of its own.
      const start = seen === 0 ? none : [last]
      const x = barSeries(
        { open: [...start, open], high: [...start, high], low: [...start, low], close: [...start, close] },
        gapShare,
      )
      filter.belief.set(belief)
      filter.grown.set(grown)
      if (seen > 0) filter.advance()
      else filter.factor.fill(1)
      filter.weigh(x, x.rows - 1, seen > 0 ? before : Number.NaN)
      return x.returns[x.rows - 1]!
    }
    return {
      regimes: k,
      get filtered() {
        return regimesOf(belief)
      },
      get logScore() {
        return logScore
      },
      predictNext(h = 1) {
        checkCount(h, 'h', ID)
        const transition = stageTransitions(p)
        let now = belief.slice()
        for (let step = seen === 0 ? 1 : 0; step < h; step++) {
          const next = new Float64Array(n)
          for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) next[j]! += now[i]! * transition[i * n + j]!
          now = next
        }
        return regimesOf(now)
      },
      predict(bar) {
        life.check()
        fold(bar)
        return regimesOf(filter.belief)
      },
      update(bar) {
        life.check()
        before = fold(bar)
        belief.set(filter.belief)
        grown.set(filter.grown)
        logScore = filter.logReturn
        last = bar.close
        seen++
      },
      snapshot() {
        life.check()
        return createSnapshot({
          id: ID,
          version: 1,
          config: { model },
          state: {
            belief: arrayLeaf('float64', [n], belief),
            grown: arrayLeaf('float64', [k], grown),
            seen,
            last,
            before,
            logScore: Number.isNaN(logScore) ? null : logScore,
          },
        })
      },
      dispose() {
        life.end()
      },
    }
  },
}

interface SavedState {
  belief: { data: Float64Array }
  grown: { data: Float64Array }
  seen: number
  last: number
  before: number
  logScore: number | null
}

function stateSchema(config: Tree): Schema {
  const { regimes: k, stages } = (config as OnlineBarRegimesConfig).model
  return schema.object({
    belief: schema.leaf('float64', [k * stages]),
    grown: schema.leaf('float64', [k]),
    seen: schema.integer({ min: 0 }),
    last: schema.number(),
    before: schema.number(),
    logScore: schema.nullable(schema.number({ finite: false })),
  })
}
