import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasSqlite } from '@regimen/core/sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import {
  fileMetadata,
  folderBlobs,
  memoryBlobs,
  memoryMetadata,
  openStore,
  postgresMetadata,
  s3Blobs,
  sqliteMetadata,
} from '../src/index.ts'
import { testBlobs, testMetadata } from './drivers.ts'
import { signatureGate } from './sigv4.ts'
import { codeOf, freshFolder, weights } from './support.ts'

testMetadata('fileMetadata', async () => {
  const path = join(freshFolder(), 'log.txt')
  return () => fileMetadata(path)
})

testMetadata('memoryMetadata', async () => {
  const shared = memoryMetadata()
  return () => shared
})

if (hasSqlite()) {
  testMetadata('sqliteMetadata', async () => {
    const path = join(freshFolder(), 'log.sqlite')
    return () => sqliteMetadata(path)
  })
} else it.skip('sqliteMetadata: this Node has no SQLite and better-sqlite3 is not installed', () => {})

testBlobs('memoryBlobs', async () => memoryBlobs())
testBlobs('folderBlobs', async () => folderBlobs(freshFolder()))

const postgres = startPostgres()
if (typeof postgres === 'string') it.skip(`postgresMetadata: ${postgres}`, () => {})
else {
  let tables = 0
  testMetadata('postgresMetadata', async () => {
    const table = `log_${tables++}`
    return () => postgresMetadata({ ...postgres.connection, table, max: 2 })
  })
  afterAll(postgres.stop)
}

const s3 = await startS3()
if (typeof s3 === 'string') it.skip(`s3Blobs: ${s3}`, () => {})
else {
  let prefixes = 0
  const open = async () => s3Blobs({ ...s3.options, prefix: `p${prefixes++}/` })
  testBlobs('s3Blobs', open)
  describe('s3Blobs', () => {
    it('goes on listing where a page ends', async () => {
      const blobs = await open()
      const names = Array.from({ length: 7 }, (_, i) => String(i).repeat(64))
      for (const name of names) await blobs.write(name, new Uint8Array([1]))
      const listed: string[] = []
      for await (const { name } of blobs.list()) listed.push(name)
      expect(listed).toEqual(names)
    })

    it('says what the service said', async () => {
      const blobs = s3Blobs({ ...s3.options, accessKeyId: 'nobody' })
      expect(await codeOf(blobs.write('1'.repeat(64), new Uint8Array(1)))).toBe('STORE_IO')
      expect(s3.refused).toEqual([])
      const stranger = s3Blobs({ ...s3.options, secretAccessKey: 'wrong' })
      expect(await codeOf(stranger.write('1'.repeat(64), new Uint8Array(1)))).toBe('STORE_IO')
      expect(s3.refused).toEqual(['SignatureDoesNotMatch'])
      const gone = s3Blobs({ ...s3.options, bucket: 'no-such-bucket' })
      expect(await codeOf(gone.write('1'.repeat(64), new Uint8Array(1)))).toBe('STORE_IO')
    })
  })
  afterAll(s3.stop)
}

describe('a store without a folder', () => {
  const metadata = typeof postgres === 'string' ? memoryMetadata() : postgresMetadata({ ...postgres.connection })
  const blobs = typeof s3 === 'string' ? memoryBlobs() : s3Blobs(s3.options)
  it(`works over ${metadata.name} and ${blobs.name}`, async () => {
    const store = await openStore({ metadata, blobs })
    const model = store.model('m')
    for (const seed of [1, 2]) await model.publish({ snapshot: weights(seed), reason: 'x' })
    await model.promote(2, 'champion', { reason: 'x' })
    expect(await model.at('champion').snapshot()).toEqual(weights(2))
    await model.remove(1, { reason: 'x' })
    expect((await store.gc({ grace: 0 })).removed.length).toBe(1)
    expect((await store.fsck()).clean).toBe(true)
    const backup = freshFolder()
    await store.backup(backup)
    const copy = await openStore(backup, { readOnly: true })
    expect(copy.head).toEqual(store.head)
    expect(await copy.model('m').at('champion').snapshot()).toEqual(weights(2))
    await copy.close()
    await store.close()
  })
})

/** A private PostgreSQL in a temporary folder, or why there is none. It refuses to run as root, so root lends it a user. */
function startPostgres(): string | { connection: { host: string; user: string; database: string }; stop: () => void } {
  const installed = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql').sort().reverse() : []
  const bin = installed
    .map((version) => `/usr/lib/postgresql/${version}/bin`)
    .find((path) => existsSync(`${path}/initdb`))
  if (bin === undefined) return 'PostgreSQL is not installed'
  const folder = mkdtempSync(join(tmpdir(), 'regimen-pg-'))
  const identity: Partial<User> | undefined = process.getuid?.() === 0 ? userOf('postgres') : {}
  if (identity === undefined) return 'there is no user postgres to run it as'
  if (identity.uid !== undefined) chownSync(folder, identity.uid, identity.gid!)
  const options = { ...identity, cwd: folder, stdio: 'ignore' as const }
  try {
    execFileSync(`${bin}/initdb`, ['-D', 'data', '-A', 'trust', '-U', 'store', '--no-sync'], options)
    const settings = `-c listen_addresses= -c unix_socket_directories=${folder} -c fsync=off`
    execFileSync(`${bin}/pg_ctl`, ['-D', 'data', '-w', '-o', settings, 'start'], options)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    return `PostgreSQL does not start: ${String(error).split('\n')[0]}`
  }
  return {
    connection: { host: folder, user: 'store', database: 'postgres' },
    stop: () => {
      spawnSync(`${bin}/pg_ctl`, ['-D', 'data', '-m', 'immediate', 'stop'], options)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface User {
  uid: number
  gid: number
}

function userOf(name: string): User | undefined {
  const ids = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }))
  if (ids.some(({ status }) => status !== 0)) return undefined
  return { uid: Number(ids[0]!.stdout), gid: Number(ids[1]!.stdout) }
}

/** An S3-compatible server, or why there is none. */
async function startS3() {
  let Server: typeof import('s3rver').default
  try {
    Server = (await import('s3rver')).default
  } catch {
    return 'the package s3rver is not installed'
  }
  const directory = join(freshFolder(), 's3')
  mkdirSync(directory)
  chmodSync(directory, 0o700)
  const server = new Server({ port: 0, silent: true, directory, configureBuckets: [{ name: 'models' }] })
  // It does not look at signatures of version 4 by itself.
  const gate = await signatureGate((await server.run()).port, 'S3RVER', 'us-east-1', 3)
  return {
    refused: gate.refused,
    options: {
      endpoint: `http://127.0.0.1:${gate.port}`,
      bucket: 'models',
      accessKeyId: 'S3RVER',
      secretAccessKey: 'S3RVER',
    },
    stop: async () => {
      gate.close()
      await server.close()
    },
  }
}
