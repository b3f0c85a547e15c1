import {
  type AsyncLive,
  type AsyncLiveFactory,
  hashSnapshot,
  type Live,
  type LiveFactory,
  RegimenError,
  type Snapshot,
} from '@regimen/core'
import { type Checks, registerChecks, runChecks } from './checks.ts'
import { difference, findNaN, fingerprint } from './compare.ts'
import { ContractError, promise } from './contract-error.ts'
import { snapshotChecks } from './snapshot.ts'

/** One observation of a stream, with its label where the algorithm takes one. */
export interface Observation<X, Y = undefined> {
  readonly x: X
  readonly y?: Y
}

/** The inputs that must be refused or survived. */
export type Awkward = 'empty' | 'constant' | 'NaN' | 'huge'

/** What {@link testLive} needs to know of an algorithm, synchronous or asynchronous. */
export interface LiveSuite<Config, X, Y = undefined, P = unknown> {
  factory: LiveFactory<Config, X, Y, P> | AsyncLiveFactory<Config, X, Y, P>
  /** A valid configuration with its seed. */
  config: Config
  /** Ordinary observations, eight or more, among which the algorithm does something. */
  stream: readonly Observation<X, Y>[]
  /**
   * What is asked after every observation.
   * @default the first, the middle and the last x of the stream
   */
  probes?: readonly X[]
  /** Turns a prediction into data when it is not already: numbers, strings, lists, objects, typed arrays. */
  view?: (prediction: P) => unknown
  /**
   * Awkward observations of one kind, where those made from the stream by replacing its numbers do not fit; `false` with a
   * kind that cannot be expressed.
   */
  awkward?: { readonly [kind in Awkward]?: readonly Observation<X, Y>[] | false }
  /** Says why a prediction may hold NaN, where the algorithm documents it. */
  documentedNaN?: string
  /** Counts resources (tensors) that are not garbage-collected, to find leaks. */
  countResources?: () => number
}

type AnyLive<X, Y, P> = Live<X, Y, P> | AsyncLive<X, Y, P>

/**
 * The promises that every live algorithm makes: inputs are not changed, one seed gives one path, `predict` does not learn,
 * everything in `snapshotChecks`, awkward input is refused with a `RegimenError` that leaves the state alone or gives
 * predictions without NaN, a disposed object refuses to work, and nothing leaks.
 */
