import { type ArrayLeaf, arrayLeaf, check } from '@regimen/core'
import type { TensorLeaf } from '@regimen/tensor'
import type { RowShape, TaskData } from './rows.ts'

const LARGEST = 512

/**
 * Outputs of a net for any number of rows, in pieces of a few fixed sizes, so that no number of rows needs a graph of its own.
 */
export async function outputsFor(
  predict: (x: ArrayLeaf<'float32'>) => Promise<TensorLeaf>,
  x: ArrayLike<number>,
  { shape, width, outputs }: RowShape,
  where: string,
): Promise<Float32Array> {
  const n = x.length / width
  check(Number.isInteger(n) && n >= 1, where, () => `x must hold rows of ${width}, got ${x.length} numbers.`)
  const result = new Float32Array(n * outputs)
  for (let start = 0; start < n; ) {
    const count = Math.min(LARGEST, n - start)
    const size = 2 ** Math.ceil(Math.log2(count))
    const rows = new Float32Array(size * width)
    for (let i = 0; i < count * width; i++) rows[i] = x[start * width + i]!
    const made = await predict(arrayLeaf('float32', [size, ...shape], rows))
    for (let i = 0; i < count * outputs; i++) result[start * outputs + i] = made.data[i]!
    start += count
  }
  return result
}

/** Share of rows whose largest output is their class. */
export function accuracyOf(made: Float32Array, { y }: TaskData, outputs: number): number {
  let right = 0
  for (let i = 0; i < y.length; i++) {
    let best = 0
    for (let c = 1; c < outputs; c++) if (made[i * outputs + c]! > made[i * outputs + best]!) best = c
    if (best === y[i]) right++
  }
  return right / y.length
}

/** Mean loss of outputs: cross-entropy, or half the mean squared error. */
export function lossOf(made: Float32Array, y: ArrayLike<number>, { outputs, likelihood }: RowShape): number {
  const n = made.length / outputs
  let sum = 0
  for (let i = 0; i < n; i++) {
    const row = made.subarray(i * outputs, (i + 1) * outputs)
    if (likelihood === 'gaussian')
      for (let j = 0; j < outputs; j++) sum += (row[j]! - y[i * outputs + j]!) ** 2 / 2 / outputs
    else {
      const top = row.reduce((a, b) => Math.max(a, b))
      sum += top + Math.log(row.reduce((total, value) => total + Math.exp(value - top), 0)) - row[y[i]!]!
    }
  }
  return sum / n
}
