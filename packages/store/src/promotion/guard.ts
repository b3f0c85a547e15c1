import { check, describe, RegimenError } from '@regimen/core'
import type { Model } from '../model.ts'

/** When {@link createGuard} rolls back. */
export interface GuardOptions {
  /** The alias to watch over. @default 'champion' */
  alias?: string
  /** The mean of the last `window` live values must not fall below this. */
  floor: number
  /** Values that count. @default 20 */
  window?: number
  /** Values of the present version before it is judged. @default window */
  minSamples?: number
}

/** What a guard did with a value. */
export interface GuardVerdict {
  /** `watching` before `minSamples`; `stranded` when the floor is broken and there is no earlier version. */
  readonly status: 'watching' | 'healthy' | 'rolled-back' | 'stranded'
  /** Mean of the values that counted. */
  readonly mean: number
  /** Where the alias points now. */
  readonly version: number | null
}

/** Watches live values of an alias. */
export interface Guard {
  /** Takes one live value (a day's return, an accuracy) and rolls back when the floor is broken. */
  observe(value: number): Promise<GuardVerdict>
}

/**
 * Watches the live metric of an alias and rolls back by itself when the mean of its last values falls below a floor. The
 * window starts anew whenever the alias moves, so a new version is not judged by its predecessor's losses; the version that
 * fell is passed over by automatic promotion afterwards. Values where larger is better: pass negated losses.
 *
 * ```ts
 * import { createSnapshot } from '@regimen/core'
 * import { createGuard, memoryBlobs, memoryMetadata, openStore } from '@regimen/store'
 *
 * const store = await openStore({ metadata: memoryMetadata(), blobs: memoryBlobs() })
 * const model = store.model('spy-direction')
 * for (const bias of [0, 1]) {
 *   const snapshot = createSnapshot({ id: 'example/bias', version: 1, config: {}, state: { bias } })
 *   const { version } = await model.publish({ snapshot, reason: 'A new bias.' })
 *   await model.promote(version, 'champion', { reason: 'Trial.' })
 * }
 * const guard = createGuard(model, { floor: 0, window: 2 })
 * await guard.observe(-0.02)
 * const { status, version } = await guard.observe(-0.01)
 * status // => 'rolled-back'
 * version // => 1
 * ```
 */
export function createGuard(model: Model, options: GuardOptions): Guard {
  const { alias = 'champion', floor, window = 20, minSamples = window } = options
  const where = 'store/guard'
  check(Number.isFinite(floor), where, () => `floor must be a finite number, got ${describe(floor)}.`)
  check(
    Number.isInteger(window) && window >= 1,
    where,
    () => `window must be a whole number from 1, got ${describe(window)}.`,
  )
  check(
    Number.isInteger(minSamples) && minSamples >= 1 && minSamples <= window,
    where,
    () => `minSamples must be a whole number from 1 to window, got ${describe(minSamples)}.`,
  )
  let judged: number | undefined
  let values: number[] = []
  return {
    async observe(value) {
      check(Number.isFinite(value), where, () => `a live value must be finite, got ${describe(value)}.`)
      const present = await model.at(alias).number()
      if (present !== judged) {
        judged = present
        values = []
      }
      values.push(value)
      if (values.length > window) values.shift()
      const mean = values.reduce((sum, each) => sum + each, 0) / values.length
      if (values.length < minSamples) return { status: 'watching', mean, version: present }
      if (mean >= floor) return { status: 'healthy', mean, version: present }
      try {
        const back = await model.rollback(alias, {
          reason: `The mean of the last ${values.length} live values, ${Number(mean.toPrecision(6))}, fell below the floor ${floor}.`,
          expect: present,
          override: true,
        })
        return { status: 'rolled-back', mean, version: back.version }
      } catch (error) {
        if (!(error instanceof RegimenError) || error.code !== 'NO_EARLIER_VERSION') throw error
        return { status: 'stranded', mean, version: present }
      }
    },
  }
}
