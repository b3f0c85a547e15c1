import { createRequire } from 'node:module'
import { check, describe, RegimenError } from './errors.ts'

/** What a column of a row can hold, and what a placeholder `?` can be given. */
export type SqliteValue = null | number | bigint | string | Uint8Array

/** One row of an answer, by column name. */
export interface SqliteRow {
  [column: string]: SqliteValue
}

/** A prepared statement; values fill the `?` in order. */
export interface SqliteStatement {
  /** Runs a statement that changes something. */
  run(...values: SqliteValue[]): { readonly changes: number; readonly lastInsertRowid: number }
  /** The first row, or undefined where there is none. */
  get(...values: SqliteValue[]): SqliteRow | undefined
  /** All rows. */
  all(...values: SqliteValue[]): SqliteRow[]
}

/** An open database. Every call is synchronous; every error is a `RegimenError` with a code such as `SQLITE_BUSY`. */
export interface SqliteDatabase {
  /** The library underneath. */
  readonly engine: 'node:sqlite' | 'better-sqlite3'
  /** Runs statements that return nothing, separated by semicolons. */
  exec(sql: string): void
  prepare(sql: string): SqliteStatement
  /**
   * Runs `work` between `BEGIN IMMEDIATE` and `COMMIT`, and rolls back when it throws. It takes the write lock at once, so
   * that no other process can step between a read and the write that rests on it. A nested call joins the outer one.
   */
  transaction<T>(work: () => T): T
  close(): void
}

/** How {@link openSqlite} opens. */
export interface SqliteOptions {
  /** Refuses to write, and to create the file. @default false */
  readOnly?: boolean
  /** Milliseconds to wait for another process's lock. @default 30000 */
  timeout?: number
  /**
   * Journal in write-ahead mode, in which readers never wait for the writer. Ignored for read-only and in-memory databases.
   * @default true
   */
  wal?: boolean
  /**
   * `normal` survives a killed process; `full` also keeps the last commits through a power cut, at one disk flush each.
   * @default 'normal'
   */
  synchronous?: 'normal' | 'full'
}

/** The part that `node:sqlite` and `better-sqlite3` have in common. */
interface NativeStatement {
  run(...values: SqliteValue[]): { changes: number | bigint; lastInsertRowid: number | bigint }
  get(...values: SqliteValue[]): unknown
  all(...values: SqliteValue[]): unknown[]
}

interface NativeDatabase {
  exec(sql: string): unknown
  prepare(sql: string): NativeStatement
  close(): unknown
}

interface Engine {
  readonly name: SqliteDatabase['engine']
  open(path: string, readOnly: boolean): NativeDatabase
}

const WHERE = 'core/sqlite'
const PRIMARY_CODES: { readonly [code: number]: string } = {
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  19: 'SQLITE_CONSTRAINT',
  26: 'SQLITE_NOTADB',
}

/**
 * Opens an SQLite database, synchronously: with `node:sqlite` where Node has it (22.13 or newer), else with `better-sqlite3`
 * where the app has installed it. Both give the same interface, the same rows and the same error codes. For one process that
 * keeps a few values a file of your own is simpler; choose this where several processes write, or where a kill must not lose
 * what was committed. Rows hold integers as numbers: beyond 2^53 store text.
 *
 * ```ts
 * import { hasSqlite, openSqlite } from '@regimen/core/sqlite'
 *
 * if (hasSqlite()) {
 *   const database = openSqlite(':memory:')
 *   database.exec('CREATE TABLE model (name TEXT, score REAL)')
 *   database.prepare('INSERT INTO model VALUES (?, ?)').run('trend', 0.5)
 *   database.prepare('SELECT * FROM model').all() // => [{ name: 'trend', score: 0.5 }]
 *   database.close()
 * }
 * ```
 *
 * Reference: https://www.sqlite.org/wal.html
 */
export function openSqlite(path: string, options: SqliteOptions = {}): SqliteDatabase {
  const { readOnly = false, timeout = 30_000, wal = true, synchronous = 'normal' } = options
  check(typeof path === 'string' && path !== '', WHERE, () => `path must name a file, got ${describe(path)}.`)
  check(
    Number.isInteger(timeout) && timeout >= 0,
    WHERE,
    () => `timeout must be whole milliseconds of at least 0, got ${describe(timeout)}.`,
  )
  const engine = findEngine()
  if (engine === undefined) {
    throw new RegimenError('this Node has no node:sqlite, and better-sqlite3 is not installed.', {
      code: 'SQLITE_MISSING',
      where: WHERE,
      hint: 'Run on Node 22.13 or newer, or install it: npm install better-sqlite3.',
    })
  }
  const native = translated(path, () => engine.open(path, readOnly))
  try {
    translated(path, () => {
      native.exec(`PRAGMA busy_timeout = ${timeout}`)
      // Opening checks nothing; the first read does.
      native.prepare('SELECT count(*) AS n FROM sqlite_master').get()
    })
    if (wal && !readOnly && path !== ':memory:') switchToWal(native, path, timeout)
    native.exec(`PRAGMA synchronous = ${synchronous}`)
  } catch (error) {
    native.close()
    throw error
  }
  return wrap(engine.name, native, path)
}

