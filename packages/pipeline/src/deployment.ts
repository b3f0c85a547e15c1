import { check, describe, type Snapshot } from '@regimen/core'

/** A newly trained model with what is known of it. */
export interface Challenger {
  readonly snapshot: Snapshot
  /** Why it was trained, as a sentence. */
  readonly reason: string
  /** Metrics by dataset and name. */
  readonly metrics: { readonly [dataset: string]: { readonly [name: string]: number } }
  /** Metrics per sample, for paired tests against the model in force. */
  readonly samples?: { readonly [dataset: string]: { readonly [name: string]: Float64Array } }
  /** What was tuned. */
  readonly params?: { readonly [name: string]: number | string | boolean }
}

/** When something happens in the run. */
export interface Moment {
  /** Bars taken before this one. */
  readonly row: number
  /** UTC epoch milliseconds. */
  readonly time: number
}

/** What came of a challenger. */
export interface Verdict {
  readonly promoted: boolean
  readonly version: number
  /** The rules that decided, as a sentence. */
  readonly reason: string
}

/**
 * Where models are published, judged and taken back. Every method may be called again for the same moment, after a crash, and then
 * has the same outcome without doing it twice.
 */
export interface Deployment {
  /** Publishes a challenger and judges it against the model in force. */
  submit(challenger: Challenger, at: Moment): Promise<Verdict>
  /** Goes back to the model before; undefined where there is none. */
  rollback(reason: string, at: Moment): Promise<{ readonly version: number; readonly snapshot: Snapshot } | undefined>
}

/** What {@link storeDeployment} needs of a model in a store; `store.model(name)` of `@regimen/store` is one. */
export interface StoredModel<Policy> {
  publish(options: {
    snapshot: Snapshot
    reason: string
    metrics: Challenger['metrics']
    samples: { readonly [dataset: string]: { readonly [name: string]: Float64Array } }
    params: { readonly [name: string]: number | string | boolean }
    tags: { readonly [name: string]: string }
  }): Promise<{ readonly version: number }>
  list(options: { tags: { readonly [name: string]: string } }): Promise<readonly { readonly version: number }[]>
  promoteBy(
    policy: Policy,
    options: { candidate: number },
  ): Promise<{
    readonly promoted: boolean
    readonly rules: readonly { readonly rule: string; readonly passed: boolean; readonly detail: string }[]
  }>
  rollback(alias: string, options: { reason: string; override: boolean }): Promise<{ readonly version: number }>
  history(
    alias: string,
  ): Promise<readonly { readonly to: number | null; readonly reason: string; readonly rollback: boolean }[]>
  at(ref: number): { load<T>(restore: (snapshot: Snapshot) => T): Promise<T> }
}

/** Options of {@link storeDeployment}. */
export interface StoreDeploymentOptions<Policy> {
  /** Where versions go: `store.model('name')`. */
  model: StoredModel<Policy>
  /** What a challenger must show: a promotion policy of the store. */
  policy: Policy & { readonly alias: string }
  /** Names the run, so that a store may serve many. */
  run: string
}

/**
 * Deploys through a versioned store: a challenger becomes an immutable version, the store's policy decides whether the alias moves to
 * it, and a rollback moves the alias back. Versions are tagged with the run and the row, so a run that was killed in between finds
 * what it had already done.
 *
 * ```ts
 * import { storeDeployment } from '@regimen/pipeline'
 *
 * // A store has this face; here one that promotes whatever it is given.
 * const versions: { version: number; row: string }[] = []
 * const moves: { to: number; reason: string; rollback: boolean }[] = []
 * const model = {
 *   publish: async ({ tags }: { tags: { [name: string]: string } }) => {
 *     versions.push({ version: versions.length + 1, row: tags.row! })
 *     return versions.at(-1)!
 *   },
 *   list: async ({ tags }: { tags: { [name: string]: string } }) => versions.filter(({ row }) => row === tags.row),
 *   promoteBy: async (_: { alias: string }, { candidate }: { candidate: number }) => {
 *     moves.push({ to: candidate, reason: 'better', rollback: false })
 *     return { promoted: true, rules: [] }
 *   },
 *   rollback: async () => ({ version: 1 }),
 *   history: async () => moves,
 *   at: () => ({ load: async () => undefined as never }),
 * }
 * const deployment = storeDeployment({ model, policy: { alias: 'champion' }, run: 'test' })
 * const challenger = { snapshot: {} as never, reason: 'A new quarter.', metrics: {} }
 * await deployment.submit(challenger, { row: 60, time: 0 })
 * const { version } = await deployment.submit(challenger, { row: 60, time: 0 })
 * version // => 1
 * versions.length // => 1
 * ```
 */
export function storeDeployment<Policy>(options: StoreDeploymentOptions<Policy>): Deployment {
  const { model, policy, run } = options
  check(typeof run === 'string' && run !== '', 'pipeline/deployment', () => `run must be a name, got ${describe(run)}.`)
  const { alias } = policy
  return {
    async submit({ snapshot, reason, metrics, samples = {}, params = {} }, { row }) {
      const tags = { run, row: String(row) }
      const [found] = await model.list({ tags })
      const { version } = found ?? (await model.publish({ snapshot, reason, metrics, samples, params, tags }))
      const moves = found ? await model.history(alias) : []
      if (moves.some(({ to, rollback }) => to === version && !rollback)) {
        return { promoted: true, version, reason: 'It was promoted before the run was interrupted.' }
      }
      const { promoted, rules } = await model.promoteBy(policy, { candidate: version })
      const deciding = rules.filter(({ passed }) => passed === promoted)
      const sentence = deciding.map(({ rule, detail }) => `${rule}: ${detail}`).join('; ')
      return { promoted, version, reason: sentence || 'There were no rules.' }
    },
    async rollback(why, { row }) {
      const reason = `${why} (${run}, row ${row})`
      const moves = await model.history(alias)
      const done = moves.find((move) => move.rollback && move.reason === reason)
      // The first version has nothing before it.
      if (!done && moves.filter(({ rollback }) => !rollback).length - moves.filter((m) => m.rollback).length < 2) {
        return undefined
      }
      const version = done ? done.to : (await model.rollback(alias, { reason, override: true })).version
      if (version === null) return undefined
      return { version, snapshot: await model.at(version).load((snapshot) => snapshot) }
    },
  }
}
