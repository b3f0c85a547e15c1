import { check, describe, RegimenError } from '@regimen/core'
import type { Pool, PoolConfig } from 'pg'
import type { LogLine } from '../log.ts'
import type { MetadataDriver } from './driver.ts'

/** Where {@link postgresMetadata} finds its database. */
export interface PostgresMetadataOptions {
  /** All of it in one: `postgres://user:password@host:port/database`. */
  connectionString?: string
  /** Host name, or the directory of a Unix socket. @default 'localhost' */
  host?: string
  /** TCP port, 1 to 65535. @default 5432 */
  port?: number
  user?: string
  password?: string
  database?: string
  /** Encrypts the connection; an object is handed to Node's TLS. @default false */
  ssl?: boolean | { readonly [option: string]: unknown }
  /** Most connections at a time, 1 or more. @default 10 */
  max?: number
  /** Table of the log; made when it does not exist. One store, one table. @default 'regimen_log' */
  table?: string
}

const UNIQUE_VIOLATION = '23505'

/**
 * Keeps the log in a PostgreSQL table, for stores that several machines share. Needs the package `pg`, which is loaded on first
 * use. The primary key is the record's number, so of two writers who continue the same record the database lets one in.
 *
 * ```ts no-run
 * import { openStore, postgresMetadata, s3Blobs } from '@regimen/store'
 *
 * const store = await openStore({
 *   metadata: postgresMetadata({ connectionString: 'postgres://trader@db/models' }),
 *   blobs: s3Blobs({ endpoint: 'https://s3.example.com', bucket: 'models', accessKeyId: 'id', secretAccessKey: 'key' }),
 * })
 * ```
 */
export function postgresMetadata(options: PostgresMetadataOptions): MetadataDriver {
  const { table = 'regimen_log', ...config } = options
  check(
    /^[a-z_][a-z0-9_]{0,62}$/.test(table),
    'store/postgres-metadata',
    () => `table must be a lower-case identifier, got ${describe(table)}.`,
  )
  let opening: Promise<Pool> | undefined
  const open = (): Promise<Pool> => {
    opening ??= connect(config, table)
    return opening
  }
  return {
    name: 'postgres',
    async append(lines, head) {
      const pool = await open()
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        const { rows } = await client.query<{ hash: string }>(`SELECT hash FROM ${table} ORDER BY seq DESC LIMIT 1`)
        if (head.seq > 0 ? rows[0]?.hash !== head.hash : rows.length > 0) {
          await client.query('ROLLBACK')
          return false
        }
        await client.query(
          `INSERT INTO ${table} (seq, hash, text) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])`,
          [lines.map(({ seq }) => seq), lines.map(({ hash }) => hash), lines.map(({ text }) => text)],
        )
        await client.query('COMMIT')
        return true
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {})
        if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) return false
        throw failed(error)
      } finally {
        client.release()
      }
    },
    async read(from, limit) {
      try {
        const { rows } = await (await open()).query<{ seq: string; hash: string; text: string }>(
          `SELECT seq, hash, text FROM ${table} WHERE seq >= $1 ORDER BY seq LIMIT $2`,
          [from, limit],
        )
        return rows.map((row): LogLine => ({ ...row, seq: Number(row.seq) }))
      } catch (error) {
        throw failed(error)
      }
    },
    async close() {
      await (await opening)?.end()
      opening = undefined
    },
  }
}

async function connect(config: PoolConfig, table: string): Promise<Pool> {
  let pg: typeof import('pg')
  try {
    pg = await import('pg')
  } catch (cause) {
    throw new RegimenError('the package pg is not installed.', {
      code: 'MISSING_PACKAGE',
      where: 'store/postgres-metadata',
      hint: 'Install it: npm install pg.',
      cause,
    })
  }
  const pool = new pg.default.Pool(config)
  // An idle connection that breaks is replaced by the next query; without a listener it would end the process.
  pool.on('error', () => {})
  const make = `CREATE TABLE IF NOT EXISTS ${table} (seq bigint PRIMARY KEY, hash text NOT NULL, text text NOT NULL)`
  // Two who create a table at once may still collide in PostgreSQL's catalogue; the second finds it there.
  await pool.query(make).catch(() => pool.query(make))
  return pool
}

function failed(error: unknown): RegimenError {
  if (error instanceof RegimenError) return error
  return new RegimenError(`the database failed: ${error instanceof Error ? error.message : String(error)}.`, {
    code: 'STORE_IO',
    where: 'store/postgres-metadata',
    hint: 'What was committed before is intact; look at the cause.',
    cause: error,
  })
}
