import { check, describe, RegimenError } from '@regimen/core'
import type { RuntimeArray } from './runtime/runtime.ts'
import type { InputLeaf, InputSpec, Numbers } from './signature.ts'
import { sizeOf, zeros } from './signature.ts'

/**
 * Which inputs share a varying axis, and the sizes to which it is padded with zeros. Put per-sample weights among the
 * inputs: padded samples then weigh nothing. Results that keep the axis are listed in `outputs` and cut back.
 */
export interface Buckets {
  /** Accepted sizes in ascending order; a call uses the smallest that fits. */
  sizes: readonly number[]
  /** Path of an input (or the start of paths) to the axis that varies: `{ '1': 0, '2.weights': 1 }`. */
  inputs: Readonly<Record<string, number>>
  /** Path of a result (`''` for a lone tensor) to the axis to cut back. @default none */
  outputs?: Readonly<Record<string, number>>
}

/** How one call is padded. */
export interface Padding {
  /** Samples in the call. */
  readonly samples: number
  /** The size they are padded to. */
  readonly size: number
  /** Padded shape of every input. */
  readonly shapes: readonly (readonly number[])[]
  /** The call's form with the varying axis left out. */
  readonly form: string
  readonly outputs: Readonly<Record<string, number>>
}

export function planPadding(buckets: Buckets, specs: readonly InputSpec[], leaves: readonly InputLeaf[]): Padding {
  const axes = specs.map(({ path }) => axisAt(buckets.inputs, path))
  let samples: number | undefined
  axes.forEach((axis, i) => {
    if (axis === undefined) return
    const { path } = specs[i]!
    const found = leaves[i]!.shape[axis]
    check(
      found !== undefined,
      'tensor/compile',
      () => `buckets name axis ${axis} of "${path}", whose shape is [${leaves[i]!.shape.join(', ')}].`,
    )
    check(
      samples === undefined || samples === found,
      'tensor/compile',
      () => `inputs that share a bucket differ: ${samples} samples before, ${found} at "${path}".`,
    )
    samples = found
  })
  check(
    samples !== undefined,
    'tensor/compile',
    () => `buckets.inputs names no input: ${describe(Object.keys(buckets.inputs))}.`,
  )
  const count: number = samples
  const size = buckets.sizes.find((candidate) => candidate >= count)
  if (size === undefined) {
    throw new RegimenError(`${count} samples fit no bucket, the sizes are ${buckets.sizes.join(', ')}.`, {
      code: 'INVALID_ARGUMENT',
      where: 'tensor/compile',
      hint: 'Add a larger size, or split the batch.',
    })
  }
  const shapes = leaves.map(({ shape }, i) => shape.map((dim, axis) => (axis === axes[i] ? size : dim)))
  const form = leaves.map(({ dtype }, i) => `${specs[i]!.path}:${dtype}${shapes[i]!.join('x')}`).join(';')
  return { samples: count, size, shapes, form, outputs: buckets.outputs ?? {} }
}

/** Grows an array with zeros along one axis. */
export function pad(array: RuntimeArray, shape: readonly number[]): RuntimeArray {
  const axis = array.shape.findIndex((dim, i) => dim !== shape[i])
  if (axis < 0) return array
  return { dtype: array.dtype, shape, data: moveBlocks(array, shape, axis) }
}

/** Cuts a result back to the call's own number of samples. */
export function crop(array: RuntimeArray, padding: Padding, path: string): RuntimeArray {
  const axis = axisAt(padding.outputs, path)
  if (axis === undefined || array.shape[axis] === padding.samples) return array
  const shape = array.shape.map((dim, i) => (i === axis ? padding.samples : dim))
  return { dtype: array.dtype, shape, data: moveBlocks(array, shape, axis) }
}

function moveBlocks(array: RuntimeArray, shape: readonly number[], axis: number): Numbers {
  const data = zeros(array.dtype, shape)
  const outer = sizeOf(shape.slice(0, axis))
  const from = sizeOf(array.shape.slice(axis))
  const to = sizeOf(shape.slice(axis))
  const count = Math.min(from, to)
  for (let i = 0; i < outer; i++) data.set(array.data.subarray(i * from, i * from + count), i * to)
  return data
}

function axisAt(axes: Readonly<Record<string, number>>, path: string): number | undefined {
  let at = path
  for (;;) {
    if (axes[at] !== undefined) return axes[at]
    const dot = at.lastIndexOf('.')
    if (dot < 0) return undefined
    at = at.slice(0, dot)
  }
}
