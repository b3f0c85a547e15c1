import { type Checks, registerChecks, runChecks } from './checks.ts'
import { difference } from './compare.ts'
import { promise } from './contract-error.ts'

/** What {@link testCausal} needs: something that turns a series into one output a time step. */
export interface CausalSuite<Item> {
  /** The series, long enough for the algorithm to warm up. */
  series: readonly Item[]
  /**
   * Runs over the first part of the series from scratch; `outputs[t]` is what is known at time t. Outputs for times at
   * the end may be missing, never those at the start.
   */
  run(prefix: readonly Item[]): ArrayLike<unknown> | Promise<ArrayLike<unknown>>
  /**
   * How many prefixes are tried, spread over the series; all when there are fewer.
   * @default 24
   */
  prefixes?: number
  /**
   * Largest accepted difference of two numbers; above 0 only for results that a runtime computes in another order.
   * @default 0
   */
  tolerance?: number
}

/** The promise that appending future data never changes past outputs. */
export function causalChecks<Item>(suite: CausalSuite<Item>): Checks {
  const { series, run, prefixes = 24, tolerance = 0 } = suite
  return {
    'appending future data never changes past outputs': async () => {
      const n = series.length
      promise(n >= 2, 'the series is long enough to tell', () => `It has ${n} items.`)
      const full = Array.from(await run(series))
      const lengths = new Set<number>()
      for (let i = 1; i <= prefixes; i++)
        lengths.add(Math.min(n - 1, Math.max(1, Math.round((i * n) / (prefixes + 1)))))
      let compared = 0
      for (const length of lengths) {
        const part = Array.from(await run(series.slice(0, length)))
        promise(
          part.length <= length && part.length <= full.length,
          'there is one output a time step at most',
          () => `${length} items gave ${part.length} outputs, ${n} items ${full.length}.`,
        )
        for (let t = 0; t < part.length; t++, compared++) {
          if (tolerance > 0 && close(part[t], full[t], tolerance)) continue
          const wrong = difference(full[t], part[t])
          promise(
            wrong === undefined,
            'appending future data never changes past outputs',
            () => `Output ${t} of ${length} items changed when the other ${n - length} came: ${wrong}.`,
          )
        }
      }
      promise(compared > 0, 'there is something to compare', () => 'No prefix gave any output; use a longer series.')
    },
  }
}

/** Runs {@link causalChecks}; a look into the future rejects. */
export function checkCausal<Item>(suite: CausalSuite<Item>): Promise<void> {
  return runChecks(causalChecks(suite))
}

/** Registers {@link causalChecks} as vitest tests. */
export function testCausal<Item>(name: string, suite: CausalSuite<Item>): void {
  registerChecks(name, causalChecks(suite))
}

function close(a: unknown, b: unknown, tolerance: number): boolean {
  if (typeof a === 'number' && typeof b === 'number') return Object.is(a, b) || Math.abs(a - b) <= tolerance
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return Object.is(a, b)
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) =>
    close((a as { [key: string]: unknown })[key], (b as { [key: string]: unknown })[key], tolerance),
  )
}
