import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { memoryStorage, openStudy, randomSampler, type StudyEntry, type StudyStorage } from '@regimen/bayes'
import { journalStorage } from '@regimen/bayes/journal'
import { sqliteStorage } from '@regimen/bayes/sqlite'
import { Rng } from '@regimen/core'
import { hasSqlite, openSqlite } from '@regimen/core/sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const FULL = process.env.REGIMEN_FULL === '1'
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'regimen-study-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const drivers: { name: string; open: (path: string) => StudyStorage; persists: boolean; skip?: boolean }[] = [
  { name: 'memory', open: () => memoryStorage(), persists: false },
  { name: 'journal', open: (path) => journalStorage(path, { durable: false }), persists: true },
  { name: 'sqlite', open: (path) => sqliteStorage(path), persists: true, skip: !hasSqlite() },
]

describe.each(drivers.filter((driver) => !driver.skip))('the $name driver', ({ name, open, persists }) => {
  const entries: StudyEntry[] = [
    { t: 'study', format: 1, name: 'é ✓\n', directions: ['minimize'], time: 1 },
    { t: 'start', worker: 'w', key: 0, time: 2 },
    { t: 'finish', n: 0, state: 'complete', values: [0.1 + 0.2, 1e-300], time: 3 },
  ]

  it('hands every entry out once, in order, its own included', () => {
    const storage = open(join(folder, `${name}-order`))
    storage.append(entries.slice(0, 2))
    storage.append(entries.slice(2))
    expect(storage.read()).toEqual(entries)
    expect(storage.read()).toEqual([])
    storage.close()
  })

  it.skipIf(!persists)('gives the same entries back after it was closed', () => {
    const path = join(folder, `${name}-again`)
    const first = open(path)
    first.append(entries)
    first.close()
    const second = open(path)
    expect(second.read()).toEqual(entries)
    second.close()
  })

  it('carries a study', async () => {
    const path = join(folder, `${name}-study`)
    const study = openStudy({ direction: 'minimize', storage: open(path), seed: 1 })
    await study.optimize(
      (trial) => {
        const x = trial.float('x', -1, 1)
        trial.report(Number.NaN, 0)
        return x * x
      },
      { trials: 20 },
    )
    const before = study.trials.map((t) => [t.params, t.values, [...t.reports]])
    study.close()
    if (!persists) return
    const again = openStudy({ direction: 'minimize', storage: open(path), seed: 1 })
    expect(again.trials.map((t) => [t.params, t.values, [...t.reports]])).toEqual(before)
    again.close()
  })
})

describe('the journal', () => {
  it('reads all complete records of a file that is cut at any byte, reports the rest and goes on', async () => {
    const path = join(folder, 'cut.journal')
    const study = openStudy({ direction: 'minimize', storage: journalStorage(path, { durable: false }), worker: 'w' })
    await study.optimize((trial) => trial.float('größe', 0, 1), { trials: FULL ? 4 : 2 })
    study.close()
    const whole = readFileSync(path)
    const ends: number[] = []
    for (const [i, byte] of whole.entries()) if (byte === 10) ends.push(i + 1)
    for (let bytes = 0; bytes <= whole.length; bytes++) {
      writeFileSync(path, whole.subarray(0, bytes))
      const storage = journalStorage(path, { durable: false })
      // A record is complete with its last character; the line end behind it may be missing.
      const complete = ends.filter((end) => end - 1 <= bytes).length
      const kept = complete === 0 ? 0 : Math.min(ends[complete - 1]!, bytes)
      expect(storage.report).toEqual({ records: complete, dropped: bytes - kept, damaged: undefined })
      storage.append([{ t: 'beat', worker: 'w', time: 0 }])
      storage.close()
      const again = journalStorage(path, { durable: false })
      expect(again.report.records).toBe(complete + 1)
      again.close()
    }
  })

  it('says where a file is damaged, and reads what comes before when asked to', async () => {
    const path = join(folder, 'damaged.journal')
    const study = openStudy({ direction: 'minimize', storage: journalStorage(path) })
    await study.optimize((trial) => trial.float('x', 0, 1), { trials: 10 })
    study.close()
    const bytes = readFileSync(path)
    const at = bytes.length >> 1
    bytes[at]! ^= 1
    writeFileSync(path, bytes)
    expect(() => journalStorage(path)).toThrow(expect.objectContaining({ code: 'CORRUPT_STUDY' }))
    const salvaged = journalStorage(path, { salvage: true })
    const record = bytes.subarray(0, at).filter((byte) => byte === 10).length + 1
    expect(salvaged.report.damaged).toBe(record)
    expect(salvaged.read().length).toBe(record - 1)
    expect(() => salvaged.append([])).toThrow('opened for salvage')
  })

  it('refuses foreign files and a second opener, and leaves them as they are', () => {
    const foreign = join(folder, 'notes.txt')
    writeFileSync(foreign, 'buy low\nsell high\n')
    expect(() => journalStorage(foreign)).toThrow(expect.objectContaining({ code: 'FOREIGN_STUDY' }))
    writeFileSync(foreign, 'one line')
    expect(() => journalStorage(foreign)).toThrow(expect.objectContaining({ code: 'FOREIGN_STUDY' }))
    expect(readFileSync(foreign, 'utf8')).toBe('one line')
    const path = join(folder, 'locked.journal')
    const first = journalStorage(path)
    expect(() => journalStorage(path)).toThrow(expect.objectContaining({ code: 'STUDY_LOCKED' }))
    first.close()
    journalStorage(path).close()
    expect(() => journalStorage(join(folder, 'none', 'x'))).toThrow(expect.objectContaining({ code: 'CANNOT_OPEN' }))
  })

  it('takes over the lock of a process that was killed', async () => {
    const path = join(folder, 'killed.journal')
    const rng = new Rng(7)
    let most = 0
    for (let round = 0; round < (FULL ? 50 : 1); round++) {
      const child = start('journal-worker.ts', [path])
      const size = most
      await until(() => completed(path) > size + rng.int(1, 20))
      const told = completed(path)
      child.kill('SIGKILL')
      await new Promise((resolve) => child.on('exit', resolve))
      const study = openStudy({ direction: 'minimize', sampler: randomSampler(), storage: journalStorage(path) })
      expect(study.completed.length).toBeGreaterThanOrEqual(told)
      most = study.completed.length
      study.close()
    }
  }, 600_000)
})

