import { RegimenError } from '../errors.ts'
import { type Snapshot, snapshotProblem } from '../snapshot.ts'
import { cloneTree, type Tree } from '../tree.ts'
import type { Schema } from './schema.ts'
import { checkTree } from './tagged.ts'

/** What a migration returns: the parts of the snapshot that it changed. */
export interface MigratedParts {
  config?: Tree
  state?: Tree
  children?: { readonly [name: string]: Snapshot }
}

/** Migrations by the version that they start from: `migrate[1]` turns version 1 into version 2. */
export interface Migrations {
  readonly [fromVersion: number]: (snapshot: Snapshot) => MigratedParts
}

/** What {@link restore} holds a snapshot against. */
export interface RestoreOptions<State extends Tree, Config extends Tree> {
  /** The only accepted id. */
  id: string
  /** The layout's present version; an older snapshot goes through `migrate`. */
  version: number
  /**
   * What the configuration must look like.
   * @default anything
   */
  config?: Schema<Config>
  /** What the state must look like: every leaf's dtype and shape, which usually follow from the configuration. */
  state: Schema<State> | ((config: Config) => Schema<State>)
  /**
   * Names of the children that must be there and no others, or `'any'`.
   * @default []
   */
  children?: readonly string[] | 'any'
  /**
   * Migrations from every older version.
   * @default {}
   */
  migrate?: Migrations
}

/**
 * Checks a snapshot and gives back a copy that belongs to the caller: the id, the version (older ones are migrated step by
 * step), the configuration, every leaf's dtype and shape, and the children's names. The first thing that is wrong is a
 * `RegimenError` that names its path. An algorithm's `open` calls it and may then write into the arrays.
 * The children are handed on as they are: each is checked and copied by the `restore` of its own algorithm.
 *
 * ```ts
 * import { createSnapshot, restore, schema } from '@regimen/core'
 *
 * // Version 1 kept a sum; version 2 keeps the mean.
 * const old = createSnapshot({ id: 'example/mean', version: 1, config: {}, state: { count: 4, sum: 10 } })
 * const now = restore(old, {
 *   id: 'example/mean',
 *   version: 2,
 *   state: schema.object({ count: schema.integer(), mean: schema.number() }),
 *   migrate: {
 *     1: ({ state }) => {
 *       const { count, sum } = state as { count: number; sum: number }
 *       return { state: { count, mean: sum / count } }
 *     },
 *   },
 * })
 * now.state // => { count: 4, mean: 2.5 }
 * ```
 */
export function restore<State extends Tree, Config extends Tree = Tree>(
  snapshot: Snapshot,
  options: RestoreOptions<State, Config>,
): Snapshot<State, Config> {
  const { id, version, children: expected = [] } = options
  const fail = (code: string, problem: string, hint: string): never => {
    throw new RegimenError(problem, { code, where: id, hint })
  }
  const envelope = snapshotProblem(snapshot)
  if (envelope) fail('INVALID_SNAPSHOT', `${envelope}.`, 'Pass what snapshot() returned.')
  if (snapshot.id !== id) {
    fail('WRONG_SNAPSHOT', `id: expected ${id}, got ${snapshot.id}.`, `Open it with the factory of ${snapshot.id}.`)
  }
  const migrated = migrateTo(snapshot, version, options.migrate ?? {}, fail)
  checkTree(migrated.config, 'config')
  checkTree(migrated.state, 'state')
  const refuse = (problem: string): never =>
    fail('INVALID_SNAPSHOT', `${problem}.`, 'Pass a snapshot of the same algorithm and configuration.')
  const configProblem = options.config?.problem(migrated.config, 'config')
  if (configProblem) refuse(configProblem)
  // Checked by the line above, or of the general type when there is no schema.
  const config = migrated.config as Config
  const state = typeof options.state === 'function' ? options.state(config) : options.state
  const problem = state.problem(migrated.state, 'state') ?? childrenProblem(migrated.children, expected)
  if (problem) refuse(problem)
  return {
    id,
    version,
    library: migrated.library,
    config: cloneTree(config),
    state: cloneTree(migrated.state as State),
    children: migrated.children,
  }
}

function migrateTo(
  snapshot: Snapshot,
  version: number,
  migrations: Migrations,
  fail: (code: string, problem: string, hint: string) => never,
): Snapshot {
  if (snapshot.version > version) {
    const problem = `version: the snapshot is of version ${snapshot.version} (written by ${snapshot.library}), this release knows ${version}.`
    fail('SNAPSHOT_VERSION', problem, 'Upgrade the library.')
  }
  let current = snapshot
  while (current.version < version) {
    const from = current.version
    const step = Object.hasOwn(migrations, from) ? migrations[from] : undefined
    if (!step) {
      return fail(
        'SNAPSHOT_VERSION',
        `version: no migration leads from ${from} to ${from + 1}.`,
        'Restore it with the release that wrote it.',
      )
    }
    // A copy, so that a migration may change what it is given.
    const given = { ...current, config: cloneTree(current.config), state: cloneTree(current.state) }
    current = { ...current, ...step(given), version: from + 1 }
  }
  return current
}

function childrenProblem(children: Snapshot['children'], expected: readonly string[] | 'any'): string | undefined {
  if (expected === 'any') return undefined
  for (const name of Object.keys(children)) if (!expected.includes(name)) return `children.${name}: not expected`
  for (const name of expected) if (!Object.hasOwn(children, name)) return `children.${name}: is missing`
  return undefined
}
