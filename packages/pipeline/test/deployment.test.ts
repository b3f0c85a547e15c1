import { createSnapshot, manualClock, type Snapshot } from '@regimen/core'
import { type Model, memoryBlobs, memoryMetadata, openStore } from '@regimen/store'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Challenger, type Deployment, storeDeployment } from '../src/index.ts'

const snapshotOf = (bias: number): Snapshot =>
  createSnapshot({ id: 'test/bias', version: 1, config: {}, state: { bias } })
const challenger = (bias: number, advantage: number): Challenger => ({
  snapshot: snapshotOf(bias),
  reason: 'It is time.',
  metrics: { validation: { advantage } },
  samples: { validation: { score: Float64Array.of(1, 2, 3) } },
  params: { prior: 60 },
})

describe('a deployment through a real store', () => {
  let model: Model
  let deployment: Deployment
  beforeEach(async () => {
    const store = await openStore({ metadata: memoryMetadata(), blobs: memoryBlobs() }, { clock: manualClock() })
    model = store.model('adaptive')
    const policy = { alias: 'champion', thresholds: [{ dataset: 'validation', metric: 'advantage', min: 0 }] }
    deployment = storeDeployment({ model, policy, run: 'test' })
  })

  test('publishes every challenger; the policy decides which becomes champion', async () => {
    const first = await deployment.submit(challenger(1, 0.01), { row: 100, time: 0 })
    const second = await deployment.submit(challenger(2, -0.01), { row: 200, time: 0 })
    expect([first.promoted, first.version, second.promoted, second.version]).toEqual([true, 1, false, 2])
    expect(second.reason).toContain('-0.01, at least 0 asked')
    expect(model.aliases).toEqual({ champion: 1 })
    const [newest] = await model.list({ limit: 1 })
    expect(newest).toMatchObject({ tags: { run: 'test', row: '200' }, params: { prior: 60 } })
  })

  test('asked again for the same row, after a crash at any point, it does nothing twice', async () => {
    const at = { row: 100, time: 0 }
    // Killed after the publication, before the decision.
    await model.publish({
      snapshot: snapshotOf(1),
      reason: 'It is time.',
      metrics: { validation: { advantage: 1 } },
      tags: { run: 'test', row: '100' },
    })
    const first = await deployment.submit(challenger(1, 1), at)
    const again = await deployment.submit(challenger(1, 1), at)
    expect([first.promoted, again.promoted, again.version, model.latest]).toEqual([true, true, 1, 1])
    expect((await model.history('champion')).length).toBe(1)
  })

  test('goes back to the version before, once for each row, and never before the first', async () => {
    await deployment.submit(challenger(1, 1), { row: 100, time: 0 })
    expect(await deployment.rollback('It fell.', { row: 150, time: 0 })).toBeUndefined()
    await deployment.submit(challenger(2, 1), { row: 200, time: 0 })
    const back = await deployment.rollback('It fell.', { row: 250, time: 0 })
    const again = await deployment.rollback('It fell.', { row: 250, time: 0 })
    expect([back!.version, again!.version]).toEqual([1, 1])
    expect(back!.snapshot.state).toEqual({ bias: 1 })
    expect(model.aliases.champion).toBe(1)
    expect((await model.history('champion')).filter(({ rollback }) => rollback).length).toBe(1)
    expect(await deployment.rollback('It fell.', { row: 300, time: 0 })).toBeUndefined()
  })

  test('a run needs a name', () => {
    expect(() => storeDeployment({ model, policy: { alias: 'champion' }, run: '' })).toThrow('run must be a name')
  })
})
