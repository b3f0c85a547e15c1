import '@tensorflow/tfjs-backend-cpu'
import * as core from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { useHigherOrderGradients } from '../src/gradients/higher-order.ts'

test('tfjs imported after the first use does not bring its gradients back', async () => {
  useHigherOrderGradients()
  await import('@tensorflow/tfjs')
  useHigherOrderGradients()
  // σ″ = σ (1 − σ)(1 − 2σ)
  const x = 1
  const s = 1 / (1 + Math.exp(-x))
  const second = core.grad((v: core.Tensor) => core.grad((u: core.Tensor) => core.sigmoid(u))(v))
  expect(second(core.scalar(x)).dataSync()[0]).toBeCloseTo(s * (1 - s) * (1 - 2 * s), 6)
})
