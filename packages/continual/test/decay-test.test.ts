import { createRng } from '@regimen/core'
import { describe, expect, it } from 'vitest'
import { createDecayTest, testLoss } from '../src/skills/decay-test.ts'

const full = process.env.REGIMEN_FULL === '1'

describe('the test for decay', () => {
  it('worked by hand for two losses', () => {
    const [rng, same] = [createRng('hand'), createRng('hand')]
    const test = createDecayTest([3, 1, 2])
    // Above all three: its rank from above is the first of four, p = u / 4. Half of the capital bets, a third on each strength.
    testLoss(test, 4, 10, rng)
    const p = same.uniform() / 4
    const first = [0.25, 0.5, 1].map((e) => (1 / 6) * (1 + e * (1 - 2 * p)))
    expect(test.capital).toEqual(first)
    expect(test.evidence).toBeCloseTo(1 / 2 + first[0]! + first[1]! + first[2]!, 14)
    // Now 1, 2, 3, 4: a loss of 2 ties with one and has two above, p = (2 + 2 u) / 5. A sixth more of the capital begins.
    testLoss(test, 2, 10, rng)
    const q = (2 + 2 * same.uniform()) / 5
    const second = first.map((capital, k) => (capital + 1 / 18) * (1 + [0.25, 0.5, 1][k]! * (1 - 2 * q)))
    expect(test.evidence).toBeCloseTo(1 / 3 + second[0]! + second[1]! + second[2]!, 14)
    expect(test.reference).toEqual([1, 2, 2, 3, 4])
  })

  it('has evidence of mean 1 while nothing changes', () => {
    const rng = createRng('mean')
    const runs = 2000
    const ends = Array.from({ length: runs }, () => {
      const test = createDecayTest(Array.from({ length: 5 }, () => rng.normal()))
      for (let n = 0; n < 8; n++) testLoss(test, rng.normal(), 6, rng)
      return test.evidence
    })
    const mean = ends.reduce((a, b) => a + b, 0) / runs
    const error = Math.sqrt(ends.reduce((sum, value) => sum + (value - mean) ** 2, 0)) / runs
    expect(Math.abs(mean - 1)).toBeLessThan(3 * error)
    expect(error).toBeLessThan(0.05)
  })

  // However long it watches and however small the reference: one that stayed fixed would alarm nearly always.
  const laws: { readonly [name: string]: (rng: ReturnType<typeof createRng>) => number } = {
    'skewed losses': (rng) => rng.exponential(),
    'losses of 0 and 1': (rng) => (rng.uniform() < 0.2 ? 1 : 0),
    'fat tails': (rng) => rng.studentT(2),
  }
  for (const [name, draw] of Object.entries(laws)) {
    it(`raises false alarms no more often than promised: ${name}`, () => {
      const rng = createRng(`calm ${name}`)
      const runs = full ? 4000 : 150
      for (const [size, limit] of [
        [10, 10],
        [100, 100],
      ] as const) {
        let alarms = 0
        for (let run = 0; run < runs; run++) {
          const test = createDecayTest(Array.from({ length: size }, () => draw(rng)))
          for (let n = 0; n < 1000 && test.evidence < 20; n++) testLoss(test, draw(rng), limit, rng)
          if (test.evidence >= 20) alarms++
        }
        // At most 5 % are promised; three standard errors above them for the luck of the draw.
        expect(alarms / runs).toBeLessThan(0.05 + 3 * Math.sqrt((0.05 * 0.95) / runs))
      }
    }, 600_000)
  }

  it('sees losses that have doubled within tens of samples, also after a long calm', () => {
    for (const [calm, most] of [
      [0, 40],
      [2000, 80],
    ] as const) {
      const delays: number[] = []
      for (let run = 0; run < 20; run++) {
        const rng = createRng(`decay ${calm} ${run}`)
        const test = createDecayTest(Array.from({ length: 200 }, () => rng.exponential()))
        for (let n = 0; n < calm && test.evidence < 100; n++) testLoss(test, rng.exponential(), 200, rng)
        let delay = 0
        while (test.evidence < 100 && delay < 1000) {
          testLoss(test, 1 + rng.exponential(), 200, rng)
          delay++
        }
        delays.push(delay)
      }
      delays.sort((a, b) => a - b)
      expect(delays[10], `after ${calm}`).toBeLessThan(most)
      expect(delays[19], `after ${calm}`).toBeLessThan(1000)
    }
  })
})
