import { describe, it } from 'vitest'

/** Named contract checks; each throws a `ContractError` when its promise is broken. */
export interface Checks {
  readonly [promise: string]: () => Promise<void>
}

/** Runs every check, one after another; the first broken promise rejects. */
export async function runChecks(checks: Checks): Promise<void> {
  for (const check of Object.values(checks)) await check()
}

/** Registers every check as a vitest test. */
export function registerChecks(name: string, checks: Checks): void {
  describe(name, () => {
    for (const [promise, check] of Object.entries(checks)) it(promise, check)
  })
}
