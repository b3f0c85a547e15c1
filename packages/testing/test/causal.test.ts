import { createRng } from '@regimen/core'
import { ContractError, checkCausal, testCausal } from '@regimen/testing'
import { describe, expect, it } from 'vitest'

const rng = createRng(1)
const series = Array.from({ length: 40 }, () => rng.normal())

const runningMean = (xs: readonly number[]): Float64Array => {
  let sum = 0
  return Float64Array.from(xs, (x, i) => {
    sum += x
    return sum / (i + 1)
  })
}

testCausal('a running mean', { series, run: runningMean })
testCausal('a running mean, asynchronously', { series, run: async (xs) => [...runningMean(xs)] })
testCausal('a running mean that a runtime sums in another order', {
  series,
  tolerance: 1e-9,
  run: (xs) => runningMean(xs).map((mean) => mean + xs.length * 1e-12),
})

describe('a look into the future', () => {
  it.each([
    [
      'normalizing by the whole series',
      (xs: readonly number[]) => xs.map((x) => x - xs.reduce((a, b) => a + b) / xs.length),
    ],
    ['a centered window', (xs: readonly number[]) => xs.map((x, i) => x + (xs[i + 1] ?? x))],
    ['a label of the next step', (xs: readonly number[]) => xs.map((_, i) => Math.sign(xs[i + 1] ?? 0))],
  ])('through %s is found', async (_, run) => {
    await expect(checkCausal({ series, run })).rejects.toThrow(ContractError)
    await expect(checkCausal({ series, run })).rejects.toThrow('appending future data never changes past outputs')
  })

  it('cannot hide by answering nothing', async () => {
    await expect(checkCausal({ series, run: () => [] })).rejects.toThrow('there is something to compare')
  })
  it('cannot hide behind more outputs than time steps', async () => {
    await expect(checkCausal({ series, run: (xs) => [...xs, 0] })).rejects.toThrow('one output a time step at most')
  })
})
