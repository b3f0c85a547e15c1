import type { AsyncLive, AsyncLiveFactory, Learner, Live, LiveFactory } from './contracts.ts'
import type { Snapshot } from './snapshot.ts'

/**
 * Derives the pure face of a live algorithm: states go in and come out, nothing is mutated. Each call opens the state,
 * works and takes a new snapshot, so it costs a copy of the state; use the live object itself where updates are many, and
 * this where states are compared, branched, or sent elsewhere.
 *
 * ```ts
 * import { createSnapshot, isSnapshot, type Live, type Snapshot, toLearner } from '@regimen/core'
 *
 * const counter = {
 *   id: 'example/counter',
 *   version: 1,
 *   open(from: { start: number } | Snapshot): Live<null, undefined, number> {
 *     let count = isSnapshot(from) ? Number(from.state) : from.start
 *     return {
 *       update: () => void count++,
 *       predict: () => count,
 *       snapshot: () => createSnapshot({ id: 'example/counter', version: 1, config: {}, state: count }),
 *       dispose: () => {},
 *     }
 *   },
 * }
 * const learner = toLearner(counter)
 * const before = learner.init({ start: 5 })
 * const after = learner.update(before, null)
 * learner.predict(after, null) // => 6
 * learner.predict(before, null) // => 5
 * ```
 */
export function toLearner<Config, X, Y = undefined, P = unknown>(
  factory: LiveFactory<Config, X, Y, P>,
): Learner<Config, X, Y, P> {
  const use = <R>(from: Config | Snapshot, work: (live: Live<X, Y, P>) => R): R => {
    const live = factory.open(from)
    try {
      return work(live)
    } finally {
      live.dispose()
    }
  }
  return {
    init: (config) => use(config, (live) => live.snapshot()),
    update: (state, x, y) =>
      use(state, (live) => {
        live.update(x, y)
        return live.snapshot()
      }),
    predict: (state, x) => use(state, (live) => live.predict(x)),
  }
}

/**
 * Adapts a synchronous live object to the asynchronous interface, so that one caller serves classical and neural
 * algorithms alike. What the live object throws becomes a rejection.
 *
 * ```ts
 * import { createSnapshot, toAsyncLive } from '@regimen/core'
 *
 * let sum = 0
 * const live = toAsyncLive<number, undefined, number>({
 *   update: (x) => void (sum += x),
 *   predict: () => sum,
 *   snapshot: () => createSnapshot({ id: 'example/sum', version: 1, config: {}, state: sum }),
 *   dispose: () => {},
 * })
 * await live.update(2)
 * await live.predict(0) // => 2
 * ```
 */
export function toAsyncLive<X, Y = undefined, P = unknown>(live: Live<X, Y, P>): AsyncLive<X, Y, P> {
  return {
    update: async (x, y) => live.update(x, y),
    predict: async (x) => live.predict(x),
    snapshot: async () => live.snapshot(),
    dispose: () => live.dispose(),
  }
}

/**
 * Adapts a synchronous factory to the asynchronous interface: every object that it opens goes through `toAsyncLive`.
 *
 * ```ts
 * import { createSnapshot, toAsyncFactory } from '@regimen/core'
 *
 * const factory = toAsyncFactory({
 *   id: 'example/constant',
 *   version: 1,
 *   open: () => ({
 *     update: () => {},
 *     predict: () => 42,
 *     snapshot: () => createSnapshot({ id: 'example/constant', version: 1, config: {}, state: null }),
 *     dispose: () => {},
 *   }),
 * })
 * const live = await factory.open({})
 * await live.predict(1) // => 42
 * ```
 */
export function toAsyncFactory<Config, X, Y = undefined, P = unknown>(
  factory: LiveFactory<Config, X, Y, P>,
): AsyncLiveFactory<Config, X, Y, P> {
  return { id: factory.id, version: factory.version, open: async (from) => toAsyncLive(factory.open(from)) }
}
