// A life of nets that may be killed at any moment: after every task it puts a snapshot in place of the last one.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { openNets, saveNets, stepNets } from './nets.ts'

const [file, steps] = [process.argv[2]!, Number(process.argv[3])]
let life = openNets(existsSync(file) ? decodeSnapshot(readFileSync(file)) : undefined)
while (life.steps < steps) {
  life = await stepNets(life)
  writeFileSync(`${file}.new`, encodeSnapshot(saveNets(life)))
  renameSync(`${file}.new`, file)
  process.stdout.write('.')
}
for (const net of Object.values(life.nets)) await net.dispose()
