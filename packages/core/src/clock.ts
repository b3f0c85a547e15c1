/** The only source of time. Pass a fake one in tests and simulations. */
export interface Clock {
  /** UTC epoch milliseconds. */
  now(): number
  /** Milliseconds that never go backwards, from an arbitrary origin. */
  monotonic(): number
}

/** Reads the machine's clocks. This is the one file in `packages/` that does. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}

/**
 * A clock that stands still until it is moved.
 *
 * ```ts
 * import { manualClock } from '@regimen/core'
 *
 * const clock = manualClock(1_000)
 * clock.advance(250)
 * clock.now() // => 1250
 * ```
 */
export function manualClock(start = 0): Clock & { advance(milliseconds: number): void } {
  let elapsed = 0
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    advance(milliseconds) {
      elapsed += milliseconds
    },
  }
}
