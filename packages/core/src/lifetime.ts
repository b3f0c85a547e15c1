import { RegimenError } from './errors.ts'

/** Knows whether a live object has been disposed. */
export interface Lifetime {
  /** Throws once {@link end} was called. */
  check(): void
  /** Ends it; true the first time only, so that resources are freed once. */
  end(): boolean
}

/**
 * Keeps track of a live object's life, so that using it after `dispose` is a clear error instead of a wrong answer. Call
 * `check()` first in `update`, `predict` and `snapshot`, and `end()` in `dispose`.
 *
 * ```ts
 * import { createLifetime } from '@regimen/core'
 *
 * const life = createLifetime('regimes/hmm')
 * life.check()
 * life.end() // => true
 * life.end() // => false
 * let message = ''
 * try {
 *   life.check()
 * } catch (error) {
 *   message = (error as Error).message
 * }
 * message // => '[regimes/hmm] it was disposed. Open a new one, or continue from its last snapshot.'
 * ```
 */
export function createLifetime(where: string): Lifetime {
  let ended = false
  return {
    check() {
      if (ended) {
        const hint = 'Open a new one, or continue from its last snapshot.'
        throw new RegimenError('it was disposed.', { code: 'DISPOSED', where, hint })
      }
    },
    end() {
      const first = !ended
      ended = true
      return first
    },
  }
}
