import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { RegimenError } from '@regimen/core'
import { openSqlite } from '@regimen/core/sqlite'
import { explained } from '../files.ts'
import type { LogLine } from '../log.ts'
import type { MetadataDriver } from './driver.ts'

/** How {@link sqliteMetadata} opens its database. */
export interface SqliteMetadataOptions {
  /** Refuses to write, and to create the file. @default false */
  readOnly?: boolean
  /** Milliseconds to wait for another process. @default 30000 */
  timeout?: number
}

/**
 * Keeps the log in an SQLite database, the default where there is one: many processes may write, a commit survives a power
 * cut, and a table `log(seq, hash, text)` is open to any SQL tool. Where Node has no SQLite and `better-sqlite3` is not
 * installed, `fileMetadata` does the same without it.
 *
 * ```ts
 * import { mkdtemp } from 'node:fs/promises'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { hasSqlite } from '@regimen/core/sqlite'
 * import { sqliteMetadata } from '@regimen/store'
 *
 * if (hasSqlite()) {
 *   const metadata = sqliteMetadata(join(await mkdtemp(join(tmpdir(), 'store-')), 'log.sqlite'))
 *   await metadata.read(1, 10) // => []
 *   await metadata.close()
 * }
 * ```
 */
export function sqliteMetadata(path: string, options: SqliteMetadataOptions = {}): MetadataDriver {
  const { readOnly = false, timeout = 30_000 } = options
  if (!readOnly) mkdirSync(dirname(path), { recursive: true })
  // No write-ahead log: in that mode SQLite cannot read in a folder that it may not write to.
  const database = openSqlite(path, { readOnly, timeout, wal: false, synchronous: 'full' })
  if (database.prepare('PRAGMA journal_mode').get()?.journal_mode === 'delete') {
    // To overwrite the head of the journal costs a fifth of emptying or deleting it.
    database.exec('PRAGMA journal_mode = PERSIST')
  }
  if (!readOnly) {
    database.exec('CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, text TEXT NOT NULL)')
  }
  const last = database.prepare('SELECT max(seq) AS seq FROM log')
  const insert = database.prepare('INSERT INTO log (seq, hash, text) VALUES (?, ?, ?)')
  const select = database.prepare('SELECT seq, hash, text FROM log WHERE seq >= ? ORDER BY seq LIMIT ?')
  return {
    name: 'sqlite',
    async append(lines, head) {
      try {
        return database.transaction(() => {
          if (Number(last.get()?.seq ?? 0) !== head.seq) return false
          for (const { seq, hash, text } of lines) insert.run(seq, hash, text)
          return true
        })
      } catch (error) {
        throw renamed(error)
      }
    },
    read: async (from, limit) =>
      select
        .all(from, limit)
        .map((row): LogLine => ({ seq: Number(row.seq), hash: String(row.hash), text: String(row.text) })),
    close: async () => database.close(),
    async inspect() {
      const rows = database.prepare('PRAGMA integrity_check').all()
      const problems = rows.map((row) => String(Object.values(row)[0])).filter((text) => text !== 'ok')
      return problems.map((problem) => ({ kind: 'damage' as const, problem: `SQLite: ${problem}` }))
    },
  }
}

/** Errors that every driver knows get the name that they have everywhere. */
function renamed(error: unknown): unknown {
  const system = error instanceof RegimenError ? SYSTEM_CODES[error.code] : undefined
  if (system === undefined) return error
  return explained(
    Object.assign(new Error((error as Error).message), { code: system }),
    'store/sqlite-metadata',
    'the log cannot be written',
  )
}

const SYSTEM_CODES: { readonly [code: string]: string } = { SQLITE_READONLY: 'EROFS', SQLITE_FULL: 'ENOSPC' }
