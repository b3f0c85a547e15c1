import { createRng, createSnapshot, type Evaluation, type Optimizer, samplePoint } from '@regimen/core'
import { flattenTree, type TensorLeaf, toTensors } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import {
  type Architecture,
  architectureSpace,
  buildArchitecture,
  type JudgedTask,
  searchArchitecture,
} from '../src/index.ts'

/** Random search over a space, remembering what it was told. */
function randomSearch(
  space: ReturnType<typeof architectureSpace>,
  seed: number,
): Optimizer<Architecture> & { told: Evaluation[] } {
  const rng = createRng(seed)
  const told: Evaluation[] = []
  let asked = 0
  return {
    direction: 'minimize',
    ask: (n = 1) => Array.from({ length: n }, () => ({ id: asked++, point: samplePoint(space, rng) as Architecture })),
    tell: (evaluations) => void told.push(...evaluations),
    best: undefined,
    stopped: undefined,
    snapshot: () => createSnapshot({ id: 'test/random', version: 1, config: null, state: rng.state() }),
    told,
  }
}

/** Two regimes of a ring: the label says whether a point lies near the circle of this radius. */
function ring(radius: number, seed: string): JudgedTask {
  const part = (n: number, name: string) => {
    const rng = createRng(`${seed}/${name}`)
    const x = Float32Array.from({ length: 2 * n }, () => rng.uniform(-2, 2))
    return {
      x,
      y: Int32Array.from({ length: n }, (_, i) =>
        Math.abs(Math.hypot(x[2 * i]!, x[2 * i + 1]!) - radius) < 0.4 ? 1 : 0,
      ),
    }
  }
  return { train: part(96, 'train'), test: part(96, 'test') }
}

const shared = { inputs: 2, outputs: 2, rate: 0.06, batchSize: 16, seed: 1 }

describe('searchArchitecture', () => {
  it('tries what the optimizer proposes and finds a net that is large enough', { timeout: 60_000 }, async () => {
    const space = architectureSpace({ widths: [1, 24], depths: [1, 2] })
    const search = () => {
      const optimizer = randomSearch(space, 5)
      return searchArchitecture([ring(1, 'a')], { ...shared, optimizer, trials: 4, batch: 3, epochs: 16 }).then(
        (found) => ({
          ...found,
          told: optimizer.told,
        }),
      )
    }
    const found = await search()
    expect(found.trials).toHaveLength(4)
    expect(found.told.map(({ id }) => id)).toEqual([0, 1, 2, 3])
    const values = found.trials.map(({ value }) => value!)
    expect(found.told).toEqual(values.map((value, id) => ({ id, value })))
    expect(found.best.value).toBe(Math.min(...values))
    const narrowest = found.trials.reduce((a, b) => (b.architecture.width < a.architecture.width ? b : a))
    expect(found.best.architecture.width).toBeGreaterThan(narrowest.architecture.width)
    expect(found.best.value!).toBeLessThan(0.8 * narrowest.value!)
    expect((await search()).trials).toEqual(found.trials)
  })

  it('judges by all tasks at the end, and asks a price for parameters', async () => {
    const one: Architecture = { cell: 'dense', width: 4, depth: 1 }
    const fixed = (): Optimizer<Architecture> => ({
      ...randomSearch(architectureSpace(), 0),
      ask: () => [{ id: 0, point: one }],
    })
    const [a, b] = [ring(1, 'a'), ring(1.6, 'b')]
    const run = async (tasks: JudgedTask[], price = 0, strategy = {}) =>
      (await searchArchitecture(tasks, { ...shared, optimizer: fixed(), trials: 1, epochs: 2, price, strategy })).best
    const both = await run([a, b])
    // A net that learned b last is judged on a too.
    expect(both.value).not.toBeCloseTo((await run([b])).value!, 3)
    // With nothing learned the value is the mean of what the tasks come to alone.
    const still = async (tasks: JudgedTask[]) =>
      (await searchArchitecture(tasks, { ...shared, rate: 1e-12, optimizer: fixed(), trials: 1, epochs: 1 })).best
        .value!
    expect(await still([a, b])).toBeCloseTo(((await still([a])) + (await still([b]))) / 2, 6)
    expect(both.parameters).toBe(2 * 4 + 4 + 4 * 2 + 2)
    expect((await run([a, b], 0.01)).value).toBeCloseTo(both.value! + 0.22, 12)
    expect((await run([a, b], 0, { replay: { bytes: 4000 } })).value).not.toBe(both.value)
  })

  it('tells failures, stops where the optimizer stops, and refuses what does not fit', async () => {
    const point: Architecture = { cell: 'dense', width: 2, depth: 1 }
    const optimizer = { ...randomSearch(architectureSpace(), 0), ask: () => [{ id: 3, point }] }
    const wild = { ...shared, likelihood: 'gaussian' as const, outputs: 1, rate: 1e30 }
    const task = { x: [1e18, 1e18], y: [-1e18] }
    const failing = searchArchitecture([{ train: task, test: task }], { ...wild, optimizer, trials: 2, epochs: 8 })
    await expect(failing).rejects.toThrow('none of the 2 nets could be trained')
    expect(optimizer.told.map(({ id }) => id)).toEqual([3, 3])
    expect(optimizer.told[0]).toHaveProperty('failed')
    const tasks = [ring(1, 'a')]
    const ends = { ...shared, optimizer: { ...optimizer, stopped: 'no more' } }
    await expect(searchArchitecture(tasks, ends)).rejects.toThrow('the optimizer proposed none')
    const maximizes = { ...shared, optimizer: { ...optimizer, direction: 'maximize' as const } }
    await expect(searchArchitecture(tasks, maximizes)).rejects.toThrow('must minimize, got "maximize"')
    await expect(searchArchitecture([], { ...shared, optimizer })).rejects.toThrow('at least one task')
    await expect(searchArchitecture(tasks, { ...shared, optimizer, price: -1 })).rejects.toThrow(
      'price must be at least 0',
    )
    const stop = new AbortController()
    stop.abort(new Error('enough'))
    await expect(searchArchitecture(tasks, { ...shared, optimizer, signal: stop.signal })).rejects.toThrow('enough')
  })
})

