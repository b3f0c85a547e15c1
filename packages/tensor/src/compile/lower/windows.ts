import type { GraphBuilder, Value } from '../graph.ts'
import { sizeOf } from '../graph.ts'
import type { Call } from './call.ts'

/** Windows over two or three spatial axes: the sizes that tfjs derives, by axis. */
export interface Windows {
  readonly batch: number
  readonly channels: number
  readonly outChannels: number
  readonly input: readonly number[]
  readonly out: readonly number[]
  /** Extent of a window, holes included. */
  readonly reach: readonly number[]
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  readonly before: readonly number[]
  readonly after: readonly number[]
}

interface Planar {
  readonly batchSize: number
  readonly inChannels: number
  readonly outChannels: number
  readonly padInfo: {
    readonly top: number
    readonly bottom: number
    readonly left: number
    readonly right: number
    readonly front?: number
    readonly back?: number
  }
}

/** Reads what tfjs's `compute…2DInfo` and `compute…3DInfo` say. */
export function readWindows(info: Planar): Windows {
  const sizes = info as unknown as Readonly<Record<string, number>>
  const { padInfo } = info
  const solid = padInfo.front !== undefined
  const by = (start: string, end = ''): number[] =>
    [...(solid ? ['Depth'] : []), 'Height', 'Width'].map((axis) => sizes[`${start}${axis}${end}`]!)
  return {
    batch: info.batchSize,
    channels: info.inChannels,
    outChannels: info.outChannels,
    input: by('in'),
    out: by('out'),
    reach: by('effectiveFilter'),
    kernel: by('filter'),
    strides: by('stride'),
    dilations: by('dilation'),
    before: [...(solid ? [padInfo.front!] : []), padInfo.top, padInfo.left],
    after: [...(solid ? [padInfo.back!] : []), padInfo.bottom, padInfo.right],
  }
}

/** Channels second, as ONNX has them. */
export function first(b: GraphBuilder, x: Value): Value {
  const rank = x.shape.length
  return b.transpose(x, [0, rank - 1, ...[...Array(rank - 2).keys()].map((axis) => axis + 1)])
}

/** Channels last, as tfjs has them. */
export function last(b: GraphBuilder, x: Value): Value {
  const rank = x.shape.length
  return b.transpose(x, [0, ...[...Array(rank - 2).keys()].map((axis) => axis + 2), 1])
}

/** Pads the spatial axes so that every window lies inside, and cuts what no window reaches. */
export function fit(b: GraphBuilder, x: Value, g: Windows, fill = 0): Value {
  const reached = g.out.map((n, i) => (n - 1) * g.strides[i]! + g.reach[i]!)
  const padded = b.pad(
    x,
    [
      [0, 0],
      [0, 0],
      ...reached.map((n, i): [number, number] => [g.before[i]!, Math.max(0, n - g.input[i]! - g.before[i]!)]),
    ],
    fill,
  )
  const axes = reached.map((_, i) => i + 2)
  const exact = axes.every((axis, i) => padded.shape[axis] === reached[i])
  return exact
    ? padded
    : b.slice(
        padded,
        reached.map(() => 0),
        reached,
        axes,
      )
}

/**
 * The adjoint of gathering windows: adds y, weighted, at every place that the windows looked at. Weights are laid out
 * as ONNX's ConvTranspose has them, [from, to / group, …kernel].
 */
export function spread(call: Call, y: Value, weights: Value, g: Windows, group: number): Value {
  const { b } = call
  const channels = weights.shape[1]! * group
  const reached = g.out.map((n, i) => (n - 1) * g.strides[i]! + g.reach[i]!)
  const shape = [y.shape[0]!, channels, ...reached]
  const attrs = { strides: g.strides, dilations: g.dilations, pads: reached.flatMap(() => [0, 0]), group }
  // WebGPU's ConvTranspose knows two axes at most, and returns wrong numbers for groups.
  const plain = !call.gpu || (group === 1 && reached.length === 2)
  const whole = plain
    ? b.add('ConvTranspose', [y, weights], shape, y.type, attrs)
    : spreadByConvolution(b, y, weights, g, group)
  const axes = reached.map((_, i) => i + 2)
  const ends = g.before.map((n, i) => n + g.input[i]!)
  const grown = b.pad(whole, [
    [0, 0],
    [0, 0],
    ...reached.map((n, i): [number, number] => [0, Math.max(0, ends[i]! - n)]),
  ])
  const exact = axes.every((axis, i) => g.before[i] === 0 && grown.shape[axis] === ends[i])
  return exact ? grown : b.slice(grown, g.before, ends, axes)
}

