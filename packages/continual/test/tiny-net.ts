import { createRng } from '@regimen/core'
import { mlp } from '@regimen/tensor'
import { flatNet } from '../src/flat.ts'

const net = mlp({ sizes: [3, 4, 3], activation: 'tanh' })

/** A net of two layers with its log p by hand, and the slopes of that at one input by finite differences. */
export function tinyNet() {
  const flat = flatNet(net)
  const vector = flat.init(createRng(4))
  const x = [0.3, -0.7, 0.5]
  const logP = (at: ArrayLike<number>): number[] => {
    const [first, second] = flat.toParams(at) as { kernel: { data: Float32Array }; bias: { data: Float32Array } }[]
    const layer = (input: number[], { kernel, bias }: typeof first & object, outputs: number) =>
      Array.from({ length: outputs }, (_, j) =>
        input.reduce((sum, value, i) => sum + value * kernel.data[i * outputs + j]!, bias.data[j]!),
      )
    const logits = layer(layer(x, first!, 4).map(Math.tanh), second!, 3)
    const total = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0))
    return logits.map((value) => value - total)
  }
  const slopes = Array.from(vector, (_, i) => {
    const at = (by: number) => logP(vector.map((value, j) => (j === i ? value + by : value)))
    const [up, down] = [at(0.01), at(-0.01)]
    return up.map((value, c) => (value - down[c]!) / 0.02)
  })
  return { net, flat, vector, x, p: logP(vector).map(Math.exp), slopes }
}
