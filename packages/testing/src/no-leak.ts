import { type Checks, registerChecks, runChecks } from './checks.ts'
import { promise } from './contract-error.ts'

/** What {@link testNoLeak} needs: work, and a count of what it might leave behind. */
export interface NoLeakSuite {
  /** Counts live resources, for example `() => tf.memory().numTensors`. */
  count(): number
  /** One round of work that should leave nothing behind. */
  run(): unknown
  /**
   * Rounds before the first count, for caches that fill once.
   * @default 1
   */
  warmup?: number
  /**
   * Counted rounds.
   * @default 3
   */
  rounds?: number
}

/** The promise that repeated work leaves nothing behind. */
export function noLeakChecks(suite: NoLeakSuite): Checks {
  const { count, run, warmup = 1, rounds = 3 } = suite
  return {
    'leaves nothing behind': async () => {
      for (let i = 0; i < warmup; i++) await run()
      const before = count()
      for (let i = 0; i < rounds; i++) await run()
      const after = count()
      promise(after <= before, 'work leaves nothing behind', () => `${after - before} more after ${rounds} rounds.`)
    },
  }
}

/** Runs {@link noLeakChecks}; a leak rejects. */
export function checkNoLeak(suite: NoLeakSuite): Promise<void> {
  return runChecks(noLeakChecks(suite))
}

/** Registers {@link noLeakChecks} as vitest tests. */
export function testNoLeak(name: string, suite: NoLeakSuite): void {
  registerChecks(name, noLeakChecks(suite))
}