/**
 * Tells whether {@link openSqlite} can work here: Node has `node:sqlite`, or `better-sqlite3` is installed and loads.
 *
 * ```ts
 * import { hasSqlite } from '@regimen/core/sqlite'
 *
 * typeof hasSqlite() // => 'boolean'
 * ```
 */
export function hasSqlite(): boolean {
  return findEngine() !== undefined
}

let found: Engine | null | undefined

function findEngine(): Engine | undefined {
  found ??= builtinEngine() ?? installedEngine() ?? null
  return found ?? undefined
}

function builtinEngine(): Engine | undefined {
  const module = process.getBuiltinModule?.('node:sqlite') as
    | { DatabaseSync: new (path: string, options: { readOnly: boolean }) => NativeDatabase }
    | undefined
  if (module === undefined) return undefined
  return { name: 'node:sqlite', open: (path, readOnly) => new module.DatabaseSync(path, { readOnly }) }
}

function installedEngine(): Engine | undefined {
  try {
    const Database = createRequire(import.meta.url)('better-sqlite3') as new (
      path: string,
      options: { readonly: boolean },
    ) => NativeDatabase
    // Its binary is loaded by the first constructor call, and may have been built for another Node.
    new Database(':memory:', { readonly: false }).close()
    return { name: 'better-sqlite3', open: (path, readOnly) => new Database(path, { readonly: readOnly }) }
  } catch {
    return undefined
  }
}

/** SQLite does not wait for locks while it changes the journal mode, so this does. */
function switchToWal(native: NativeDatabase, path: string, timeout: number): void {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let waited = 0; ; waited += 5) {
    try {
      translated(path, () => native.prepare('PRAGMA journal_mode = WAL').get())
      return
    } catch (error) {
      if (!isBusy(error) || waited >= timeout) throw error
      Atomics.wait(pause, 0, 0, 5)
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof RegimenError && (error.code === 'SQLITE_BUSY' || error.code === 'SQLITE_LOCKED')
}

function wrap(engine: SqliteDatabase['engine'], native: NativeDatabase, path: string): SqliteDatabase {
  let depth = 0
  let open = true
  const guarded = <T>(work: () => T): T => {
    if (!open) throw new RegimenError(`the database ${path} is closed.`, { code: 'CLOSED', where: WHERE })
    return translated(path, work)
  }
  return {
    engine,
    exec: (sql) => void guarded(() => native.exec(sql)),
    prepare(sql) {
      const statement = guarded(() => native.prepare(sql))
      return {
        run: (...values) =>
          guarded(() => {
            const { changes, lastInsertRowid } = statement.run(...values)
            return { changes: Number(changes), lastInsertRowid: Number(lastInsertRowid) }
          }),
        get: (...values) => guarded(() => plainRow(statement.get(...values))),
        all: (...values) => guarded(() => statement.all(...values).map((row) => plainRow(row)!)),
      }
    },
    transaction(work) {
      if (depth > 0) return work()
      guarded(() => native.exec('BEGIN IMMEDIATE'))
      depth++
      try {
        const result = work()
        guarded(() => native.exec('COMMIT'))
        return result
      } catch (error) {
        try {
          native.exec('ROLLBACK')
        } catch {
          // SQLite itself has rolled back already (disk full, say); the first error is the one to tell.
        }
        throw error
      } finally {
        depth--
      }
    },
    close() {
      if (!open) return
      open = false
      native.close()
    },
  }
}

/** node:sqlite makes rows without a prototype, which deep comparisons tell apart. */
function plainRow(row: unknown): SqliteRow | undefined {
  return row === undefined || row === null ? undefined : { ...(row as SqliteRow) }
}

function translated<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const { code, errcode } = error as { code?: unknown; errcode?: unknown }
    let name = 'SQLITE_ERROR'
    if (typeof errcode === 'number') name = PRIMARY_CODES[errcode & 0xff] ?? name
    else if (typeof code === 'string' && code.startsWith('SQLITE_')) name = code.split('_').slice(0, 2).join('_')
    else if (error instanceof TypeError && String(error.message).includes('directory does not exist'))
      name = 'SQLITE_CANTOPEN'
    throw new RegimenError(`${path}: ${error instanceof Error ? error.message : String(error)}.`, {
      code: name,
      where: WHERE,
      cause: error,
      ...(HINTS[name] === undefined ? {} : { hint: HINTS[name] }),
    })
  }
}

const HINTS: { readonly [code: string]: string } = {
  SQLITE_BUSY: 'Another process holds the lock; raise { timeout }.',
  SQLITE_CANTOPEN: 'Check that the folder exists and that the file may be read and written.',
  SQLITE_CORRUPT: 'Restore the file from a backup.',
  SQLITE_NOTADB: 'The file is not an SQLite database; pass another path.',
}
