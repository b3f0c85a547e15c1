import { check, describe } from './errors.ts'
import { checkTree } from './snapshot/tagged.ts'
import { looksLikeLeaf, type Tree } from './tree.ts'
import { libraryVersion } from './version.ts'

/** A learner's whole state as data, with what is needed to restore it. */
export type Snapshot<State extends Tree = Tree, Config extends Tree = Tree> = {
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

/** What {@link createSnapshot} is given; it adds the library's version itself. */
export interface SnapshotParts<State extends Tree = Tree, Config extends Tree = Tree> {
  /** Registered name of the algorithm, `package/algorithm`. */
  id: string
  /** Version of the state's layout, a whole number from 1. */
  version: number
  config: Config
  state: State
  /**
   * Snapshots of wrapped or member learners.
   * @default {}
   */
  children?: { readonly [name: string]: Snapshot }
}

/**
 * Makes a snapshot: checks that the configuration and the state are plain data, and writes the library's version into the
 * envelope. The state is taken as it is, not copied, so hand in copies of buffers that a live object goes on using
 * (`arrayLeaf` copies). Something that is no data, such as a function, a class instance or a bare typed array, is an error
 * that names its path.
 *
 * ```ts
 * import { arrayLeaf, createSnapshot } from '@regimen/core'
 *
 * const snapshot = createSnapshot({
 *   id: 'example/mean',
 *   version: 1,
 *   config: { window: 20 },
 *   state: { count: 3, mean: arrayLeaf('float64', [2], [1.5, -0]) },
 * })
 * snapshot.children // => {}
 * ```
 */
export function createSnapshot<State extends Tree, Config extends Tree>(
  parts: SnapshotParts<State, Config>,
): Snapshot<State, Config> {
  const { id, version, config, state, children = {} } = parts
  const where = 'core/snapshot'
  check(
    typeof id === 'string' && /^[^\s/]+(\/[^\s/]+)+$/.test(id),
    where,
    () => `id must read "package/algorithm", got ${describe(id)}.`,
  )
  check(
    Number.isSafeInteger(version) && version >= 1,
    where,
    () => `version must be a whole number from 1, got ${describe(version)}.`,
  )
  checkTree(config, 'config')
  checkTree(state, 'state')
  for (const [name, child] of Object.entries(children)) {
    const problem = snapshotProblem(child, `children.${name}`)
    check(problem === undefined, where, () => `${problem}.`)
  }
  return { id, version, library: libraryVersion, config, state, children }
}

/**
 * Tells a snapshot from a configuration, for an `open` that accepts either. It looks only at which keys there are, so that a
 * damaged snapshot is not taken for a configuration; `restore` checks what is inside.
 *
 * ```ts
 * import { isSnapshot } from '@regimen/core'
 *
 * isSnapshot({ window: 20 }) // => false
 * isSnapshot({ id: 'a/b', version: 1, library: '0.1.0', config: {}, state: null, children: {} }) // => true
 * ```
 */
export function isSnapshot(value: unknown): value is Snapshot {
  return isRecord(value) && ENVELOPE.every((key) => Object.hasOwn(value, key))
}

const ENVELOPE = ['id', 'version', 'library', 'config', 'state', 'children'] as const

/** What keeps a value from being a snapshot's envelope; undefined when nothing does. */
export function snapshotProblem(value: unknown, path = 'snapshot'): string | undefined {
  if (!isRecord(value)) return `${path} must be an object, got ${describe(value)}`
  if (typeof value.id !== 'string') return `${path}.id must be a string, got ${describe(value.id)}`
  if (!Number.isSafeInteger(value.version) || (value.version as number) < 1) {
    return `${path}.version must be a whole number from 1, got ${describe(value.version)}`
  }
  if (typeof value.library !== 'string') return `${path}.library must be a string, got ${describe(value.library)}`
  for (const key of ['config', 'state']) if (value[key] === undefined) return `${path}.${key} is missing`
  if (!isRecord(value.children)) return `${path}.children must be an object, got ${describe(value.children)}`
  for (const [name, child] of Object.entries(value.children)) {
    const problem = snapshotProblem(child, `${path}.children.${name}`)
    if (problem) return problem
  }
  return undefined
}

function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !looksLikeLeaf(value)
}