export function liveChecks<Config, X, Y, P>(suite: LiveSuite<Config, X, Y, P>): Checks {
  const { factory, config, stream, view = (prediction) => prediction } = suite
  promise(stream.length >= 4, 'the stream is long enough to tell', () => `It has ${stream.length} observations.`)
  const probes = suite.probes ?? [stream[0]!.x, stream[stream.length >> 1]!.x, stream.at(-1)!.x]
  const open = async (from: Config | Snapshot = config): Promise<AnyLive<X, Y, P>> => factory.open(from)
  const answer = async (live: AnyLive<X, Y, P>): Promise<unknown[]> => {
    const answers: unknown[] = []
    // Copied at once, because a live object may reuse its buffers.
    for (const probe of probes) answers.push(structuredClone(view(await live.predict(probe))))
    return answers
  }
  const feed = async (live: AnyLive<X, Y, P>, observations: readonly Observation<X, Y>[]): Promise<void> => {
    for (const { x, y } of observations) await live.update(x, y)
  }

  const checks: { [promise: string]: () => Promise<void> } = {
    'does not change its inputs': async () => {
      const before = fingerprint([config, stream, probes])
      const live = await open()
      for (const observation of stream) {
        await feed(live, [observation])
        await answer(live)
      }
      live.dispose()
      promise(fingerprint([config, stream, probes]) === before, 'inputs are not changed', () => 'They were.')
    },

    'gives one path for one seed': async () => {
      const first = await open()
      const second = await open()
      for (const [i, observation] of stream.entries()) {
        await feed(first, [observation])
        await feed(second, [observation])
        const wrong = difference(await answer(second), await answer(first))
        promise(wrong === undefined, 'one seed gives one path', () => `After observation ${i}: ${wrong}.`)
      }
      const [a, b] = [await first.snapshot(), await second.snapshot()]
      promise(hashSnapshot(a) === hashSnapshot(b), 'one seed gives one state', () => `${difference(b, a)}.`)
      first.dispose()
      second.dispose()
    },

    'does not learn from predict': async () => {
      const live = await open()
      await feed(live, stream)
      const before = hashSnapshot(await live.snapshot())
      const first = await answer(live)
      const wrong = difference(await answer(live), first)
      promise(wrong === undefined, 'predict answers the same twice', () => `${wrong}.`)
      promise(hashSnapshot(await live.snapshot()) === before, 'predict never learns', () => 'The state changed.')
      live.dispose()
    },

    'learns from update': async () => {
      const live = await open()
      const before = hashSnapshot(await live.snapshot())
      await feed(live, stream)
      promise(hashSnapshot(await live.snapshot()) !== before, 'update learns', () => 'The state never changed.')
      live.dispose()
    },

    ...snapshotChecks<AnyLive<X, Y, P>>({
      id: factory.id,
      open: (from) => open(from),
      steps: stream.length,
      snapshot: (live) => live.snapshot(),
      dispose: (live) => live.dispose(),
      step: async (live, i) => {
        await feed(live, [stream[i]!])
        return answer(live)
      },
    }),

    'refuses to work once disposed': async () => {
      const live = await open()
      await feed(live, stream.slice(0, 2))
      live.dispose()
      live.dispose()
      for (const [name, work] of [
        ['update', () => feed(live, stream.slice(0, 1))],
        ['predict', () => answer(live)],
      ] as const) {
        const error = await caught(work)
        promise(error instanceof RegimenError, `${name} after dispose is a RegimenError`, () => `Got ${String(error)}.`)
      }
    },
  }

  for (const kind of ['empty', 'constant', 'NaN', 'huge'] as const) {
    const given = suite.awkward?.[kind]
    if (given === false) continue
    const observations = given ?? stream.map((observation) => distort(observation, kind))
    // Nothing in the stream is of a kind that can be distorted (categories as input).
    if (given === undefined && fingerprint(observations) === fingerprint(stream)) continue
    checks[`refuses or survives ${kind} input`] = async () => {
      for (const lead of [0, stream.length >> 1]) {
        const live = await open()
        await feed(live, stream.slice(0, lead))
        await survive(live, observations, kind, lead)
        live.dispose()
      }
    }
  }

  async function survive(
    live: AnyLive<X, Y, P>,
    observations: readonly Observation<X, Y>[],
    kind: Awkward,
    lead: number,
  ): Promise<void> {
    for (const observation of observations) {
      const before = hashSnapshot(await live.snapshot())
      const error = await caught(() => feed(live, [observation]))
      if (error !== undefined) {
        if (!(error instanceof RegimenError)) {
          throw new ContractError(`${kind} input is refused with a RegimenError`, `It threw ${String(error)}.`)
        }
        const after = hashSnapshot(await live.snapshot())
        promise(after === before, 'a refused update leaves the state alone', () => `${kind} input changed it.`)
        continue
      }
      const answers = await caught(async () => {
        const at = findNaN(await answer(live))
        promise(
          at === undefined || suite.documentedNaN !== undefined,
          'no silent NaN',
          () => `After ${kind} input (following ${lead} ordinary observations) the prediction at ${at} is NaN.`,
        )
      })
      if (answers !== undefined && !(answers instanceof RegimenError)) throw answers
    }
  }

  const { countResources } = suite
  if (countResources) {
    checks['leaks nothing'] = async () => {
      const use = async (): Promise<number> => {
        const live = await open()
        const counts: number[] = []
        for (const observation of stream) {
          await feed(live, [observation])
          await answer(live)
          await live.snapshot()
          counts.push(countResources())
        }
        const [first, last] = [counts[1] ?? 0, counts.at(-1) ?? 0]
        promise(last <= first, 'updates leak nothing', () => `The count grew from ${first} to ${last} over the stream.`)
        live.dispose()
        return countResources()
      }
      const once = await use()
      const twice = await use()
      promise(twice <= once, 'dispose frees everything', () => `The count grew from ${once} to ${twice}.`)
    }
  }
  return checks
}

/** Runs {@link liveChecks}; the first broken promise rejects. */
export function checkLive<Config, X, Y, P>(suite: LiveSuite<Config, X, Y, P>): Promise<void> {
  return runChecks(liveChecks(suite))
}

/** Registers {@link liveChecks} as vitest tests. */
export function testLive<Config, X, Y, P>(name: string, suite: LiveSuite<Config, X, Y, P>): void {
  registerChecks(name, liveChecks(suite))
}

async function caught(work: () => unknown): Promise<unknown> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error
  }
}

/** The observation with every number in x replaced, or every list in x emptied. Labels stay, unless they are all there is. */
function distort<X, Y>(observation: Observation<X, Y>, kind: Awkward): Observation<X, Y> {
  return { ...observation, x: replace(observation.x, kind) as X }
}

const REPLACEMENT = { constant: 1, NaN: Number.NaN, huge: 1e300 } as const

function replace(value: unknown, kind: Awkward): unknown {
  if (typeof value === 'number') return kind === 'empty' ? value : REPLACEMENT[kind]
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Float64Array || value instanceof Float32Array) {
    return kind === 'empty' ? value.slice(0, 0) : value.map(() => REPLACEMENT[kind])
  }
  if (ArrayBuffer.isView(value)) return value
  if (Array.isArray(value)) return kind === 'empty' ? [] : value.map((item) => replace(item, kind))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replace(item, kind)]))
}
