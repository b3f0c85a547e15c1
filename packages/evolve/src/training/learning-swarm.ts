import {
  check,
  describe,
  type LongTaskOptions,
  Rng,
  reportProgress,
  type Snapshot,
  throwIfAborted,
} from '@regimen/core'
import { checkCount } from '../engine/factory.ts'
import type { Trainee } from './train-population.ts'

/** What one member of a swarm sees of another when they share. */
export interface Peer {
  readonly member: number
  /** Its value of this round; NaN where the round failed. */
  readonly value: number
  readonly snapshot: Snapshot
}

/** Options of {@link trainSwarm}. */
export interface SwarmOptions<Member extends Trainee> extends LongTaskOptions {
  /** Members, from 2. */
  readonly members: number
  /** Rounds of training and sharing, from 1. */
  readonly rounds: number
  readonly direction: 'minimize' | 'maximize'
  /** Makes a member: afresh, or from what a merge gave. */
  readonly open: (member: number, from: Snapshot | undefined) => Member | Promise<Member>
  /** Trains a member for one round, on data of its own if it has some, and says how well it does. */
  readonly train: (live: Member, member: number, round: number) => number | Promise<number>
  /** Merges what a member knows with what its peers know, for example `averageSnapshots`. */
  readonly merge?: (own: Peer, peers: readonly Peer[]) => Snapshot | Promise<Snapshot>
  /** Teaches a member from its peers in place, for example on their predictions; instead of `merge`. */
  readonly distill?: (live: Member, own: Peer, peers: readonly Peer[]) => void | Promise<void>
  /**
   * With whom a member shares: its two neighbours on a ring, everybody, or `degree` others drawn anew each time.
   * @default 'ring'
   */
  readonly topology?: 'ring' | 'all' | 'random'
  /**
   * Peers of a `'random'` topology, from 1.
   * @default 2
   */
  readonly degree?: number
  /**
   * Rounds between two sharings, from 1.
   * @default 1
   */
  readonly shareEvery?: number
  /** @default 0 */
  readonly seed?: number | string
}

/** What {@link trainSwarm} found. */
export interface SwarmResult {
  /** The best member of the last round. */
  readonly best: Peer
  /** Every member at the end. */
  readonly members: readonly Peer[]
  /** Values by round and member; NaN where a round failed. */
  readonly history: readonly Float64Array[]
}

const WHERE = 'evolve/train-swarm'

/**
 * Trains a swarm: members learn on their own, and after every round each takes in what its peers have learned, through the
 * caller's `merge` (states in, a state out) or `distill` (teaches the member in place). All look at the states from before the
 * sharing, so that the order of members makes no difference; a peer whose round failed is not listened to. Unlike
 * {@link trainPopulation} nobody gives up: each may see its own market, and all profit from the others'.
 *
 * ```ts
 * import { createSnapshot } from '@regimen/core'
 * import { averageSnapshots, trainSwarm } from '@regimen/evolve'
 *
 * // Each member sees a noisy version of the same number, 5; sharing averages the noise away.
 * const { members } = await trainSwarm({
 *   members: 4,
 *   rounds: 6,
 *   direction: 'minimize',
 *   topology: 'all',
 *   open: (member, from) => {
 *     const state = { mean: from ? Number((from.state as { mean: number }).mean) : [3, 7, 4, 6][member]! }
 *     return { state, snapshot: () => createSnapshot({ id: 'example/mean', version: 1, config: {}, state: { ...state } }) }
 *   },
 *   train: ({ state }) => (state.mean - 5) ** 2,
 *   merge: (own, peers) => averageSnapshots([own, ...peers].map(({ snapshot }) => snapshot)),
 * })
 * members.map(({ value }) => value) // => [0, 0, 0, 0]
 * ```
 *
 * Reference: H. B. McMahan et al., "Communication-efficient learning of deep networks from decentralized data",
 * arXiv:1602.05629 (merging by averages).
 */
export async function trainSwarm<Member extends Trainee>(options: SwarmOptions<Member>): Promise<SwarmResult> {
  const { open, train, merge, distill, topology = 'ring', direction, signal, onProgress } = options
  const count = checkCount(WHERE, 'members', options.members, 2, 10_000)
  const rounds = checkCount(WHERE, 'rounds', options.rounds, 1)
  const every = checkCount(WHERE, 'shareEvery', options.shareEvery ?? 1, 1)
  const degree = checkCount(WHERE, 'degree', options.degree ?? Math.min(2, count - 1), 1, count - 1)
  check(
    (merge === undefined) !== (distill === undefined),
    WHERE,
    () => `either merge or distill must say how members share, got ${merge ? 'both' : 'neither'}.`,
  )
  check(
    topology === 'ring' || topology === 'all' || topology === 'random',
    WHERE,
    () => `topology must be 'ring', 'all' or 'random', got ${describe(topology)}.`,
  )
  check(
    direction === 'minimize' || direction === 'maximize',
    WHERE,
    () => `direction must be 'minimize' or 'maximize', got ${describe(direction)}.`,
  )
  const rng = new Rng(options.seed ?? 0)
  const report = reportProgress(onProgress, { total: rounds })
  const history: Float64Array[] = []
  const lives: Member[] = []
  let states: Peer[] = []
  try {
    for (let member = 0; member < count; member++) lives.push(await open(member, undefined))
    for (let round = 0; round < rounds; round++) {
      throwIfAborted(signal)
      states = await Promise.all(
        lives.map(async (live, member) => ({
          member,
          value: await scoreOf(() => train(live, member, round)),
          snapshot: await live.snapshot(),
        })),
      )
      history.push(Float64Array.from(states, ({ value }) => value))
      report(round + 1)
      if ((round + 1) % every !== 0 || round + 1 === rounds) continue
      const heard = states.map((_, member) => peersOf(member, count, topology, degree, rng))
      for (let member = 0; member < count; member++) {
        const peers = heard[member]!.map((other) => states[other]!).filter(({ value }) => !Number.isNaN(value))
        if (peers.length === 0) continue
        const own = states[member]!
        if (distill) await distill(lives[member]!, own, peers)
        else if (merge) {
          const next = await open(member, await merge(own, peers))
          lives[member]!.dispose?.()
          lives[member] = next
        }
      }
    }
  } finally {
    for (const live of lives) live.dispose?.()
  }
  const sign = direction === 'maximize' ? -1 : 1
  const sound = states.filter(({ value }) => !Number.isNaN(value))
  check(sound.length > 0, WHERE, () => 'every member failed its last round.', 'Train one member by hand first.')
  const best = sound.reduce((a, b) => (sign * b.value < sign * a.value ? b : a))
  return { best, members: states, history }
}

function peersOf(member: number, count: number, topology: string, degree: number, rng: Rng): number[] {
  if (topology === 'random') return Array.from(rng.sample(count - 1, degree), (one) => (one < member ? one : one + 1))
  if (topology === 'ring') {
    const both = [(member + count - 1) % count, (member + 1) % count]
    return both[0] === both[1] ? [both[0]!] : both
  }
  return Array.from({ length: count }, (_, i) => i).filter((i) => i !== member)
}

async function scoreOf(train: () => number | Promise<number>): Promise<number> {
  try {
    const value = await train()
    return Number.isFinite(value) ? value : Number.NaN
  } catch {
    return Number.NaN
  }
}
