import {
  check,
  describe,
  isArrayLeaf,
  type LongTaskOptions,
  Rng,
  reportProgress,
  type Snapshot,
  type Tree,
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
  /** Merges what a member knows with what its peers know, for example {@link averageSnapshots}. */
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
          const merged = await merge(own, peers)
          lives[member]!.dispose?.()
          lives[member] = await open(member, merged)
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

/**
 * Averages snapshots of the same layout, leaf by leaf: floating-point arrays and numbers become weighted means, everything else
 * (whole-number arrays, strings, flags) is the first one's. The plainest `merge` of {@link trainSwarm}, right for nets that
 * began with the same weights; where members differ in more than noise, distill.
 *
 * ```ts
 * import { arrayLeaf, createSnapshot } from '@regimen/core'
 * import { averageSnapshots } from '@regimen/evolve'
 *
 * const net = (w: number) =>
 *   createSnapshot({ id: 'example/net', version: 1, config: {}, state: { w: arrayLeaf('float64', [1], [w]) } })
 * const { state } = averageSnapshots([net(1), net(4)], [2, 1])
 * state // => { w: { dtype: 'float64', shape: [1], data: Float64Array.of(2) } }
 * ```
 */
export function averageSnapshots(snapshots: readonly Snapshot[], weights?: ArrayLike<number>): Snapshot {
  const where = 'evolve/average-snapshots'
  check(snapshots.length > 0, where, () => 'there must be at least one snapshot, got none.')
  const w = Float64Array.from(weights ?? snapshots.map(() => 1))
  const total = w.reduce((sum, one) => sum + one, 0)
  check(
    w.length === snapshots.length && w.every((one) => one >= 0) && total > 0 && Number.isFinite(total),
    where,
    () => `weights must be ${snapshots.length} numbers of at least 0 with a positive sum, got ${describe(weights)}.`,
  )
  const [first] = snapshots as [Snapshot]
  for (const { id, version } of snapshots) {
    check(
      id === first.id && version === first.version,
      where,
      () => `all must be snapshots of ${first.id} ${first.version}, got ${id} ${version}.`,
    )
  }
  const shares = w.map((one) => one / total)
  const children: { [name: string]: Snapshot } = {}
  for (const name of Object.keys(first.children)) {
    children[name] = averageSnapshots(
      snapshots.map((one) => {
        const child = one.children[name]
        check(child !== undefined, where, () => `the child ${describe(name)} is missing in one of them.`)
        return child
      }),
      shares,
    )
  }
  return {
    ...first,
    state: average(
      snapshots.map(({ state }) => state),
      shares,
      'state',
    ),
    children,
  }
}

function average(trees: readonly (Tree | undefined)[], shares: Float64Array, path: string): Tree {
  const first = trees[0] as Tree
  const where = 'evolve/average-snapshots'
  if (typeof first === 'number') {
    check(
      trees.every((one) => typeof one === 'number'),
      where,
      () => `${path} must be a number in all of them.`,
    )
    return Number.isInteger(first) && trees.every((one) => one === first)
      ? first
      : trees.reduce<number>((sum, one, k) => sum + shares[k]! * (one as number), 0)
  }
  if (isArrayLeaf(first)) {
    const leaves = trees.filter(isArrayLeaf)
    check(
      leaves.length === trees.length &&
        leaves.every((one) => one.dtype === first.dtype && `${one.shape}` === `${first.shape}`),
      where,
      () => `${path} must have the dtype ${first.dtype} and the shape [${first.shape}] in all of them.`,
      'Average nets of the same shape only.',
    )
    if (first.dtype !== 'float64' && first.dtype !== 'float32') return { ...first, data: first.data.slice() } as Tree
    const data = first.data.slice()
    for (let i = 0; i < data.length; i++) {
      let sum = 0
      for (let k = 0; k < leaves.length; k++) sum += shares[k]! * (leaves[k]!.data[i] as number)
      data[i] = sum
    }
    return { ...first, data } as Tree
  }
  if (first === null || typeof first !== 'object') return first
  if (Array.isArray(first)) {
    return first.map((_, i) =>
      average(
        trees.map((one) => (one as Tree[] | undefined)?.[i]),
        shares,
        `${path}[${i}]`,
      ),
    )
  }
  return Object.fromEntries(
    Object.keys(first).map((key) => [
      key,
      average(
        trees.map((one) => (one as { [key: string]: Tree } | null | undefined)?.[key]),
        shares,
        `${path}.${key}`,
      ),
    ]),
  )
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
