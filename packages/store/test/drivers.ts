import { describe, expect, it } from 'vitest'
import type { BlobDriver, MetadataDriver } from '../src/index.ts'
import { chain, EMPTY_LOG, type LogHead, type LogLine } from '../src/log.ts'

function line(head: LogHead, value: number, nonce = 'n'): LogLine {
  return chain({ type: 'test/line', time: 0, reason: 'x', data: { value } }, head, 'tester', nonce)
}

/** What every metadata driver promises; `open` opens the same log anew. */
export function testMetadata(name: string, fresh: () => Promise<() => MetadataDriver>): void {
  describe(`${name} keeps the log`, () => {
    it('is empty at first, and reads back what was appended, in pages and from another connection', async () => {
      const open = await fresh()
      const [a, b] = [open(), open()]
      expect(await a.read(1, 10)).toEqual([])
      const lines: LogLine[] = []
      let head: LogHead = EMPTY_LOG
      for (let i = 0; i < 5; i++) {
        lines.push(line(head, i))
        head = lines[i]!
      }
      expect(await a.append(lines.slice(0, 2), EMPTY_LOG)).toBe(true)
      expect(await a.append(lines.slice(2), lines[1]!)).toBe(true)
      expect(await b.read(1, 10)).toEqual(lines)
      expect(await b.read(2, 2)).toEqual(lines.slice(1, 3))
      expect(await b.read(6, 2)).toEqual([])
      await a.close()
      await b.close()
      const again = open()
      expect(await again.read(1, 10)).toEqual(lines)
      await again.close()
    })

    it('lets only one of those in who continue the same record', async () => {
      const open = await fresh()
      const drivers = Array.from({ length: 4 }, open)
      let head: LogHead = EMPTY_LOG
      for (let round = 0; round < 8; round++) {
        const claims = drivers.map((_, i) => {
          const first = line(head, i, `${round}-${i}`)
          return [first, line(first, i, `${round}-${i}-b`)]
        })
        const won = await Promise.all(drivers.map((driver, i) => driver.append(claims[i]!, head)))
        expect(won.filter(Boolean).length).toBe(1)
        const winner = claims[won.indexOf(true)]!
        expect(await drivers[round % 4]!.read(head.seq + 1, 10)).toEqual(winner)
        head = winner[1]!
      }
      expect(await drivers[0]!.append([line(EMPTY_LOG, 9)], EMPTY_LOG)).toBe(false)
      expect((await drivers[1]!.inspect?.())?.filter(({ kind }) => kind === 'damage') ?? []).toEqual([])
      for (const driver of drivers) await driver.close()
    })

    it('keeps any text: quotes, line breaks, emoji, a megabyte', async () => {
      const open = await fresh()
      const driver = open()
      const texts = ['"\'\\ \n\r\t \u2028', 'Zürich 東京 🏛', 'x'.repeat(900_000)]
      let head: LogHead = EMPTY_LOG
      const lines = texts.map((text) => {
        const next = chain({ type: 'test/text', time: 0, reason: 'x', data: { text } }, head, 'tester', 'n')
        head = next
        return next
      })
      expect(await driver.append(lines, EMPTY_LOG)).toBe(true)
      expect(await driver.read(1, 10)).toEqual(lines)
      await driver.close()
    })
  })
}

/** What every blob driver promises. */
export function testBlobs(name: string, fresh: () => Promise<BlobDriver>): void {
  const [one, two] = ['1'.repeat(64), 'e2'.repeat(32)] as const
  const listed = async (driver: BlobDriver): Promise<string[]> => {
    const names: string[] = []
    for await (const entry of driver.list()) names.push(entry.name)
    return names.sort()
  }
  describe(`${name} keeps blobs`, () => {
    it('reads back what was written, twice too, and lists it', async () => {
      const driver = await fresh()
      const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 251)
      expect(await driver.read(one)).toBeUndefined()
      expect(await driver.stat?.(one)).toBeUndefined()
      await driver.write(one, bytes)
      await driver.write(one, bytes)
      await driver.write(two, new Uint8Array(0))
      expect(Buffer.compare((await driver.read(one))!, bytes)).toBe(0)
      expect((await driver.read(two))!.length).toBe(0)
      expect(await listed(driver)).toEqual([one, two])
      expect(await driver.stat?.(one)).toMatchObject({ name: one, size: 70_000 })
      await driver.close?.()
    })

    it('removes, and puts aside what is damaged', async () => {
      const driver = await fresh()
      await driver.write(one, new Uint8Array([1]))
      await driver.write(two, new Uint8Array([2]))
      await driver.touch?.(one)
      await driver.remove?.(one)
      await driver.remove?.(one)
      expect(await driver.read(one)).toBeUndefined()
      await driver.quarantine?.(two)
      expect(await driver.read(two)).toBeUndefined()
      expect(await listed(driver)).toEqual([])
      await driver.close?.()
    })
  })
}