describe.skipIf(!hasSqlite())('the database', () => {
  it('is shared by 8 processes: every trial has its own number and none is lost', async () => {
    const path = join(folder, 'shared.db')
    const each = FULL ? 250 : 15
    const children = Array.from({ length: 8 }, (_, i) => start('worker.ts', [path, String(each), `w${i}`]))
    const mine = await Promise.all(children.map(output))
    const study = openStudy({ direction: 'minimize', storage: sqliteStorage(path) })
    const numbers = mine.flatMap((text) => JSON.parse(text) as number[]).sort((a, b) => a - b)
    expect(numbers).toEqual(Array.from({ length: 8 * each }, (_, i) => i))
    expect(study.completed.length).toBe(8 * each)
    study.close()
  }, 600_000)

  it('keeps every finished trial when processes are killed', async () => {
    const path = join(folder, 'kill.db')
    const rng = new Rng(3)
    for (let round = 0; round < (FULL ? 50 : 1); round++) {
      const child = start('worker.ts', [path, '100000', `k${round}`])
      const before = completedRows(path)
      await until(() => completedRows(path) > before + rng.int(1, 20))
      const told = completedRows(path)
      child.kill('SIGKILL')
      await new Promise((resolve) => child.on('exit', resolve))
      const study = openStudy({ direction: 'minimize', storage: sqliteStorage(path) })
      expect(study.completed.length).toBeGreaterThanOrEqual(told)
      expect(study.trials.every((trial, i) => trial.number === i)).toBe(true)
      study.close()
    }
  }, 600_000)

  it('refuses a foreign database and a file that is none', () => {
    const path = join(folder, 'foreign.db')
    const database = openSqlite(path)
    database.exec('CREATE TABLE orders (id INTEGER)')
    database.close()
    expect(() => sqliteStorage(path)).toThrow(expect.objectContaining({ code: 'FOREIGN_STUDY' }))
    const text = join(folder, 'text.db')
    writeFileSync(text, 'no database at all, but long enough to have a header'.repeat(40))
    expect(() => sqliteStorage(text)).toThrow(expect.objectContaining({ code: 'SQLITE_NOTADB' }))
  })

  it('says that a truncated database is damaged', () => {
    const path = join(folder, 'short.db')
    const study = openStudy({ direction: 'minimize', storage: sqliteStorage(path), sampler: randomSampler() })
    for (let i = 0; i < 200; i++) study.tell(study.ask(), i)
    study.close()
    truncateSync(path, 6000)
    expect(() => openStudy({ direction: 'minimize', storage: sqliteStorage(path) })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^SQLITE_(CORRUPT|NOTADB|IOERR)$/) }),
    )
  })
})

function start(script: string, args: readonly string[]) {
  const file = fileURLToPath(new URL(`./fixtures/${script}`, import.meta.url))
  return spawn(process.execPath, ['--conditions=@regimen/source', '--import', 'tsx', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function output(child: ReturnType<typeof start>): Promise<string> {
  let out = ''
  let problem = ''
  child.stdout!.on('data', (chunk) => {
    out += chunk
  })
  child.stderr!.on('data', (chunk) => {
    problem += chunk
  })
  return new Promise((resolve, reject) =>
    child.on('exit', (code) => (code === 0 ? resolve(out) : reject(new Error(problem)))),
  )
}

function completed(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('"state":"complete"').length - 1
  } catch {
    return 0
  }
}

function completedRows(path: string): number {
  try {
    const database = openSqlite(path)
    const row = database.prepare(`SELECT count(*) AS n FROM entries WHERE entry LIKE '%"state":"complete"%'`).get()!
    database.close()
    return row.n as number
  } catch {
    return 0
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
