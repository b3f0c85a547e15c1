import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasSqlite, openSqlite } from '@regimen/core/sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

describe.skipIf(!hasSqlite())('sqlite', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'regimen-sqlite-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('keeps numbers, text, blobs and null', () => {
    const database = openSqlite(':memory:')
    database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, x REAL, s TEXT, b BLOB, n TEXT)')
    const insert = database.prepare('INSERT INTO t (x, s, b, n) VALUES (?, ?, ?, ?)')
    expect(insert.run(0.1, 'é', Uint8Array.of(1, 255), null)).toEqual({ changes: 1, lastInsertRowid: 1 })
    const row = database.prepare('SELECT * FROM t WHERE id = ?').get(1)!
    expect(row.id).toBe(1)
    expect(row.x).toBe(0.1)
    expect(row.s).toBe('é')
    expect(Array.from(row.b as Uint8Array)).toEqual([1, 255])
    expect(row.n).toBeNull()
    expect(database.prepare('SELECT * FROM t WHERE id = ?').get(2)).toBeUndefined()
    database.close()
  })

  it('rolls a failed transaction back and joins nested ones', () => {
    const database = openSqlite(join(folder, 'rollback.db'))
    database.exec('CREATE TABLE t (x INTEGER UNIQUE)')
    const insert = database.prepare('INSERT INTO t VALUES (?)')
    database.transaction(() => database.transaction(() => insert.run(1)))
    expect(() =>
      database.transaction(() => {
        insert.run(2)
        insert.run(1)
      }),
    ).toThrow(expect.objectContaining({ code: 'SQLITE_CONSTRAINT' }))
    expect(database.prepare('SELECT x FROM t').all()).toEqual([{ x: 1 }])
    database.close()
  })

  it('lets readers read while a writer writes, and makes a second writer wait its timeout', () => {
    const path = join(folder, 'two.db')
    const first = openSqlite(path)
    first.exec('CREATE TABLE t (x INTEGER)')
    const second = openSqlite(path, { timeout: 1 })
    first.transaction(() => {
      first.exec('INSERT INTO t VALUES (1)')
      expect(second.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 0 })
      expect(() => second.transaction(() => {})).toThrow(expect.objectContaining({ code: 'SQLITE_BUSY' }))
    })
    expect(second.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 1 })
    first.close()
    second.close()
  })

  it('names what is wrong with a foreign file, a missing folder and a closed database', () => {
    const foreign = join(folder, 'foreign.db')
    writeFileSync(foreign, 'this is a text file that is long enough to hold a header, but is no database'.repeat(20))
    expect(() => openSqlite(foreign)).toThrow(expect.objectContaining({ code: 'SQLITE_NOTADB' }))
    expect(() => openSqlite(join(folder, 'none', 'x.db'))).toThrow(expect.objectContaining({ code: 'SQLITE_CANTOPEN' }))
    const closed = openSqlite(':memory:')
    closed.close()
    closed.close()
    expect(() => closed.exec('SELECT 1')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    expect(() => openSqlite('')).toThrow('[core/sqlite] path must name a file, got "".')
  })
})
