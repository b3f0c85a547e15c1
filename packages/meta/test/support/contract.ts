import { createRng, snapshotFromJson, snapshotToJson } from '@regimen/core'
import { flattenTree, mapTree, type TensorLeaf } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import {
  evaluate,
  type MetaLearner,
  metaTrain,
  modelFromSnapshot,
  modelToSnapshot,
  openAdapter,
  stackTasks,
  type Task,
  type TaskSampler,
  type TaskSet,
  type Weights,
} from '../../src/index.ts'
import { metaGradient } from './learners.ts'

/** What {@link learnerContract} needs. */
export interface LearnerContract {
  readonly learner: MetaLearner
  readonly tasks: TaskSampler
  /** The order of the support matters, as for whatever reads it as a sequence. */
  readonly ordered?: boolean
  /** The meta-gradient takes something for a constant, so that it is not the slope of the loss. */
  readonly firstOrder?: boolean
}

const numbers = (tree: unknown): number[] => flattenTree<TensorLeaf>(tree).leaves.flatMap(({ data }) => [...data])

/** The promises that every learner keeps, whatever it learns by. */
export function learnerContract({ learner, tasks, ordered = false, firstOrder = false }: LearnerContract): void {
  const params = learner.init(createRng('contract'))
  // Fresh biases are zero and hide what they do.
  const rng = createRng('shake')
  const shaken = mapTree(
    (leaf: TensorLeaf) => ({ ...leaf, data: Float32Array.from(leaf.data, (value) => value + 0.1 * rng.normal()) }),
    params,
  ) as Weights
  const model = { learner, params: shaken }
  const first = async (): Promise<Task> => (await tasks.batch(0, 1))[0]!
  const answers = async (support: TaskSet, x: TensorLeaf, size: number): Promise<number[]> => {
    const adapter = openAdapter(model, { sizes: [size] })
    const { data } = await (await adapter(support)).predict(x)
    await adapter.dispose()
    return [...data]
  }
  const close = (a: readonly number[], b: readonly number[]): void => {
    expect(a.length).toBe(b.length)
    a.forEach((value, i) => {
      expect(Math.abs(value - b[i]!)).toBeLessThan(2e-4 * (1 + Math.abs(b[i]!)))
    })
  }
  const rows = (leaf: TensorLeaf, order: readonly number[]): TensorLeaf => {
    const width = leaf.data.length / leaf.shape[0]!
    const picked = order.flatMap((i) => [...leaf.data.subarray(i * width, (i + 1) * width)])
    const data = leaf.dtype === 'int32' ? Int32Array.from(picked) : Float32Array.from(picked)
    return { dtype: leaf.dtype, shape: [order.length, ...leaf.shape.slice(1)], data } as TensorLeaf
  }
  const pick = ({ x, y }: TaskSet, order: readonly number[]): TaskSet => ({ x: rows(x, order), y: rows(y, order) })
  const count = (leaf: TensorLeaf): number[] => Array.from({ length: leaf.shape[0]! }, (_, i) => i)

  describe(`${learner.id} keeps the contract`, () => {
    test('the same seed gives the same parameters, another seed others', () => {
      expect(numbers(learner.init(createRng('contract')))).toEqual(numbers(params))
      expect(numbers(learner.init(createRng('other')))).not.toEqual(numbers(params))
    })

    if (!firstOrder) {
      test('the meta-gradient agrees with a central difference along itself', async () => {
        const batch = await tasks.batch(0, 2)
        const { gradient } = await metaGradient(learner, shaken, batch)
        const norm = Math.hypot(...gradient)
        expect(norm).toBeGreaterThan(0)
        const at = async (step: number): Promise<number> => {
          let i = 0
          const moved = mapTree(
            (leaf: TensorLeaf) => ({
              ...leaf,
              data: Float32Array.from(leaf.data, (v) => v + (step * gradient[i++]!) / norm),
            }),
            shaken,
          ) as Weights
          return (await metaGradient(learner, moved, batch)).loss
        }
        const h = 4e-3
        // float32 losses carry 1e-7: 5e-5 in the difference, and h² of a curved loss.
        const slope = ((await at(h)) - (await at(-h))) / (2 * h)
        expect(Math.abs(slope / norm - 1)).toBeLessThan(0.02)
      })
    }

    test('eagerly and compiled alike', async () => {
      const run = (execution: 'eager' | 'compiled') =>
        metaTrain(learner, tasks, { iterations: 2, tasksPerBatch: 2, compile: { execution } })
      const [a, b] = [await run('eager'), await run('compiled')]
      close([...a.losses], [...b.losses])
    })

    test('padding has no say, nor have samples of weight 0', async () => {
      const { support, query } = await first()
      const n = support.x.shape[0]!
      const plain = await answers(support, query.x, Math.max(n, query.x.shape[0]!))
      close(await answers(support, query.x, n + query.x.shape[0]!), plain)
      const order = count(support.x)
      const doubled = pick(support, [...order, ...order.toReversed()])
      const weights = Float32Array.from({ length: 2 * n }, (_, i) => (i < n ? 1 : 0))
      close(await answers({ ...doubled, weights }, query.x, 2 * n + query.x.shape[0]!), plain)
    })

    test('an answer does not depend on the other queries', async () => {
      const { support, query } = await first()
      const size = support.x.shape[0]! + query.x.shape[0]!
      const together = await answers(support, query.x, size)
      const alone = await answers(support, rows(query.x, [0]), size)
      close(alone, together.slice(0, alone.length))
    })

    if (!ordered) {
      test('the order of the support has no say', async () => {
        const { support, query } = await first()
        const size = Math.max(support.x.shape[0]!, query.x.shape[0]!)
        const mixed = pick(support, count(support.x).toReversed())
        close(await answers(mixed, query.x, size), await answers(support, query.x, size))
      })
    }

    test('tasks side by side are tasks one by one', async () => {
      const batch = await tasks.batch(3, 3)
      const together = (await evaluate(model, batch)).losses.at(-1)!.values
      for (const [i, task] of batch.entries()) {
        close([...(await evaluate(model, [task])).losses.at(-1)!.values], [together[i]!])
      }
    })

    test('a checkpoint continues to the same bytes, a snapshot answers the same, inputs stay as they were', async () => {
      const before = JSON.stringify(stackTasks(await tasks.batch(0, 2)))
      const kept = numbers(shaken)
      const options = { tasksPerBatch: 2, params: shaken }
      const whole = await metaTrain(learner, tasks, { ...options, iterations: 4 })
      const half = await metaTrain(learner, tasks, { ...options, iterations: 2 })
      const from = snapshotFromJson(snapshotToJson(half.checkpoint))
      const resumed = await metaTrain(learner, tasks, { tasksPerBatch: 2, iterations: 4, from })
      expect(numbers(resumed.model.params)).toEqual(numbers(whole.model.params))
      expect(numbers(whole.model.params)).not.toEqual(kept)
      const copy = modelFromSnapshot(learner, snapshotFromJson(snapshotToJson(modelToSnapshot(model))))
      const task = [await first()]
      expect([...(await evaluate(copy, task)).losses[1]!.values]).toEqual([
        ...(await evaluate(model, task)).losses[1]!.values,
      ])
      expect(numbers(shaken)).toEqual(kept)
      expect(JSON.stringify(stackTasks(await tasks.batch(0, 2)))).toBe(before)
    })

    test('no tensor is left behind', async () => {
      const task = [await first()]
      await evaluate(model, task, { execution: 'eager' })
      const before = tf.memory().numTensors
      await evaluate(model, task, { execution: 'eager' })
      expect(tf.memory().numTensors).toBe(before)
    })
  })
}
