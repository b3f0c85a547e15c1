import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { importMlflow, memoryBlobs, memoryMetadata, openStore } from '../src/index.ts'
import { codeOf, freshFolder } from './support.ts'

const RUN = '0a1b2c3d4e5f60718293a4b5c6d7e8f9'

/** A folder as MLflow 2 writes it: names, quotes and columns are its own. */
function mlruns(): { folder: string; write: (path: string, text: string) => void } {
  const folder = freshFolder()
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const meta = (id: string, status: number, stage = 'active'): string =>
    `artifact_uri: file:///elsewhere/${id}\nend_time: 1690000009000\nentry_point_name: ''\nexperiment_id: '1'\n` +
    `lifecycle_stage: ${stage}\nrun_id: ${id}\nrun_name: calm-fox-1\nstart_time: 1690000000000\nstatus: ${status}\ntags: []\n`
  write('1/meta.yaml', "experiment_id: '1'\nlifecycle_stage: active\nname: 'SPY: it''s daily'\n")
  write(`1/${RUN}/meta.yaml`, meta(RUN, 3))
  write(`1/${RUN}/params/lr`, '0.01')
  write(`1/${RUN}/params/model/depth`, '3')
  write(`1/${RUN}/tags/mlflow.user`, 'ann')
  write(`1/${RUN}/metrics/loss`, '1690000001000 0.5 0\n1690000002000 nan 1\n1690000003000 0.25 2\n')
  write(`1/${RUN}/metrics/val/auc`, '1690000003000 0.75 2\n')
  write(`1/${RUN}/artifacts/model/MLmodel`, 'flavors: {}\n')
  write(`1/${RUN}/artifacts/notes.txt`, 'hello')
  write('1/failed/meta.yaml', meta('failed', 4))
  write('1/running/meta.yaml', meta('running', 1))
  write('1/gone/meta.yaml', meta('gone', 3, 'deleted'))
  write('.trash/1/meta.yaml', 'name: trash\n')
  write('models/m/meta.yaml', 'name: m\n')
  return { folder, write }
}

it('imports runs with parameters, tags, steps and artifacts, once', async () => {
  const { folder, write } = mlruns()
  const store = await openStore({ metadata: memoryMetadata(), blobs: memoryBlobs() })
  expect(await importMlflow(store, folder)).toEqual({
    added: ['SPY-it-s-daily-1', 'SPY-it-s-daily-2'],
    present: [],
    skipped: ['gone', 'running'],
  })
  const info = await store.runInfo('SPY-it-s-daily-1')
  expect(info).toMatchObject({
    experiment: 'SPY-it-s-daily',
    status: 'finished',
    params: { lr: '0.01', 'model/depth': '3' },
    tags: { 'mlflow.user': 'ann', 'mlflow.run_id': RUN, 'mlflow.start_time': '1690000000000' },
    metrics: { loss: 0.25, 'val/auc': 0.75 },
  })
  expect(Object.keys(info.files)).toEqual(['model__MLmodel', 'notes.txt'])
  expect(Buffer.from(await store.bytes(info.files['notes.txt']!.blob)).toString()).toBe('hello')
  const steps: unknown[] = []
  for await (const { step, metrics } of store.steps('SPY-it-s-daily-1')) steps.push([step, metrics])
  expect(steps).toEqual([
    [0, { loss: 0.5 }],
    [1, { loss: Number.NaN }],
    [2, { loss: 0.25, 'val/auc': 0.75 }],
  ])
  expect((await store.runInfo('SPY-it-s-daily-2')).status).toBe('failed')

  write('1/running/meta.yaml', 'lifecycle_stage: active\nstatus: 3\n')
  expect(await importMlflow(store, folder)).toEqual({
    added: ['SPY-it-s-daily-3'],
    present: [RUN, 'failed'],
    skipped: ['gone'],
  })
  expect((await store.fsck()).clean).toBe(true)
})

it('says which line it cannot read, and leaves the store as it was', async () => {
  const { folder, write } = mlruns()
  write(`1/${RUN}/metrics/loss`, '1690000001000 half 0\n')
  const store = await openStore({ metadata: memoryMetadata(), blobs: memoryBlobs() })
  await expect(importMlflow(store, folder)).rejects.toThrow('metrics/loss has the line "1690000001000 half 0"')
  expect(store.runs()).toEqual([])
  expect(await codeOf(importMlflow(store, join(folder, 'none')))).toBe('STORE_IO')
  expect(await codeOf(importMlflow(store, freshFolder()))).toBe('INVALID_ARGUMENT')
})
