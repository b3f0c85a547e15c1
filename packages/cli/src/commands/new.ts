import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { check, RegimenError } from '@regimen/core'
import type { CommandContext } from './context.ts'

/** Writes a package with an algorithm of one's own: a learner with a snapshot, and a test of it. */
export async function newCommand(name: string, { terminal, json }: CommandContext): Promise<void> {
  check(
    /^[a-z][a-z0-9-]*$/.test(name),
    'new',
    () => `a name is made of a-z, 0-9 and -, and begins with a letter; got ${JSON.stringify(name)}.`,
  )
  if (existsSync(name)) {
    throw new RegimenError(`${name} is already there.`, { code: 'EXISTS', where: 'new', hint: 'Take another name.' })
  }
  const files = templates(name)
  for (const [path, content] of Object.entries(files)) {
    const whole = join(name, path)
    await mkdir(join(whole, '..'), { recursive: true })
    await writeFile(whole, content)
  }
  if (json) return terminal.json({ folder: name, files: Object.keys(files) })
  terminal.say(
    `written: ${Object.keys(files)
      .map((path) => join(name, path))
      .join(', ')}`,
  )
  terminal.say(`next:    cd ${name} && npm install && npm test`)
}

function templates(name: string): { readonly [path: string]: string } {
  const manifest = {
    name,
    version: '0.1.0',
    type: 'module',
    exports: { '.': './src/index.js' },
    scripts: { test: 'node --test' },
    dependencies: { '@regimen/core': '^0.1.0' },
  }
  return {
    'package.json': `${JSON.stringify(manifest, null, 2)}\n`,
    'README.md': `# ${name}\n\nA running mean with forgetting, as a start: replace it by your algorithm.\n`,
    'src/index.js': `import { check, createSnapshot, isSnapshot, restore, schema } from '@regimen/core'

const ID = '${name}/running-mean'
const STATE = schema.object({ mean: schema.number(), count: schema.integer({ min: 0 }) })

/** Follows the mean of a stream; \`rate\` is the weight of the newest value, above 0 and at most 1. */
export const runningMean = {
  id: ID,
  version: 1,
  open(from) {
    const saved = isSnapshot(from) ? restore(from, { id: ID, version: 1, state: STATE }) : undefined
    const { rate } = saved ? saved.config : from
    check(rate > 0 && rate <= 1, ID, () => \`rate must be above 0 and at most 1, got \${rate}.\`)
    let { mean, count } = saved ? saved.state : { mean: 0, count: 0 }
    return {
      update(x) {
        count++
        mean += Math.max(rate, 1 / count) * (x - mean)
      },
      predict: () => mean,
      snapshot: () => createSnapshot({ id: ID, version: 1, config: { rate }, state: { mean, count } }),
      dispose() {},
    }
  },
}
`,
    'test/running-mean.test.js': `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runningMean } from '../src/index.js'

test('follows the mean and continues from its snapshot', () => {
  const live = runningMean.open({ rate: 0.5 })
  // 4; then 4 + (8 − 4) / 2 = 6; then 6 + (2 − 6) / 2 = 4
  for (const x of [4, 8]) live.update(x)
  assert.equal(live.predict(), 6)
  const again = runningMean.open(live.snapshot())
  again.update(2)
  assert.equal(again.predict(), 4)
})
`,
  }
}
