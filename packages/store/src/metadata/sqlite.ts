import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { openSqlite } from '@regimen/core/sqlite'
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
  const database = openSqlite(path, { readOnly, timeout, synchronous: 'full' })
  if (!readOnly) {
    database.exec('CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, text TEXT NOT NULL)')
  }
  const last = database.prepare('SELECT max(seq) AS seq FROM log')
  const insert = database.prepare('INSERT INTO log (seq, hash, text) VALUES (?, ?, ?)')
  const select = database.prepare('SELECT seq, hash, text FROM log WHERE seq >= ? ORDER BY seq LIMIT ?')
  return {
    name: 'sqlite',
    append: async (lines, head) =>
      database.transaction(() => {
        if (Number(last.get()?.seq ?? 0) !== head.seq) return false
        for (const { seq, hash, text } of lines) insert.run(seq, hash, text)
        return true
      }),
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
