// A life of a spilled buffer that may be killed at any moment: after every few samples it puts a snapshot in place of the last one.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { spilledReplay } from '../src/index.ts'
import { folderBlobs, openSpilled, sampleOf } from './spilled-run.ts'

const [file, folder, samples] = [process.argv[2]!, process.argv[3]!, Number(process.argv[4])]
const blobs = folderBlobs(folder)
const buffer = existsSync(file)
  ? await spilledReplay({ blobs, snapshot: decodeSnapshot(readFileSync(file)) })
  : await openSpilled(blobs)
while (buffer.seen < samples) {
  for (let i = 0; i < 10; i++) await buffer.add(sampleOf(buffer.seen))
  await buffer.draw(3)
  writeFileSync(`${file}.new`, encodeSnapshot(await buffer.snapshot()))
  renameSync(`${file}.new`, file)
  await buffer.sweep()
  process.stdout.write('.')
}
