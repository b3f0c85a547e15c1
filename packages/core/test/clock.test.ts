import { manualClock, systemClock } from '@regimen/core'
import { expect, it } from 'vitest'

it('a manual clock moves when told', () => {
  const clock = manualClock(1_000)
  expect([clock.now(), clock.monotonic()]).toEqual([1_000, 0])
  clock.advance(250)
  expect([clock.now(), clock.monotonic()]).toEqual([1_250, 250])
})

it('the system clock tells this century, and its monotonic time never goes back', () => {
  expect(systemClock.now()).toBeGreaterThan(Date.UTC(2020, 0, 1))
  let last = systemClock.monotonic()
  for (let i = 0; i < 1_000; i++) {
    const now = systemClock.monotonic()
    expect(now).toBeGreaterThanOrEqual(last)
    last = now
  }
})
