import { check, describe } from './errors.ts'
import { checkTree } from './snapshot/tagged.ts'
import type { Tree } from './tree.ts'

/** A decision that changed a model or a position: what, why, and the hashes of what it was based on. */
export interface RegimenEvent<Data extends { readonly [key: string]: Tree } = { readonly [key: string]: Tree }> {
  /** `package/verb`, for example `regimes/switch` or `store/promote`. */
  readonly type: string
  /** UTC epoch milliseconds, from the injected clock or from the bar. */
  readonly time: number
  /** Why it happened, as a sentence. */
  readonly reason: string
  /** sha-256 of the inputs, by name. */
  readonly inputs?: { readonly [name: string]: string }
  readonly data: Data
}

/** Where events go. The store has one that keeps a hash-chained audit log. */
export interface EventSink {
  emit(event: RegimenEvent): void
}

/**
 * Makes an event, checked and frozen: a decision with its reason in words, its time from the injected clock or the bar, and
 * the hashes of what it was based on (`hashTree`, `hashSnapshot`), so that it can be audited later.
 *
 * ```ts
 * import { createEvent, hashTree } from '@regimen/core'
 *
 * const event = createEvent({
 *   type: 'regimes/switch',
 *   time: 1_700_000_000_000,
 *   reason: 'The filtered probability of regime 2 rose to 0.97.',
 *   inputs: { features: hashTree([0.1, 0.2]) },
 *   data: { from: 0, to: 2 },
 * })
 * event.data // => { from: 0, to: 2 }
 * ```
 */
export function createEvent<Data extends { readonly [key: string]: Tree }>(
  event: RegimenEvent<Data>,
): RegimenEvent<Data> {
  const { type, time, reason, inputs, data } = event
  const where = 'core/events'
  check(
    typeof type === 'string' && /^[^\s/]+\/[^\s]+$/.test(type),
    where,
    () => `type must read "package/verb", got ${describe(type)}.`,
  )
  check(Number.isFinite(time), where, () => `time must be epoch milliseconds, got ${describe(time)}.`)
  check(
    typeof reason === 'string' && reason.trim() !== '',
    where,
    () => `reason must be a sentence, got ${describe(reason)}.`,
  )
  for (const [name, hash] of Object.entries(inputs ?? {})) {
    check(
      typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash),
      where,
      () => `inputs.${name} must be a sha-256, got ${describe(hash)}.`,
      'Pass hashTree(input) or hashSnapshot(snapshot).',
    )
  }
  checkTree(data, 'data')
  return Object.freeze({ type, time, reason, ...(inputs ? { inputs: Object.freeze({ ...inputs }) } : {}), data })
}

/** A sink that remembers. */
export interface EventCollector extends EventSink {
  /** What was emitted so far, oldest first. */
  readonly events: readonly RegimenEvent[]
  /** Forgets them. */
  clear(): void
}

/**
 * Opens a sink that keeps every event in memory, for tests and short runs.
 *
 * ```ts
 * import { collectEvents, createEvent } from '@regimen/core'
 *
 * const sink = collectEvents()
 * sink.emit(createEvent({ type: 'store/promote', time: 0, reason: 'It won the backtest.', data: {} }))
 * sink.events.length // => 1
 * ```
 */
export function collectEvents(): EventCollector {
  const events: RegimenEvent[] = []
  return {
    events,
    emit: (event) => void events.push(event),
    clear: () => void events.splice(0),
  }
}

/**
 * Joins sinks: every event goes to each, in the given order. A sink that throws does not keep the event from the others;
 * the first error is thrown once all have it.
 *
 * ```ts
 * import { collectEvents, createEvent, teeEvents } from '@regimen/core'
 *
 * const [memory, audit] = [collectEvents(), collectEvents()]
 * teeEvents(memory, audit).emit(createEvent({ type: 'drift/found', time: 0, reason: 'The mean moved.', data: {} }))
 * audit.events.length // => 1
 * ```
 */
export function teeEvents(...sinks: readonly EventSink[]): EventSink {
  return {
    emit(event) {
      const errors: unknown[] = []
      for (const sink of sinks) {
        try {
          sink.emit(event)
        } catch (error) {
          errors.push(error)
        }
      }
      if (errors.length > 0) throw errors[0]
    },
  }
}

/**
 * Lets only some events through to a sink: those of one type, of a whole package (`'regimes/*'`), or those that a function
 * accepts.
 *
 * ```ts
 * import { collectEvents, createEvent, filterEvents } from '@regimen/core'
 *
 * const memory = collectEvents()
 * const regimesOnly = filterEvents(memory, 'regimes/*')
 * regimesOnly.emit(createEvent({ type: 'regimes/switch', time: 0, reason: 'Volatility doubled.', data: {} }))
 * regimesOnly.emit(createEvent({ type: 'store/promote', time: 0, reason: 'It won.', data: {} }))
 * memory.events.map((event) => event.type) // => ['regimes/switch']
 * ```
 */
export function filterEvents(sink: EventSink, accept: string | ((event: RegimenEvent) => boolean)): EventSink {
  const accepts =
    typeof accept === 'function'
      ? accept
      : accept.endsWith('/*')
        ? (event: RegimenEvent) => event.type.startsWith(accept.slice(0, -1))
        : (event: RegimenEvent) => event.type === accept
  return {
    emit(event) {
      if (accepts(event)) sink.emit(event)
    },
  }
}
