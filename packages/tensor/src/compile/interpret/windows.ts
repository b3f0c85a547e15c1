import type { AttributeValue } from '../graph.ts'
import { array, type DoubleArray } from './arrays.ts'
import type { Operation } from './operations.ts'

interface Window {
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  readonly pads: readonly number[]
}

const windowOf = (attrs: Readonly<Record<string, AttributeValue>>): Window => ({
  strides: attrs.strides as readonly number[],
  dilations: (attrs.dilations ?? [1, 1]) as readonly number[],
  pads: attrs.pads as readonly number[],
})

/** Visits (output place, input place, filter place) of every window over one image; places outside are left out. */
function visit(
  [h, w]: readonly [number, number],
  [outH, outW]: readonly [number, number],
  [kh, kw]: readonly [number, number],
  { strides, dilations, pads }: Window,
  fn: (out: number, input: number, filter: number) => void,
): void {
  for (let i = 0; i < outH; i++) {
    for (let j = 0; j < outW; j++) {
      for (let p = 0; p < kh; p++) {
        const y = i * strides[0]! - pads[0]! + p * dilations[0]!
        if (y < 0 || y >= h) continue
        for (let q = 0; q < kw; q++) {
          const x = j * strides[1]! - pads[1]! + q * dilations[1]!
          if (x >= 0 && x < w) fn(i * outW + j, y * w + x, p * kw + q)
        }
      }
    }
  }
}

type Shape4 = readonly [number, number, number, number]

const conv: Operation = ([x, filter], attrs, out) => {
  const [n, c, h, w] = x!.shape as Shape4
  const [m, perGroup, kh, kw] = filter!.shape as Shape4
  const [, , oh, ow] = out.shape as Shape4
  const group = attrs.group as number
  const result = array(out.shape)
  for (let image = 0; image < n; image++) {
    for (let to = 0; to < m; to++) {
      const first = Math.floor(to / (m / group)) * perGroup
      for (let from = 0; from < perGroup; from++) {
        const source = (image * c + first + from) * h * w
        const target = (image * m + to) * oh * ow
        const weights = (to * perGroup + from) * kh * kw
        visit([h, w], [oh, ow], [kh, kw], windowOf(attrs), (o, i, k) => {
          result.data[target + o]! += x!.data[source + i]! * filter!.data[weights + k]!
        })
      }
    }
  }
  return result
}

const convTranspose: Operation = ([x, filter], attrs, out) => {
  const [n, c, h, w] = x!.shape as Shape4
  const [, perGroup, kh, kw] = filter!.shape as Shape4
  const [, m, oh, ow] = out.shape as Shape4
  const group = (attrs.group ?? 1) as number
  const result = array(out.shape)
  for (let image = 0; image < n; image++) {
    for (let from = 0; from < c; from++) {
      const first = Math.floor(from / (c / group)) * perGroup
      for (let to = 0; to < perGroup; to++) {
        const source = (image * c + from) * h * w
        const target = (image * m + first + to) * oh * ow
        const weights = (from * perGroup + to) * kh * kw
        visit([oh, ow], [h, w], [kh, kw], windowOf(attrs), (i, o, k) => {
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
  const [n, c, h, w] = x.shape as Shape4
  const [, , oh, ow] = shape as Shape4
  const result = array(shape)
  for (let image = 0; image < n * c; image++) {
    const windows = Array.from({ length: oh * ow }, (): number[] => [])
    visit([h, w], [oh, ow], attrs.kernel_shape as [number, number], windowOf(attrs), (o, i) =>
      windows[o]!.push(image * h * w + i),
    )
    windows.forEach((window, o) => {
      result.data[image * oh * ow + o] = fn(window, image)
    })
  }
  return result
}

const argMax = (data: Float64Array, window: readonly number[]): number =>
  window.reduce((best, i) => (data[i]! > data[best]! ? i : best), window[0]!)

/** Convolutions and pools over two spatial axes, channels first. */
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
