import { type AttributeValue, sizeOf } from '../graph.ts'
import { array, type DoubleArray } from './arrays.ts'
import type { Operation } from './operations.ts'

interface Window {
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  readonly pads: readonly number[]
}

const windowOf = (attrs: Readonly<Record<string, AttributeValue>>, axes: number): Window => ({
  strides: attrs.strides as readonly number[],
  dilations: (attrs.dilations ?? Array<number>(axes).fill(1)) as readonly number[],
  pads: attrs.pads as readonly number[],
})

/** Visits (output place, input place, filter place) of every window over one image; places outside are left out. */
function visit(
  size: readonly number[],
  out: readonly number[],
  filter: readonly number[],
  attrs: Readonly<Record<string, AttributeValue>>,
  fn: (out: number, input: number, filter: number) => void,
): void {
  const { strides, dilations, pads } = windowOf(attrs, size.length)
  const walk = (axis: number, o: number, x: number, f: number): void => {
    if (axis === size.length) {
      fn(o, x, f)
      return
    }
    for (let i = 0; i < out[axis]!; i++) {
      for (let p = 0; p < filter[axis]!; p++) {
        const at = i * strides[axis]! - pads[axis]! + p * dilations[axis]!
        if (at < 0 || at >= size[axis]!) continue
        walk(axis + 1, o * out[axis]! + i, x * size[axis]! + at, f * filter[axis]! + p)
      }
    }
  }
  walk(0, 0, 0, 0)
}

const conv: Operation = ([x, filter], attrs, out) => {
  const [n, c, ...size] = x!.shape as [number, number, ...number[]]
  const [m, perGroup, ...kernel] = filter!.shape as [number, number, ...number[]]
  const reached = out.shape.slice(2)
  const group = attrs.group as number
  const result = array(out.shape)
  for (let image = 0; image < n; image++) {
    for (let to = 0; to < m; to++) {
      const first = Math.floor(to / (m / group)) * perGroup
      for (let from = 0; from < perGroup; from++) {
        const source = (image * c + first + from) * sizeOf(size)
        const target = (image * m + to) * sizeOf(reached)
        const weights = (to * perGroup + from) * sizeOf(kernel)
        visit(size, reached, kernel, attrs, (o, i, k) => {
          result.data[target + o]! += x!.data[source + i]! * filter!.data[weights + k]!
        })
      }
    }
  }
  return result
}

const convTranspose: Operation = ([x, filter], attrs, out) => {
  const [n, c, ...size] = x!.shape as [number, number, ...number[]]
  const [, perGroup, ...kernel] = filter!.shape as [number, number, ...number[]]
  const [, m, ...reached] = out.shape as [number, number, ...number[]]
  const group = (attrs.group ?? 1) as number
  const result = array(out.shape)
  for (let image = 0; image < n; image++) {
    for (let from = 0; from < c; from++) {
      const first = Math.floor(from / (c / group)) * perGroup
      for (let to = 0; to < perGroup; to++) {
        const source = (image * c + from) * sizeOf(size)
        const target = (image * m + first + to) * sizeOf(reached)
        const weights = (from * perGroup + to) * sizeOf(kernel)
        visit(reached, size, kernel, attrs, (i, o, k) => {
          result.data[target + o]! += x!.data[source + i]! * filter!.data[weights + k]!
        })
      }
    }
  }
  return result
}

function pool(
  x: DoubleArray,
  attrs: Readonly<Record<string, AttributeValue>>,
  shape: readonly number[],
  fn: (window: number[], image: number) => number,
): DoubleArray {
  const [n, c, ...size] = x.shape as [number, number, ...number[]]
  const reached = shape.slice(2)
  const count = sizeOf(reached)
  const result = array(shape)
  for (let image = 0; image < n * c; image++) {
    const windows = Array.from({ length: count }, (): number[] => [])
    visit(size, reached, attrs.kernel_shape as readonly number[], attrs, (o, i) =>
      windows[o]!.push(image * sizeOf(size) + i),
    )
    windows.forEach((window, o) => {
      result.data[image * count + o] = fn(window, image)
    })
  }
  return result
}

const argMax = (data: Float64Array, window: readonly number[]): number =>
  window.reduce((best, i) => (data[i]! > data[best]! ? i : best), window[0]!)

/** Convolutions and pools over any number of spatial axes, channels first. */
export const WINDOWED: Readonly<Record<string, Operation>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: ([x], attrs, out) => {
    const { data } = x!
    return [
      pool(x!, attrs, out.shape, (window) => data[argMax(data, window)]!),
      pool(x!, attrs, out.shape, (window) => argMax(data, window)),
    ]
  },
  AveragePool: ([x], attrs, out) =>
    pool(x!, attrs, out.shape, (window) => window.reduce((sum, i) => sum + x!.data[i]!, 0) / window.length),
}
