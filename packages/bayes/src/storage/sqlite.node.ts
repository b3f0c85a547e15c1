import { check, describe, RegimenError } from '@regimen/core'
import { openSqlite, type SqliteOptions } from '@regimen/core/sqlite'
import type { StudyStorage } from '../storage.ts'
import { parseEntry } from './codec.ts'

/** Options of {@link sqliteStorage}. */
export interface SqliteStorageOptions {
  /** Name of the study inside the file; one file holds many. @default 'study' */
  study?: string
  /** Milliseconds to wait for another process's lock. @default 30000 */
  timeout?: number
  /** `full` also keeps the last trials through a power cut. @default 'normal' */
  synchronous?: 'normal' | 'full'
}

const APPLICATION_ID = 0x5267626f

/**
 * Keeps studies in an SQLite file in write-ahead mode: for several processes that search together, on one machine. Every
 * process appends entries to one table and reads those that it has not seen; a trial's number is its place in that order, so
 * no number is given twice and no trial is lost, whichever process is killed. For one process `journalStorage` needs no
 * database. Needs Node 22.13 or `better-sqlite3`; not for network file systems.
 *
 * ```ts
 * import { openStudy } from '@regimen/bayes'
 * import { sqliteStorage } from '@regimen/bayes/sqlite'
 * import { hasSqlite } from '@regimen/core/sqlite'
 *
 * if (hasSqlite()) {
 *   const study = openStudy({ direction: 'minimize', storage: sqliteStorage(':memory:') })
 *   await study.optimize((trial) => trial.float('x', -1, 1) ** 2, { trials: 5 })
 *   study.completed.length // => 5
 *   study.close()
 * }
 * ```
 */
export function sqliteStorage(path: string, options: SqliteStorageOptions = {}): StudyStorage {
  const { study = 'study', timeout = 30_000, synchronous = 'normal' } = options
  const where = 'bayes/sqlite'
  check(typeof study === 'string' && study !== '', where, () => `study must be a name, got ${describe(study)}.`)
  const database = openSqlite(path, { timeout, synchronous } satisfies SqliteOptions)
  try {
    database.transaction(() => {
      const id = database.prepare('PRAGMA application_id').get()!.application_id
      const tables = database.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").get()!.n
      if (id !== APPLICATION_ID && tables !== 0) {
        throw new RegimenError(`${path} is a database of another application.`, {
          code: 'FOREIGN_STUDY',
          where,
          hint: 'Pass a file that sqliteStorage wrote, or a new path.',
        })
      }
      database.exec(`PRAGMA application_id = ${APPLICATION_ID};
        CREATE TABLE IF NOT EXISTS entries (position INTEGER PRIMARY KEY AUTOINCREMENT, study TEXT NOT NULL, entry TEXT NOT NULL);
        CREATE INDEX IF NOT EXISTS entries_of_study ON entries (study, position)`)
    })
    const insert = database.prepare('INSERT INTO entries (study, entry) VALUES (?, ?)')
    const select = database.prepare(
      'SELECT position, entry FROM entries WHERE study = ? AND position > ? ORDER BY position',
    )
    let seen = 0
    return {
      append(added) {
        database.transaction(() => {
          for (const entry of added) insert.run(study, JSON.stringify(entry))
        })
      },
      read() {
        const rows = select.all(study, seen)
        const entries = rows.map((row) => parseEntry(String(row.entry), `${path}: entry ${row.position}`))
        if (rows.length > 0) seen = rows.at(-1)!.position as number
        return entries
      },
      close: () => database.close(),
    }
  } catch (error) {
    database.close()
    throw error
  }
}
