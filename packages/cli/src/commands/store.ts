import { existsSync } from 'node:fs'
import { RegimenError } from '@regimen/core'
import { openStore, type Store } from '@regimen/store'
import { table } from '../terminal.ts'
import type { CommandContext } from './context.ts'

async function withStore<T>(folder: string, readOnly: boolean, work: (store: Store) => Promise<T>): Promise<T> {
  if (!existsSync(folder)) {
    throw new RegimenError(`there is no store in ${folder}.`, {
      code: 'NO_STORE',
      where: 'store',
      hint: 'Pass the folder of a store; regimen run keeps its own in OUT/store.',
    })
  }
  const store = await openStore(folder, { readOnly, actor: 'regimen store' })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

const dateOf = (time: number): string => new Date(time).toISOString().slice(0, 16).replace('T', ' ')

/** Lists models with their versions and aliases. */
export async function listCommand(folder: string, { terminal, json }: CommandContext): Promise<void> {
  await withStore(folder, true, async (store) => {
    const models = await Promise.all(
      store.models().map(async (name) => {
        const model = store.model(name)
        return { name, aliases: model.aliases, versions: await model.list({ limit: 50 }) }
      }),
    )
    if (json) return terminal.json(models)
    for (const { name, aliases, versions } of models) {
      terminal.say(name)
      const named = (version: number): string =>
        Object.entries(aliases)
          .filter(([, to]) => to === version)
          .map(([alias]) => alias)
          .join(', ')
      const rows = versions.map(({ version, time, reason }) => [`  ${version}`, dateOf(time), named(version), reason])
      for (const line of table([['  version', 'published', 'alias', 'why'], ...rows], 'llll')) terminal.say(line)
    }
  })
}

/** Shows a version with its metrics, parameters and lineage. */
export async function showCommand(
  folder: string,
  name: string,
  version: number,
  { terminal }: CommandContext,
): Promise<void> {
  await withStore(folder, true, async (store) => {
    const found = (await store.model(name).list({ before: version + 1, limit: 1 }))[0]
    if (found?.version !== version) {
      throw new RegimenError(`${name} has no version ${version}.`, {
        code: 'UNKNOWN_VERSION',
        where: 'store',
        hint: `The newest is ${store.model(name).latest}; see regimen store list.`,
      })
    }
    terminal.say(JSON.stringify(found, null, 2))
  })
}

/** Points an alias at a version. */
export async function promoteCommand(
  folder: string,
  name: string,
  version: number,
  { alias, reason }: { alias: string; reason: string },
  { terminal, json }: CommandContext,
): Promise<void> {
  await withStore(folder, false, async (store) => {
    await store.model(name).promote(version, alias, { reason })
    if (json) return terminal.json({ model: name, alias, version })
    terminal.say(`${name}: ${alias} is version ${version}`)
  })
}

/** Points an alias at where it was before. */
export async function rollbackCommand(
  folder: string,
  name: string,
  { alias, reason }: { alias: string; reason: string },
  { terminal, json }: CommandContext,
): Promise<void> {
  await withStore(folder, false, async (store) => {
    const { version } = await store.model(name).rollback(alias, { reason })
    if (json) return terminal.json({ model: name, alias, version })
    terminal.say(`${name}: ${alias} is version ${version} again`)
  })
}

/** Checks the audit log's chain and every blob. */
export async function verifyCommand(folder: string, { terminal, json }: CommandContext): Promise<boolean> {
  return withStore(folder, true, async (store) => {
    const chain = await store.verify()
    const { problems } = await store.fsck()
    if (json) terminal.json({ chain, problems })
    else {
      terminal.say(chain.valid ? `the audit log is whole: ${chain.records} records` : 'the audit log is broken')
      for (const problem of chain.problems) terminal.say(`  ${problem}`)
      for (const { problem } of problems) terminal.say(`  ${problem}`)
      if (problems.length === 0) terminal.say('every blob is what its name says')
    }
    return chain.valid && problems.length === 0
  })
}

/** Removes what nothing needs. */
export async function gcCommand(
  folder: string,
  { dryRun }: { dryRun: boolean },
  { terminal, json }: CommandContext,
): Promise<void> {
  await withStore(folder, false, async (store) => {
    const result = await store.gc({ dryRun })
    if (json) return terminal.json(result)
    const { removed, bytes, spared } = result
    terminal.say(
      `${dryRun ? 'would remove' : 'removed'} ${removed.length} blobs of ${bytes} bytes; ${spared} are too young`,
    )
  })
}
