import { check, describe, RegimenError, type Rng } from '@regimen/core'
import type { TensorLeaf } from '../tree.ts'

/** Names of the initializers: PyTorch's (`xavier…`, `kaiming…`, `pytorchLinear`) and Keras's (`glorot…`, `he…`, `lecun…`). */
export type InitializerName =
  | 'zeros'
  | 'ones'
  | 'uniform'
  | 'normal'
  | 'truncatedNormal'
  | 'xavierUniform'
  | 'xavierNormal'
  | 'kaimingUniform'
  | 'kaimingNormal'
  | 'pytorchLinear'
  | 'glorotUniform'
  | 'glorotNormal'
  | 'heUniform'
  | 'heNormal'
  | 'lecunUniform'
  | 'lecunNormal'
  | 'orthogonal'

/** Options of {@link initialize}. */
export interface InitializerOptions {
  /**
   * Factor on the standard deviation: 1 for linear layers, √2 ahead of a ReLU, 5/3 ahead of tanh. The deviation itself
   * for `normal` and `truncatedNormal`, half the width for `uniform`.
   * @default √2 for `kaiming…` and `he…`, 0.05 for `uniform`, `normal` and `truncatedNormal`, 1 otherwise
   */
  gain?: number
}

// A normal cut off at two deviations has this deviation; Keras divides by it so that the variance is as named.
const TRUNCATED_DEVIATION = 0.8796256610342398

/**
 * Makes one parameter array by a named rule. The shape ends in [inputs, outputs] and what stands before it is the
 * kernel's window, as in this package's nets: fan in = window · inputs, fan out = window · outputs.
 *
 * Variance: `xavier`, `glorot` gain² · 2 / (fan in + fan out); `kaiming`, `he` gain² / fan in with gain √2; `lecun`
 * 1 / fan in; `pytorchLinear` 1 / (3 fan in), which is what `nn.Linear` and `nn.Conv` draw. Uniform variants reach to
 * ±√3 deviations. Keras's normal variants (`glorot`, `he`, `lecun`) are cut off at two deviations, PyTorch's are not.
 * `orthogonal` makes orthonormal rows or columns, which keeps recurrent gradients alive.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { initialize } from '@regimen/tensor'
 *
 * const kernel = initialize('glorotUniform', [40, 60], createRng(1))
 * // limit = √(6 / (40 + 60))
 * kernel.data.every((w) => Math.abs(w) <= Math.sqrt(0.06)) // => true
 * ```
 *
 * References: Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998; Saxe et al. 2014.
 */
export function initialize(
  name: InitializerName,
  shape: readonly number[],
  rng: Rng,
  options: InitializerOptions = {},
): TensorLeaf & { readonly dtype: 'float32' } {
  const size = shape.reduce((product, dim) => product * dim, 1)
  const data = new Float32Array(size)
  const gain = options.gain ?? defaultGain(name)
  check(
    Number.isFinite(gain) && gain >= 0,
    'tensor/initialize',
    () => `gain must be a number ≥ 0, got ${describe(gain)}.`,
  )
  const [fanIn, fanOut] = fans(shape)
  if (name === 'ones') data.fill(gain)
  else if (name === 'orthogonal') fillOrthogonal(data, shape.at(-1) ?? 1, gain, rng)
  else if (name !== 'zeros') fill(data, name, gain, fanIn, fanOut, rng)
  return { dtype: 'float32', shape: [...shape], data }
}

function defaultGain(name: InitializerName): number {
  if (name.startsWith('kaiming') || name.startsWith('he')) return Math.SQRT2
  return name === 'uniform' || name === 'normal' || name === 'truncatedNormal' ? 0.05 : 1
}

function fans(shape: readonly number[]): [fanIn: number, fanOut: number] {
  if (shape.length < 2) return [shape[0] ?? 1, shape[0] ?? 1]
  const window = shape.slice(0, -2).reduce((product, dim) => product * dim, 1)
  return [window * shape.at(-2)!, window * shape.at(-1)!]
}

function fill(data: Float32Array, name: InitializerName, gain: number, fanIn: number, fanOut: number, rng: Rng): void {
  const deviation = gain * Math.sqrt(baseVariance(name, fanIn, fanOut))
  const n = data.length
  if (name === 'uniform') for (let i = 0; i < n; i++) data[i] = rng.uniform(-deviation, deviation)
  else if (name.endsWith('Uniform') || name === 'pytorchLinear') {
    const limit = Math.sqrt(3) * deviation
    for (let i = 0; i < n; i++) data[i] = rng.uniform(-limit, limit)
  } else if (name === 'truncatedNormal') for (let i = 0; i < n; i++) data[i] = deviation * truncated(rng)
  else if (name === 'glorotNormal' || name === 'heNormal' || name === 'lecunNormal') {
    for (let i = 0; i < n; i++) data[i] = (deviation / TRUNCATED_DEVIATION) * truncated(rng)
  } else for (let i = 0; i < n; i++) data[i] = rng.normal(0, deviation)
}

function baseVariance(name: InitializerName, fanIn: number, fanOut: number): number {
  switch (name) {
    case 'uniform':
    case 'normal':
    case 'truncatedNormal':
      return 1
    case 'xavierUniform':
    case 'xavierNormal':
    case 'glorotUniform':
    case 'glorotNormal':
      return 2 / (fanIn + fanOut)
    case 'pytorchLinear':
      return 1 / (3 * fanIn)
    case 'kaimingUniform':
    case 'kaimingNormal':
    case 'heUniform':
    case 'heNormal':
    case 'lecunUniform':
    case 'lecunNormal':
      return 1 / fanIn
    default:
      throw new RegimenError(`unknown initializer ${describe(name)}.`, {
        code: 'INVALID_ARGUMENT',
        where: 'tensor/initialize',
        hint: "Pass for example 'glorotUniform'.",
      })
  }
}

function truncated(rng: Rng): number {
  let x = rng.normal()
  while (Math.abs(x) > 2) x = rng.normal()
  return x
}

// Gram-Schmidt, twice for accuracy, on the shorter side of a normal matrix.
function fillOrthogonal(data: Float32Array, columns: number, gain: number, rng: Rng): void {
  const rows = data.length / columns
  const [count, length] = rows < columns ? [rows, columns] : [columns, rows]
  const basis = new Float64Array(count * length)
  for (let k = 0; k < count; k++) {
    const at = k * length
    for (let i = 0; i < length; i++) basis[at + i] = rng.normal()
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < k; j++) {
        let dot = 0
        for (let i = 0; i < length; i++) dot += basis[at + i]! * basis[j * length + i]!
        for (let i = 0; i < length; i++) basis[at + i]! -= dot * basis[j * length + i]!
      }
    }
    let norm = 0
    for (let i = 0; i < length; i++) norm += basis[at + i]! ** 2
    norm = Math.sqrt(norm)
    for (let i = 0; i < length; i++) {
      basis[at + i]! /= norm
      data[rows < columns ? k * columns + i : i * columns + k] = gain * basis[at + i]!
    }
  }
}
