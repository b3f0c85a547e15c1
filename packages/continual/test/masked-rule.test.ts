import { adamW } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import { dense } from '@regimen/tensor'
import { expect, it } from 'vitest'
import { maskedRule, openTrainer } from '../src/index.ts'

it('keeps masked parameters bit for bit through weight decay and a penalty, and moves the others', async () => {
  // Kernel [2, 2], then bias [2].
  const mask = [1, 0, 0, 1, 0, 1]
  const options = {
    net: dense({ inputs: 2, outputs: 2 }),
    inputs: 2,
    outputs: 2,
    rate: 0.1,
    rule: maskedRule(adamW({ weightDecay: 0.1 }), mask),
    strategy: { penalty: { kind: 'ewc' as const, lambda: 1 } },
  }
  const trainer = openTrainer(options)
  const numbers = () => {
    const { kernel, bias } = trainer.params() as { kernel: { data: Float32Array }; bias: { data: Float32Array } }
    return [...kernel.data, ...bias.data]
  }
  const before = numbers()
  await trainer.learn({ x: [1, 2, -1, 0.5], y: [0, 1] }, { epochs: 3 })
  await trainer.learn({ x: [-1, 2, 1, 0.5], y: [0, 1] }, { epochs: 3 })
  expect(numbers().map((value, i) => Number(value !== before[i]))).toEqual(mask)
  const copy = openTrainer(options, trainer.snapshot())
  expect(copy.snapshot()).toEqual(trainer.snapshot())
  await trainer.dispose()
  await copy.dispose()
})

it('refuses a mask that does not fit', () => {
  expect(() => maskedRule(adamW(), [1, 0.5])).toThrow('zeros and ones, got 0.5 at 1')
  const rule = maskedRule(adamW(), [1, 0])
  expect(() => openTrainer({ net: dense({ inputs: 2, outputs: 2 }), inputs: 2, outputs: 2, rule })).toThrow(
    'the mask holds 2 numbers, but the parameters are a vector of 6',
  )
})