describe('buildArchitecture', () => {
  it('makes nets of the layers that it names', () => {
    const count = (architecture: Architecture, inputs: number | number[]): number => {
      const net = buildArchitecture(architecture, { inputs, outputs: 2 })
      const params = net.init(createRng(1))
      const x = tf.zeros([3, ...(typeof inputs === 'number' ? [inputs] : inputs)])
      expect(net.apply(toTensors(params as never), x).shape).toEqual([3, 2])
      return flattenTree<TensorLeaf>(params).leaves.reduce((sum, leaf) => sum + leaf.data.length, 0)
    }
    // 5·4 + 4, 4·4 + 4, 4·2 + 2
    expect(count({ cell: 'dense', width: 4, depth: 2 }, 5)).toBe(24 + 20 + 10)
    expect(count({ cell: 'residual', width: 4, depth: 2 }, 5)).toBe(24 + 20 + 10)
    expect(count({ cell: 'dense', width: 4, depth: 1 }, [3, 5])).toBe(15 * 4 + 4 + 10)
    // Three or four gates of 5·4 + 4·4 + 4 numbers (the GRU has two biases), then a second layer on its states.
    expect(count({ cell: 'lstm', width: 4, depth: 1 }, [3, 5])).toBe(4 * (20 + 16 + 4) + 10)
    expect(count({ cell: 'lstm', width: 4, depth: 2 }, [3, 5])).toBe(4 * (20 + 16 + 4) + 4 * (16 + 16 + 4) + 10)
    expect(() => buildArchitecture({ cell: 'gru', width: 4, depth: 1 }, { inputs: 5, outputs: 2 })).toThrow(
      'needs inputs of steps and features',
    )
    expect(() => buildArchitecture({ cell: 'cnn' as 'gru', width: 4, depth: 1 }, { inputs: 5, outputs: 2 })).toThrow(
      'cell must be one of',
    )
  })

  it('goes around a residual layer: x + relu(x W + b)', () => {
    const net = buildArchitecture({ cell: 'residual', width: 1, depth: 2 }, { inputs: 1, outputs: 1 })
    const layer = (kernel: number) => ({ kernel: tf.tensor2d([[kernel]]), bias: tf.tensor1d([0]) })
    const params = [layer(2), { inner: layer(3) }, [], layer(1)]
    // relu(2 · 1) = 2, then 2 + relu(3 · 2) = 8; at −1 nothing passes.
    expect(Array.from(net.apply(params, tf.tensor2d([[1], [-1]])).dataSync())).toEqual([8, 0])
  })
})

describe('architectureSpace', () => {
  it('refuses what is no space', () => {
    expect(() => architectureSpace({ cells: [] })).toThrow('cells must be some of')
    expect(() => architectureSpace({ widths: [8, 4] })).toThrow('widths must be in order, got 8 and 4')
    expect(() => architectureSpace({ depths: [0, 4] })).toThrow('depths must be an integer from 1, got 0')
    expect(architectureSpace().depth).toEqual({ type: 'int', low: 1, high: 3 })
  })
})
