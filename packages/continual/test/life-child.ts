// A life that may be killed at any moment: after every step it puts a snapshot in place of the last one.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { openLife, saveLife, stepLife } from './lives.ts'

const [file, steps] = [process.argv[2]!, Number(process.argv[3])]
let life = openLife(existsSync(file) ? decodeSnapshot(readFileSync(file)) : undefined)
while (life.steps < steps) {
  life = await stepLife(life)
  writeFileSync(`${file}.new`, encodeSnapshot(saveLife(life)))
  renameSync(`${file}.new`, file)
  process.stdout.write('.')
}
await life.net.dispose()
