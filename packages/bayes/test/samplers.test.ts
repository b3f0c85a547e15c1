import {
  gridSampler,
  gridSize,
  halton,
  memoryStorage,
  openOptimizer,
  openStudy,
  optimizerSampler,
  quasiRandomSampler,
  randomSampler,
  sobol,
  tpe,
} from '@regimen/bayes'
import type { Direction, Snapshot } from '@regimen/core'
import { testOptimizer } from '@regimen/testing'
import { describe, expect, it } from 'vitest'

describe('sobol', () => {
  it('begins with the published points', () => {
    // The first eight points of Joe and Kuo's sequence in three dimensions, in Gray-code order.
    expect(Array.from(sobol(8, 3))).toEqual(
      [
        [0, 0, 0],
        [0.5, 0.5, 0.5],
        [0.75, 0.25, 0.25],
        [0.25, 0.75, 0.75],
        [0.375, 0.375, 0.625],
        [0.875, 0.875, 0.125],
        [0.625, 0.125, 0.875],
        [0.125, 0.625, 0.375],
      ].flat(),
    )
  })

  it('has the published direction numbers up to dimension 128', () => {
    // Points 9 and 1,000 in dimensions 22, 64, 101 and 128, as SciPy 1.10 makes them (qmc.Sobol, not scrambled).
    const at = (index: number) => {
      const point = sobol(1, 128, { skip: index })
      return [21, 63, 100, 127].map((j) => point[j])
    }
    expect(at(9)).toEqual([0.1875, 0.1875, 0.5625, 0.5625])
    expect(at(1000)).toEqual([0.5498046875, 0.4462890625, 0.7685546875, 0.5439453125])
  })

  it('puts one point into each of 2^k slices of every dimension, shifted or not', () => {
    for (const options of [{}, { seed: 7 }, { skip: 256 }]) {
      const points = sobol(256, 128, options)
      for (let j = 0; j < 128; j++) {
        const slices = new Set<number>()
        for (let i = 0; i < 256; i++) slices.add(Math.floor(points[i * 128 + j]! * 256))
        expect(slices.size).toBe(256)
      }
    }
    expect(() => sobol(1, 129)).toThrow('dimensions must be from 1 to 128, got 129')
  })
})

describe('halton', () => {
  it('is the radical inverse in the prime bases', () => {
    // 1, 2, 3, 4 in base 2: .1, .01, .11, .001; in base 3: .1, .2, .01, .11; in base 5: .1, .2, .3, .4.
    const want = [1 / 2, 1 / 3, 1 / 5, 1 / 4, 2 / 3, 2 / 5, 3 / 4, 1 / 9, 3 / 5, 1 / 8, 4 / 9, 4 / 5]
    halton(4, 3).forEach((v, i) => {
      expect(v).toBeCloseTo(want[i]!, 15)
    })
    const shuffled = halton(5, 3, { seed: 1 })
    expect(new Set(Array.from({ length: 5 }, (_, i) => Math.floor(5 * shuffled[3 * i + 2]!))).size).toBe(5)
  })
})

describe('grid and quasi-random', () => {
  it('tries every combination once, and begins again', async () => {
    const space = {
      kind: { type: 'categorical', choices: ['a', 'b'] },
      n: { type: 'int', low: 1, high: 5, step: 2 },
      rate: { type: 'float', low: 0.01, high: 1, log: true },
    } as const
    expect(gridSize(space, 3)).toBe(18)
    const study = openStudy({ direction: 'minimize', sampler: gridSampler(space, 3) })
    await study.optimize((trial) => trial.suggest(space).n, { trials: 20 })
    const points = study.trials.map((trial) => JSON.stringify(trial.params))
    expect(new Set(points).size).toBe(18)
    expect(points[18]).toBe(points[0])
    expect(study.trials.slice(0, 3).map((trial) => trial.params.rate)).toEqual([0.01, expect.closeTo(0.1, 12), 1])
  })

  it.each(['sobol', 'halton'] as const)('covers the square more evenly than chance, %s', async (sequence) => {
    const cells = async (sampler: ReturnType<typeof randomSampler>) => {
      const study = openStudy({ direction: 'minimize', sampler, seed: 4 })
      await study.optimize((t) => t.float('x', 0, 1) + t.float('y', 0, 1), { trials: 65 })
      const cell = (v: unknown) => Math.floor((v as number) * 8)
      return new Set(study.trials.slice(1).map((t) => 8 * cell(t.params.x) + cell(t.params.y))).size
    }
    // 64 random points hit about 64·(1 − 1/e) = 40 of 64 cells.
    expect(await cells(quasiRandomSampler({ sequence }))).toBeGreaterThan(50)
    expect(await cells(randomSampler())).toBeLessThan(48)
  })
})

const space = {
  x: { type: 'float', low: -1, high: 1 },
  kind: { type: 'categorical', choices: ['a', 'b'] },
} as const

testOptimizer('openOptimizer', {
  id: 'bayes/optimizer',
  open: (from: Direction | Snapshot) =>
    typeof from === 'string'
      ? openOptimizer({ space, direction: from, sampler: tpe({ startup: 4 }), seed: 1 })
      : openOptimizer({
          space,
          direction: (from.config as { direction: Direction }).direction,
          sampler: tpe({ startup: 4 }),
          seed: 1,
          from,
        }),
  objective: ({ x, kind }: { x: number; kind: 'a' | 'b' }) => x * x + (kind === 'a' ? 0 : 1),
  batch: 3,
  // TPE weighs trials by the order in which they came back.
  orderInvariant: false,
})

describe('an optimizer as sampler', () => {
  const open = () => openOptimizer({ space, direction: 'minimize', sampler: tpe(), seed: 3 })

  it('is asked and told in the order of the study, and after a resume as before', async () => {
    const objective = (trial: import('@regimen/bayes').Trial) => {
      const { x, kind } = trial.suggest(space)
      if (trial.number === 5) throw new Error('broken')
      return x * x + (kind === 'a' ? 0 : 1)
    }
    const options = { direction: 'minimize', sampler: optimizerSampler(space, open) } as const
    const whole = openStudy(options)
    await whole.optimize(objective, { trials: 30 })
    const storage = memoryStorage()
    await openStudy({ ...options, storage }).optimize(objective, { trials: 17 })
    const resumed = openStudy({ ...options, storage: memoryStorage(storage.entries) })
    await resumed.optimize(objective, { trials: 13 })
    expect(resumed.trials.map((t) => t.params)).toEqual(whole.trials.map((t) => t.params))
    const alone = open()
    expect(whole.trials[0]!.params).toEqual(alone.ask(1)[0]!.point)
    expect(() => openStudy({ ...options, direction: 'maximize' })).toThrow('must maximize like the study')
  })

  it('refuses the snapshot of another space', () => {
    const other = { x: { type: 'float', low: 0, high: 1 } } as const
    expect(() => openOptimizer({ space: other, direction: 'minimize', from: open().snapshot() })).toThrow('belongs to')
  })
})
