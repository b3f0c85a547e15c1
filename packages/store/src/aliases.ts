import { RegimenError } from '@regimen/core'
import type { AliasEntry, AliasMove, Version } from './catalogue.ts'
import { type Engine, moveDraft } from './engine.ts'
import { dataOf } from './log.ts'
import { checkName, checkReason } from './names.ts'
import type { Reader } from './reader.ts'

/** Reason and safety of an alias's move. */
export interface MoveOptions {
  reason: string
  /**
   * The version that the alias must point at now (null: at none), or the move is refused.
   * @default where it points when the call begins
   */
  expect?: number | null
  /** Moves a protected alias too. @default false */
  override?: boolean
}

/** One entry of an alias's history. */
export interface AliasMoveRecord {
  readonly seq: number
  readonly time: number
  readonly actor: string
  readonly reason: string
  readonly from: number | null
  readonly to: number | null
  readonly rollback: boolean
}

/** The part of a model that moves its aliases. */
export interface Aliases {
  /** Where the aliases point, as this process knows it. */
  readonly aliases: { readonly [alias: string]: number }
  /** Points an alias at a version. */
  promote(version: number, alias: string, options: MoveOptions): Promise<Version>
  /** Points an alias at nothing. */
  unset(alias: string, options: MoveOptions): Promise<void>
  /** Points an alias at where it was before its last move that was not itself undone. */
  rollback(alias: string, options: MoveOptions): Promise<Version>
  /** Every move of an alias, oldest first. */
  history(alias: string): Promise<AliasMoveRecord[]>
  /** Refuses moves of an alias without `override`, or allows them again. */
  protect(alias: string, options: { reason: string; protected?: boolean }): Promise<void>
}

/** Opens the aliases of a model. Every move is a compare-and-swap on the newest state, and none is forgotten. */
export function openAliases(name: string, engine: Engine, reader: Reader): Aliases {
  const entries = (): ReadonlyMap<string, AliasEntry> => engine.catalogue.models.get(name)?.aliases ?? new Map()
  const alias = (of: string): AliasEntry | undefined => entries().get(of)

  const move = async (
    of: string,
    options: MoveOptions,
    decide: (present: AliasEntry | undefined) => { to: number | null; rollback: boolean },
  ): Promise<void> => {
    checkName('an alias', of)
    checkReason(options.reason)
    await engine.refresh()
    const expected = options.expect === undefined ? (alias(of)?.to ?? null) : options.expect
    await engine.commit(() => {
      const present = alias(of)
      const from = present?.to ?? null
      if (from !== expected) throw moved(name, of, expected, from)
      if (present?.protected && !options.override) throw isProtected(name, of)
      const { to, rollback } = decide(present)
      if (to !== null) reader.entry(name, to)
      if (to === from && !rollback) return []
      return [moveDraft({ model: name, alias: of, from, to, rollback }, options.reason)]
    })
  }

  return {
    get aliases() {
      const set = [...entries()].filter(([, { to }]) => to !== null)
      return Object.fromEntries(set.map(([of, { to }]) => [of, to!]))
    },
    async promote(version, of, options) {
      await move(of, options, () => ({ to: version, rollback: false }))
      return reader.version(name, version)
    },
    unset: (of, options) => move(of, options, () => ({ to: null, rollback: false })),
    async rollback(of, options) {
      let target: number | null = null
      await move(of, options, (present) => {
        target = present?.trail.at(-1) ?? null
        if (target === null) throw nowhereToGo(name, of)
        return { to: target, rollback: true }
      })
      return reader.version(name, target!)
    },
    async history(of) {
      await engine.refresh()
      const history: AliasMoveRecord[] = []
      for (const at of alias(of)?.moves ?? []) {
        const record = await engine.record(at)
        const { seq, time, actor, reason } = record
        const { from, to, rollback = false } = dataOf<AliasMove>(record)
        history.push({ seq, time, actor, reason, from, to, rollback })
      }
      return history
    },
    async protect(of, { reason, protected: on = true }) {
      checkName('an alias', of)
      checkReason(reason)
      await engine.commit(() => [{ type: 'store/protect', reason, data: { model: name, alias: of, protected: on } }])
    },
  }
}

function moved(model: string, alias: string, expected: number | null, found: number | null): RegimenError {
  const show = (version: number | null): string => (version === null ? 'nothing' : `version ${version}`)
  return new RegimenError(`${model}: ${alias} should point at ${show(expected)} and points at ${show(found)}.`, {
    code: 'ALIAS_MOVED',
    where: 'store/alias',
    hint: 'Somebody else moved it: look at history(alias) and decide again.',
  })
}

function isProtected(model: string, alias: string): RegimenError {
  return new RegimenError(`${model}: ${alias} is protected.`, {
    code: 'PROTECTED_ALIAS',
    where: 'store/alias',
    hint: 'Promote by a policy, or pass { override: true }.',
  })
}

function nowhereToGo(model: string, alias: string): RegimenError {
  return new RegimenError(`${model}: ${alias} pointed at nothing before.`, {
    code: 'NO_EARLIER_VERSION',
    where: 'store/rollback',
    hint: 'Promote a version, or unset the alias.',
  })
}
