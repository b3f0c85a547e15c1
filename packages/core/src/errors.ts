/** What a {@link RegimenError} is made of, beside its message. */
export interface RegimenErrorOptions {
  /** Stable, machine-readable name of the problem, in upper snake case: `INVALID_ARGUMENT`, `CORRUPT_SNAPSHOT`, … */
  code: string
  /** Package and algorithm that refused, for example `regimes/hmm`. */
  where: string
  /** The way out, as a full sentence: what to pass or do instead. */
  hint?: string
  /** The error underneath, when there is one. */
  cause?: unknown
}

/**
 * Says what was wrong, where, the offending value and the way out. It is the only error that Regimen throws on purpose.
 *
 * ```ts
 * import { RegimenError } from '@regimen/core'
 *
 * const error = new RegimenError('states must be an integer from 1 to 64, got 2.5.', {
 *   code: 'INVALID_ARGUMENT',
 *   where: 'regimes/hmm',
 *   hint: 'Pass { states: 3 }.',
 * })
 * error.message // => '[regimes/hmm] states must be an integer from 1 to 64, got 2.5. Pass { states: 3 }.'
 * ```
 */
export class RegimenError extends Error {
  readonly code: string
  readonly where: string
  readonly hint: string | undefined

  constructor(problem: string, options: RegimenErrorOptions) {
    const { code, where, hint, cause } = options
    super(`[${where}] ${problem}${hint ? ` ${hint}` : ''}`, cause === undefined ? undefined : { cause })
    this.name = 'RegimenError'
    this.code = code
    this.where = where
    this.hint = hint
  }
}

/**
 * Throws an `INVALID_ARGUMENT` error unless `condition` holds. The problem is a function so that a passing check costs
 * nothing.
 *
 * ```ts
 * import { check, describe } from '@regimen/core'
 *
 * const states = 3
 * check(Number.isInteger(states), 'regimes/hmm', () => `states must be an integer, got ${describe(states)}.`)
 * ```
 */
export function check(condition: boolean, where: string, problem: () => string, hint?: string): asserts condition {
  if (!condition) throw new RegimenError(problem(), { code: 'INVALID_ARGUMENT', where, ...(hint ? { hint } : {}) })
}

/**
 * Renders any value briefly for an error message: strings quoted, arrays and objects by kind and size.
 *
 * ```ts
 * import { describe } from '@regimen/core'
 *
 * describe('abc') // => '"abc"'
 * describe(new Float64Array(3)) // => 'Float64Array(3)'
 * ```
 */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  if (value === null || typeof value !== 'object') return Object.is(value, -0) ? '-0' : String(value)
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor.name}(${(value as unknown as { length?: number }).length ?? value.byteLength})`
  }
  if (Array.isArray(value))
    return value.length <= 6 ? `[${value.map(describe).join(', ')}]` : `an array of ${value.length}`
  const keys = Object.keys(value)
  return keys.length === 0 ? '{}' : `{ ${keys.slice(0, 6).join(', ')}${keys.length > 6 ? ', …' : ''} }`
}
