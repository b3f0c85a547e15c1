// What a strategy's fields do, each worked by hand or against the plain function behind it.
import { type ArrayLeaf, arrayLeaf, createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { dense, mlp, sgd } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import { afterEach, describe, expect, it } from 'vitest'
import { flatNet } from '../src/flat.ts'
import { herdingSelection, openTrainer, type Trainer, type TrainerOptions } from '../src/index.ts'
import { openLikeness } from '../src/replay/likeness.ts'
import { createBatch, fillRows } from '../src/rows.ts'
import { compileSteps } from '../src/steps.ts'

const opened: { dispose(): Promise<void> }[] = []
function open<P>(options: TrainerOptions<P>): Trainer<P> {
  const trainer = openTrainer(options)
  opened.push(trainer)
  return trainer
}
afterEach(async () => {
  for (const one of opened.splice(0)) await one.dispose()
})

// f = w: loss ½ (w − c)², Fisher 1.
const quadratic = {
  net: dense({ inputs: 1, outputs: 1, bias: false }),
  inputs: 1,
  outputs: 1,
  likelihood: 'gaussian' as const,
  rule: sgd(),
  rate: 0.05,
}
const at = (c: number) => ({ x: [1], y: [c] })
const weight = async (trainer: Trainer<unknown>): Promise<number> => (await trainer.predict([1]))[0]!

const plane = { net: mlp({ sizes: [2, 8, 2] }), inputs: 2, outputs: 2, rate: 0.02, batchSize: 8, seed: 4 }
function cloud(n: number, seed: number, ones = 0.5) {
  const rng = createRng(seed)
  const y = Array.from({ length: n }, () => (rng.uniform() < ones ? 1 : 0))
  return { x: y.flatMap((label) => [rng.normal(2 * label - 1), rng.normal()]), y }
}

type Column = { readonly [name: string]: ArrayLeaf }
const memoryOf = (trainer: Trainer<unknown>) => trainer.replay!.snapshot().state as Column & { policy: Column }

describe('penalty', () => {
  it('with lambda auto lets a new task raise the old loss by the tolerance', async () => {
    const trainer = open({ ...quadratic, strategy: { penalty: { kind: 'ewc', lambda: 'auto', tolerance: 0.02 } } })
    await trainer.learn(at(0.5), { epochs: 300 })
    await trainer.learn(at(-2), { epochs: 300 })
    // The slope at the anchor is 2.5: ½ (2.5 / (1 + λ))² = 0.02 at 1 + λ = 12.5, so w ends 0.2 below 0.5.
    expect(await weight(trainer)).toBeCloseTo(0.3, 3)
    const restored = openTrainer(
      { ...quadratic, strategy: { penalty: { kind: 'ewc', lambda: 'auto', tolerance: 0.02 } } },
      decodeSnapshot(encodeSnapshot(trainer.snapshot())),
    )
    opened.push(restored)
    for (const one of [trainer, restored]) await one.learn(at(4), { epochs: 300 })
    expect(await weight(restored)).toBe(await weight(trainer))
    // Two anchors, 0.5 and 0.3: Ω = 2 at 0.4; from 0.3 the slope is −3.7, and (3.7 / (1 + 2 λ))² = 0.02.
    const lambda = (3.7 / Math.sqrt(0.02) - 1) / 2
    expect(await weight(trainer)).toBeCloseTo((4 + 2 * lambda * 0.4) / (1 + 2 * lambda), 3)
  })

  it('leaves free what a mask names, of all tasks or of one', async () => {
    const ends = async (mask: { all?: number; first?: number }): Promise<number> => {
      const penalty = {
        kind: 'ewc' as const,
        lambda: 3,
        ...(mask.all === undefined ? {} : { mask: { kernel: mask.all } }),
      }
      const trainer = open({ ...quadratic, strategy: { penalty } })
      await trainer.learn({ ...at(0.5), ...(mask.first === undefined ? {} : { mask: [mask.first] }) }, { epochs: 300 })
      await trainer.learn(at(-2), { epochs: 300 })
      return weight(trainer)
    }
    // (c₂ + m λ c₁) / (1 + m λ)
    expect(await ends({})).toBeCloseTo((-2 + 1.5) / 4, 4)
    expect(await ends({ all: 0 })).toBeCloseTo(-2, 4)
    expect(await ends({ first: 2 })).toBeCloseTo((-2 + 3) / 7, 4)
    expect(() => open({ ...quadratic, strategy: { penalty: { kind: 'mas', lambda: 1, mask: { '7': 1 } } } })).toThrow(
      'names 7, which no parameter begins with',
    )
    await expect(open({ ...quadratic }).learn({ ...at(1), mask: [1, 1] })).rejects.toThrow('mask must hold 1 numbers')
  })

  it('refuses options that cannot be followed', () => {
    const refuse = (strategy: object, message: string): void => {
      expect(() => open({ ...plane, strategy })).toThrow(message)
    }
    refuse({ penalty: { kind: 'si', lambda: 1, damping: 0 } }, 'penalty.damping must be above 0')
    refuse({ penalty: { kind: 'si', lambda: 'auto' } }, 'penalty.lambda')
    refuse({ distill: { weight: 1, temperature: 0 } }, 'distill.temperature must be above 0')
    refuse({ replay: { bytes: 1000, buffer: 'heap' } }, 'replay.buffer must be ring')
    refuse({ replay: { bytes: 1000, by: 'colour' } }, 'replay.by must be class')
    refuse({ constraint: { kind: 'gem', bytes: 5 } }, 'too small for one sample')
    refuse({ rehearsal: {} }, 'strategy knows penalty')
  })
})

describe('distillation', () => {
  it('softens each old head by itself: T (p − q) / heads by hand', async () => {
    // Logits are the weights w; the teacher's are v. Heads {0, 1} and {2, 3}; class 4 is new.
    const flat = flatNet(dense({ inputs: 1, outputs: 5, bias: false }))
    const steps = compileSteps(flat, sgd(), 'softmax')
    opened.push(steps)
    const leaf = (shape: number[], data: number[]) => arrayLeaf('float32', shape, Float32Array.from(data))
    const [w, v] = [
      [0.5, -0.3, 1.2, 0.1, 0.7],
      [-0.2, 0.4, 0.3, 0.9, -1],
    ]
    const batch = {
      x: leaf([1, 1], [1]),
      y: leaf([1, 1], [4]),
      offsets: leaf([1, 5], [-1e9, -1e9, -1e9, -1e9, 0]),
      weights: leaf([1], [1]),
    }
    const heads = Array.from({ length: 25 }, (_, i) =>
      i < 20 && i % 5 < 4 && (i % 5) >> 1 === Math.floor(i / 10) ? 1 : 0,
    )
    const teacher = { vector: Float32Array.from(v!), weight: 3, temperature: 2, heads: leaf([5, 5], heads) }
    const { gradient } = await steps.slope(Float32Array.from(w!), batch, { labels: null, logits: null, teacher })
    const soft = (z: number[], c: number): number => {
      const head = c < 2 ? [0, 1] : [2, 3]
      return Math.exp(z[c]! / 2) / head.reduce((sum, k) => sum + Math.exp(z[k]! / 2), 0)
    }
    // The new class is certain under its own head of one, so only the distillation is left.
    for (let c = 0; c < 4; c++) expect(gradient.data[c]).toBeCloseTo((3 * 2 * (soft(w!, c) - soft(v!, c))) / 2, 5)
    expect(gradient.data[4]).toBeCloseTo(0, 6)
  })
})

describe('replay', () => {
  it('keeps the logits of the net, not those of the head', async () => {
    const net = mlp({ sizes: [2, 8, 4] })
    const trainer = open({ ...plane, net, outputs: 4, strategy: { replay: { bytes: 2000, logits: 0.5 } } })
    await trainer.learn({ ...cloud(32, 1), classes: [0, 1] }, { epochs: 2 })
    for (const logit of memoryOf(trainer).extra!.data as Float32Array) expect(Math.abs(logit)).toBeLessThan(100)
  })

  it('prioritized, draws by the loss of each remembered sample', async () => {
    // At a rate of 1e-30 the net stays as it is, so each priority is (loss + 0.001)^0.6 once its sample was drawn.
    const trainer = open({
      ...plane,
      rate: 1e-30,
      strategy: { replay: { bytes: 4000, buffer: 'prioritized', batch: 64 } },
    })
    const { x, y } = cloud(8, 2)
    for (let i = 0; i < 12; i++) await trainer.step({ x, y })
    const { priorities } = memoryOf(trainer).policy
    const given = (priorities!.data as Float64Array).slice(0, 8)
    for (let i = 0; i < 8; i++) {
      const loss = await trainer.loss({ x: x.slice(2 * i, 2 * i + 2), y: [y[i]!] })
      expect(given[i]).toBeCloseTo((loss + 1e-3) ** 0.6, 4)
    }
  })

  it('of exemplars, keeps those that herding selects in the outputs, class by class', async () => {
    // 16 bytes a sample: room for eight, four a class.
    const trainer = open({ ...plane, strategy: { replay: { bytes: 128, buffer: 'exemplars', by: 'class' } } })
    const { x, y } = cloud(24, 3)
    await trainer.learn({ x, y })
    const made = await trainer.predict(x)
    const kept = memoryOf(trainer)
    for (const label of [0, 1]) {
      const rows = [...y.keys()].filter((i) => y[i] === label)
      const features = rows.flatMap((i) => [made[2 * i]!, made[2 * i + 1]!])
      const best = [...herdingSelection(features, { width: 2, count: 4 })].map((k) => Math.fround(x[2 * rows[k]!]!))
      const groups = kept.group!.data
      const ours = [...groups.keys()].filter((slot) => groups[slot] === label).map((slot) => kept.x!.data[2 * slot])
      expect(ours).toEqual(best)
    }
  })

  it('diverse, measures the cosine of gradients by hand', async () => {
    // y = w·x at w = (1, 1), loss ½ (y − t)²: the gradient is (x₁ + x₂ − t) x.
    const flat = flatNet(dense({ inputs: 2, outputs: 1, bias: false }))
    const likeness = openLikeness(flat, 'gaussian')
    opened.push(likeness)
    const shapes = { shape: [2], width: 2, outputs: 1, targets: 1, likelihood: 'gaussian' as const }
    const rows = (x: number[], y: number[]) =>
      fillRows(createBatch(y.length, shapes), { x, y }, [...y.keys()], shapes, new Float32Array(1))
    // (1, 0) with residual 2 pulls along (1, 0); (0, 1) with −1 along (0, −1); (1, 1) with 2 along (1, 1).
    const remembered = rows([1, 0, 0, 1], [-1, 2])
    const fresh = rows([1, 1, -1, 0, 0, 3], [0, 2, 0])
    const made = await likeness.of(Float32Array.of(1, 1), fresh, remembered)
    // (2, 2) against (2, 0) and (0, −1): cos 45°. (−1, 0) with residual −3 pulls along (3, 0): 1. (0, 9): 0 and −1.
    for (const [i, cosine] of [Math.SQRT1_2, 1, 0].entries()) expect(made[i]).toBeCloseTo(cosine, 5)
  })

  it('diverse, keeps what pulls the other way though it is rare', async () => {
    const shareOfRare = async (buffer: 'diverse' | 'reservoir'): Promise<number> => {
      const trainer = open({ ...plane, rate: 1e-9, strategy: { replay: { bytes: 20 * 24, buffer } } })
      for (let i = 0; i < 400; i++) {
        // Every sixteenth sample has the other label at the same place.
        const y = Array.from({ length: 8 }, (_, k) => (i % 2 === 0 && k === 3 ? 1 : 0))
        await trainer.step({ x: y.flatMap(() => [1, 0.5]), y, groups: y })
      }
      const { group } = memoryOf(trainer)
      return group!.data.filter((one) => one === 1).length / trainer.replay!.size
    }
    expect(await shareOfRare('reservoir')).toBeLessThan(0.15)
    // A rare one enters where none of ten draws is rare, a frequent one where all are: in balance where (1 − r)¹⁰ = 15 r¹⁰, r = 0.43.
    expect(await shareOfRare('diverse')).toBeGreaterThan(0.25)
    expect(() => open({ ...plane, strategy: { replay: { bytes: 400, compare: 0 } } })).toThrow('replay.compare')
  })

  it('balanced, gives rare classes or rare regimes the same room', async () => {
    const shares = async (by: 'class' | 'group'): Promise<number> => {
      const trainer = open({ ...plane, strategy: { replay: { bytes: 20 * 24, buffer: 'balanced', by } } })
      for (let i = 0; i < 30; i++) {
        const { x, y } = cloud(8, i, 0.1)
        // Every eighth sample is of regime 5.
        await trainer.step({ x, y, groups: y.map((_, k) => (k === 7 ? 5 : 2)) })
      }
      const { group } = memoryOf(trainer)
      return group!.data.filter((one) => one === (by === 'class' ? 1 : 5)).length / trainer.replay!.size
    }
    expect(await shares('class')).toBe(0.5)
    expect(await shares('group')).toBe(0.5)
    const trainer = open({ ...plane, strategy: {} })
    await expect(trainer.step({ x: [1, 2], y: [0], groups: [-1] })).rejects.toThrow('groups must be whole numbers')
  })
})

describe('a trainer', () => {
  it('predicts any number of rows as it predicts each', async () => {
    const trainer = open(plane)
    const { x } = cloud(700, 5)
    const all = await trainer.predict(x)
    for (const i of [0, 6, 511, 512, 699]) {
      const one = await trainer.predict(x.slice(2 * i, 2 * i + 2))
      expect(all[2 * i]).toBeCloseTo(one[0]!, 5)
      expect(all[2 * i + 1]).toBeCloseTo(one[1]!, 5)
    }
  })

  it('knows the heads of its tasks, and refuses a task it does not know', async () => {
    const trainer = open({ ...plane, net: mlp({ sizes: [2, 8, 4] }), outputs: 4 })
    const data = cloud(16, 6)
    await trainer.learn({ ...data, classes: [0, 1] })
    expect(await trainer.predict([1, 1], 0)).toEqual(await trainer.predict([1, 1], [0, 1]))
    const before = trainer.snapshot()
    await expect(trainer.predict([1, 1], 9)).rejects.toThrow('task 9 is unknown')
    await expect(trainer.accuracy({ ...data, task: 3 })).rejects.toThrow('task 3 is unknown')
    await expect(trainer.step({ x: [1, 1], y: [0], task: 3 })).rejects.toThrow('task 3 is unknown')
    expect(trainer.snapshot()).toEqual(before)
    const gem = open({ ...plane, strategy: { constraint: { kind: 'gem', bytes: 400 } } })
    await gem.step({ x: [1, 1], y: [0] })
    await expect(gem.step({ x: [1, 1], y: [0], task: 1 })).rejects.toThrow('task 1 is unknown; gem has memories of 1')
  })

  it('counts what its updates cost', async () => {
    let time = 0
    const clock = { now: () => 0, monotonic: () => (time += 250) }
    const trainer = open({ ...plane, clock, strategy: { replay: { bytes: 2000, batch: 5 }, distill: { weight: 1 } } })
    const { x, y } = cloud(12, 7)
    // 12 samples in two updates; five remembered ones beside them where the memory is not empty: the last epoch fills it.
    await trainer.learn({ x, y })
    expect(trainer.cost).toEqual({ bytes: trainer.bytes, updates: 2, samples: 12 + 5, seconds: 0.5 })
    await trainer.learn({ x, y })
    // Now remembered ones stand beside both updates, and the teacher sees a full batch of 8 in each.
    expect(trainer.cost).toMatchObject({ updates: 4, samples: 17 + 12 + 10 + 16, seconds: 1 })
  })
})
