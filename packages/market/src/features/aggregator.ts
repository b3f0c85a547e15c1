import type { Bar } from '../bars.ts'
import { bucketOrigin } from '../interval.ts'
import { bucketStart } from '../resample.ts'

/** The bar of a slower timeframe that is being built, as data. */
export interface SavedAggregator {
  readonly begun: boolean
  readonly whole: boolean
  readonly building: boolean
  readonly time: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
}

/** Builds the bars of a slower timeframe one base bar at a time, by the rules of `resample`. */
export interface Aggregator {
  /** Takes a base bar and hands over the slower bars that are known by its close. */
  push(bar: Bar, emit: (bar: Bar) => void): void
  save(): { [key in keyof SavedAggregator]: SavedAggregator[key] }
}

export function openAggregator(interval: number, step: number, saved: SavedAggregator | undefined): Aggregator {
  const origin = bucketOrigin(interval)
  const state = saved
    ? { ...saved }
    : { begun: false, whole: false, building: false, time: 0, open: 0, high: 0, low: 0, close: 0, volume: 0 }
  const finish = (emit: (bar: Bar) => void): void => {
    if (state.building && state.whole) emit(state)
    state.building = false
  }
  return {
    push(bar, emit) {
      const known = bar.time + step
      const start = bucketStart(known, interval, origin)
      if (!state.building || start !== state.time) {
        finish(emit)
        // The first bar of all may have come in the middle of its bucket.
        state.whole = state.begun || bar.time <= start
        state.begun = true
        state.building = true
        state.time = start
        state.open = bar.open
        state.high = bar.high
        state.low = bar.low
        state.volume = 0
      }
      if (bar.high > state.high) state.high = bar.high
      if (bar.low < state.low) state.low = bar.low
      state.close = bar.close
      state.volume += bar.volume ?? 0
      if (known === start + interval) finish(emit)
    },
    save: () => ({ ...state }),
  }
}
