// A champion is challenged, replaced by a policy, fails in live trading, and is rolled back without anybody at the desk. A
// running trader follows every change, and the audit log tells the whole story afterwards.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRng, createSnapshot, manualClock, type Snapshot } from '@regimen/core'
import { createGuard, openStore, type PromotionPolicy } from '@regimen/store'

const DAYS = 250
const folder = mkdtempSync(join(tmpdir(), 'store-with-rollback-'))
const clock = manualClock(Date.UTC(2024, 0, 2))
const store = await openStore(folder, { actor: 'research', clock })
const model = store.model('spy-direction')

/** A model that leans with yesterday's return; its edge is the mean of its daily pnl. */
const leaning = (lean: number): Snapshot =>
  createSnapshot({ id: 'example/lean', version: 1, config: {}, state: { lean } })
const market = createRng(3)
const noise = market.fillNormal(new Float64Array(DAYS))
const pnl = (edge: number): number[] => Array.from(noise, (shock, day) => 0.01 * shock + edge + 0.002 * Math.sin(day))

async function publish(lean: number, edge: number, reason: string): Promise<number> {
  const validation = pnl(edge).map((value) => value + 0.0005 * market.normal())
  const mean = validation.reduce((sum, value) => sum + value, 0) / DAYS
  const { version } = await model.publish({
    snapshot: leaning(lean),
    reason,
    params: { lean },
    data: { fingerprint: 'a'.repeat(64), from: Date.UTC(2023, 0, 1), to: Date.UTC(2023, 11, 31) },
    metrics: { validation: { mean } },
    samples: { validation: { pnl: validation } },
    checks: { 'no-lookahead': { passed: true } },
    parents: model.latest > 0 ? [model.latest] : [],
  })
  return version
}

// The trader runs all the while, and picks up a new champion without a restart.
const followed: (number | null)[] = []
const stopWatching = model.watch('champion', (version) => followed.push(version))

const policy: PromotionPolicy = {
  alias: 'champion',
  checks: ['no-lookahead'],
  paired: { dataset: 'validation', sample: 'pnl', direction: 'maximize', alpha: 0.01 },
  coolDown: 7 * 86_400_000,
}
for (const [lean, edge, reason] of [
  [0.2, 0.0004, 'First fit.'],
  [0.25, 0.0004, 'The same edge, other weights.'],
  [0.9, 0.001, 'Twice the edge, in validation.'],
] as const) {
  const candidate = await publish(lean, edge, reason)
  const { promoted, rules } = await model.promoteBy(policy, { candidate })
  const failed = rules.filter(({ passed }) => !passed).map(({ rule, detail }) => `${rule}: ${detail}`)
  console.log(`version ${candidate} ${promoted ? 'is champion' : `stays out: ${failed.join('; ')}`}`)
  clock.advance(30 * 86_400_000)
}
assert.deepEqual(model.aliases, { champion: 3 })

// Live, version 3 loses. The guard looks at the mean of the last ten days.
const guard = createGuard(model, { floor: -0.005, window: 10 })
for (let day = 1; ; day++) {
  clock.advance(86_400_000)
  const { status, version, mean } = await guard.observe(-0.008 + 0.002 * market.normal())
  if (status === 'watching' || status === 'healthy') continue
  console.log(`day ${day}: mean ${(100 * mean).toFixed(2)} %, ${status} to version ${version}`)
  assert.equal(status, 'rolled-back')
  break
}
stopWatching()

const { state } = await model.at('champion').snapshot()
console.log(`the trader followed ${followed.join(' → ')} and trades with ${JSON.stringify(state)} again`)
assert.deepEqual(followed, [1, 3, 1])
assert.deepEqual(state, { lean: 0.2 })

for (const { time, from, to, reason } of await model.history('champion')) {
  console.log(`${new Date(time).toISOString().slice(0, 10)}  ${from ?? '–'} → ${to}  ${reason}`)
}
const { valid, records } = await store.verify()
console.log(`audit log: ${records} records, ${valid ? 'unbroken' : 'broken'}`)
assert.ok(valid)
assert.ok((await store.fsck()).clean)
await store.close()
rmSync(folder, { recursive: true })
