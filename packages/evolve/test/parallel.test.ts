import { minimize } from '@regimen/evolve'
import { parallelEvaluator } from '@regimen/evolve/parallel'
import { describe, expect, it } from 'vitest'

const module = new URL('./fixtures/awkward-worker.mjs', import.meta.url)
const space = { x: { type: 'float', low: 0, high: 10 } } as const
type Point = { x: number }

describe('parallelEvaluator', () => {
  it('gives the run that one thread gives', async () => {
    const evaluator = parallelEvaluator<Point>({ module, workers: 2, data: { until: 0 } })
    const parallel = await minimize(evaluator, space, { seed: 3, evaluations: 80 })
    await evaluator.dispose()
    const alone = await minimize(({ x }) => (x - 3) ** 2, space, { seed: 3, evaluations: 80 })
    expect(parallel.snapshot).toEqual(alone.snapshot)
  })

  it('tries again what throws', async () => {
    const evaluator = parallelEvaluator<Point>({ module, workers: 1, retries: 1, data: { until: 1 } })
    const results = await evaluator.evaluate([0, 0.001, 0.002].map((x, id) => ({ id, point: { x: x + 1e-4 } })))
    await evaluator.dispose()
    expect(results.map(({ id }) => id)).toEqual([0, 1, 2])
    for (const result of results) expect(result).toHaveProperty('value')
  })

  it('records as failed what throws, hangs or gives NaN for good, and loses nothing', async () => {
    const evaluator = parallelEvaluator<Point>({
      module,
      workers: 2,
      retries: 1,
      timeoutMs: 150,
      data: { until: 9, hang: true },
    })
    const results = await evaluator.evaluate([0, 0.001, 0.002, 0.003].map((x, id) => ({ id, point: { x: x + 1e-4 } })))
    await evaluator.dispose()
    expect(results[0]).toHaveProperty('value')
    expect(results[1]).toMatchObject({ id: 1, failed: expect.stringContaining('the feed broke') })
    expect(results[2]).toMatchObject({ id: 2, failed: 'the objective gave NaN' })
    expect(results[3]).toMatchObject({ id: 3, failed: expect.stringContaining('longer than 150 ms') })
  })
})