/** The same with a plain convolution: strides become zeros between the values, and the kernel is turned round. */
function spreadByConvolution(b: GraphBuilder, y: Value, weights: Value, g: Windows, group: number): Value {
  const [from, perGroup] = weights.shape as [number, number]
  const axes = g.kernel.map((_, i) => i + 2)
  const turned = b.slice(
    weights,
    g.kernel.map((k) => k - 1),
    g.kernel.map(() => -1),
    axes,
    g.kernel.map(() => -1),
  )
  const grouped = b.reshape(turned, [group, from / group, perGroup, sizeOf(g.kernel)])
  const filters = b.reshape(b.transpose(grouped, [0, 2, 1, 3]), [group * perGroup, from / group, ...g.kernel])
  const reach = g.kernel.map((k, i) => (k - 1) * g.dilations[i]!)
  const shape = [y.shape[0]!, group * perGroup, ...g.out.map((n, i) => (n - 1) * g.strides[i]! + 1 + reach[i]!)]
  return b.add('Conv', [axes.reduce((x, axis, i) => stretch(b, x, axis, g.strides[i]!), y), filters], shape, y.type, {
    strides: g.kernel.map(() => 1),
    dilations: g.dilations,
    pads: [...reach, ...reach],
    group,
  })
}

/** Puts stride - 1 zeros between neighbours along an axis. */
function stretch(b: GraphBuilder, x: Value, axis: number, stride: number): Value {
  if (stride === 1) return x
  const size = x.shape[axis]!
  const shape = [...x.shape]
  const flat = b.reshape(x, [sizeOf(shape.slice(0, axis)), size, 1, sizeOf(shape.slice(axis + 1))])
  const padded = b.pad(flat, [
    [0, 0],
    [0, 0],
    [0, stride - 1],
    [0, 0],
  ])
  shape[axis] = size * stride
  return b.slice(b.reshape(padded, shape), [0], [(size - 1) * stride + 1], [axis])
}

/**
 * Number of the place inside its window, [places → 0, 1, …], that holds the first maximum: int32, in the shape
 * [n, c, …out]. For providers whose MaxPool does not tell places.
 */
export function firstMaximum(b: GraphBuilder, images: Value, g: Windows): Value {
  const shape = [images.shape[0]!, images.shape[1]!, ...g.out]
  const padded = fit(b, images, g, LOWEST)
  const axes = g.kernel.map((_, i) => i + 2)
  const parts = windowPlaces(g).map((place) => {
    const starts = place.map((k, i) => k * g.dilations[i]!)
    const ends = starts.map((start, i) => start + (g.out[i]! - 1) * g.strides[i]! + 1)
    return b.reshape(b.slice(padded, starts, ends, axes, [...g.strides]), [1, sizeOf(shape)])
  })
  const best = b.add('ArgMax', [b.concat(parts, 0)], [sizeOf(shape)], 'int64', {
    axis: 0,
    keepdims: 0,
    select_last_index: 0,
  })
  return b.reshape(b.cast(best, 'int32'), shape)
}

/** Below every number of float32, so that what lies beyond the image is never the largest. */
const LOWEST = -3.4028234663852886e38

/** The places of a window in the order of its elements: [0, 0], [0, 1], … */
export function windowPlaces(g: Windows): number[][] {
  return Array.from({ length: sizeOf(g.kernel) }, (_, place) =>
    g.kernel.map((k, i) => Math.floor(place / sizeOf(g.kernel.slice(i + 1))) % k),
  )
}
