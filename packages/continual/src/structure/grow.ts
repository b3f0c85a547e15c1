import { check, createRng, describe } from '@regimen/core'
import { type DenseParams, type Fetched, initialize, type TensorLeaf } from '@regimen/tensor'

/** Options of {@link growMlp}. */
export interface GrowOptions {
  /** Which layer gets neurons, counted from 0: any but the last, whose outputs have a meaning. */
  layer: number
  /** How many, ≥ 1. */
  by: number
  /** @default 0 */
  seed?: number | string
}

/**
 * Adds neurons to a hidden layer of an `mlp` without changing what it computes: new ones draw their inputs as fresh neurons do
 * (He's uniform) and reach the next layer by weights of zero, which learn from the first update on. Take it when the loss has
 * stopped falling above what is wanted. Open the next trainer with `mlp` of the wider sizes and these parameters; moments and
 * penalties begin anew there. With an activation whose gradient is zero for new neurons they stay silent.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { growMlp } from '@regimen/continual'
 * import { mlp } from '@regimen/tensor'
 *
 * const params = mlp({ sizes: [2, 3, 1] }).init(createRng(0))
 * growMlp(params, { layer: 0, by: 2 })[0]!.kernel.shape // => [2, 5]
 * ```
 *
 * Reference: Chen et al. 2016, Net2Net.
 */
export function growMlp(params: Fetched<DenseParams[]>, options: GrowOptions): Fetched<DenseParams[]> {
  const where = 'continual/grow-mlp'
  const { layer, by, seed = 0 } = options
  check(
    Number.isInteger(layer) && layer >= 0 && layer < params.length - 1,
    where,
    () => `layer must be the number of a hidden layer, below ${params.length - 1}, got ${describe(layer)}.`,
  )
  check(Number.isInteger(by) && by >= 1, where, () => `by must be an integer from 1, got ${describe(by)}.`)
  return params.map((one, i): Fetched<DenseParams> => {
    const [inputs, outputs] = one.kernel.shape as [number, number]
    if (i === layer + 1) {
      const kernel = new Float32Array((inputs + by) * outputs)
      kernel.set(numbers(one.kernel))
      return { ...one, kernel: { dtype: 'float32', shape: [inputs + by, outputs], data: kernel } }
    }
    if (i !== layer) return one
    const width = outputs + by
    const fresh = numbers(initialize('heUniform', [inputs, by], createRng(`${seed}/grow`)))
    const old = numbers(one.kernel)
    const kernel = new Float32Array(inputs * width)
    for (let row = 0; row < inputs; row++) {
      kernel.set(old.subarray(row * outputs, (row + 1) * outputs), row * width)
      kernel.set(fresh.subarray(row * by, (row + 1) * by), row * width + outputs)
    }
    const grown = { kernel: { dtype: 'float32' as const, shape: [inputs, width], data: kernel } }
    if (!one.bias) return grown
    const bias = new Float32Array(width)
    bias.set(numbers(one.bias))
    return { ...grown, bias: { dtype: 'float32', shape: [width], data: bias } }
  })
}

function numbers({ data }: TensorLeaf): Float32Array {
  return Float32Array.from(data as Float32Array)
}
