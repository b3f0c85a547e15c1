// A life of the stream learner that may be killed at any moment: after every bar it puts a snapshot in place of the last one.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { openOnlineLearner } from '../src/index.ts'
import { feed, killed } from './stream.ts'

const [file, bars] = [process.argv[2]!, Number(process.argv[3])]
const learner = openOnlineLearner(killed, existsSync(file) ? decodeSnapshot(readFileSync(file)) : undefined)
for (let t = learner.report().observed; t < bars; t++) {
  await feed(learner, t, t + 1)
  writeFileSync(`${file}.new`, encodeSnapshot(learner.snapshot()))
  renameSync(`${file}.new`, file)
  process.stdout.write('.')
}
await learner.dispose()
