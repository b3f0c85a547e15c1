import type { Tree } from './tree.ts'

/** A learner's whole state as data, with what is needed to restore it. */
export interface Snapshot<State extends Tree = Tree, Config extends Tree = Tree> {
  /** Registered name of the algorithm, `package/algorithm`. */
  readonly id: string
  /** Version of the state's layout. */
  readonly version: number
  /** Version of the library that wrote it; informative, not part of the hash. */
  readonly library: string
  readonly config: Config
  readonly state: State
  /** Snapshots of wrapped or member learners. */
  readonly children: { readonly [name: string]: Snapshot }
}
