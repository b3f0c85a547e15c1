import * as tf from '@tensorflow/tfjs-core'
import type { GraphBuilder, Value } from '../graph.ts'
import { axesOf, type Call, input, inputList, type Lowering, type LoweringTable } from './call.ts'

const toShape: Lowering = (call) => {
  const x = Object.values(call.inputs)[0]!
  return call.b.reshape(x, call.outs[0]!.shape)
}

/** Takes a box out of a tensor; whole axes are left alone. */
function box(b: GraphBuilder, x: Value, begin: readonly number[], size: readonly number[]): Value {
  const axes = x.shape.map((_, i) => i).filter((i) => begin[i] !== 0 || size[i] !== x.shape[i])
  if (axes.length === 0) return x
  return b.slice(
    x,
    axes.map((i) => begin[i]!),
    axes.map((i) => begin[i]! + size[i]!),
    axes,
  )
}

const slice: Lowering = (call) => {
  const x = input(call, 'x')
  const { begin, size } = call.attrs as { begin: number[]; size: number[] }
  const [from, count] = tf.slice_util.parseSliceParams(
    { shape: x.shape, rank: x.shape.length } as tf.Tensor,
    begin,
    size,
  )
  return box(call.b, x, from!, count!)
}

const stridedSlice: Lowering = (call) => {
  const { b, attrs } = call
  const x = input(call, 'x')
  const { finalShapeSparse, finalShape, isIdentity, begin, end, strides } = tf.slice_util.sliceInfo(
    [...x.shape],
    attrs.begin as number[],
    attrs.end as number[],
    attrs.strides as number[],
    attrs.beginMask as number,
    attrs.endMask as number,
    attrs.ellipsisMask as number,
    attrs.newAxisMask as number,
    attrs.shrinkAxisMask as number,
  )
  if (isIdentity) return b.reshape(x, finalShape)
  if (finalShapeSparse.includes(0)) return b.constant(new Float32Array(0), finalShape, x.type)
  const axes = x.shape.map((_, i) => i)
  return b.reshape(b.slice(x, begin, end, axes, strides), finalShape)
}

const reverse: Lowering = (call) => {
  const x = Object.values(call.inputs)[0]!
  const axes = call.attrs.dims === undefined ? [2] : axesOf(call.attrs.dims, x.shape.length)
  if (axes.length === 0 || x.shape.length === 0) return x
  return call.b.slice(
    x,
    axes.map((axis) => x.shape[axis]! - 1),
    axes.map(() => -1),
    axes,
    axes.map(() => -1),
  )
}

const concat: Lowering = (call) => {
  const parts = inputList(call)
  const axis = axesOf(call.attrs.axis, parts[0]!.shape.length)[0]!
  const full = parts.filter((part) => !part.shape.includes(0))
  return call.b.concat(full.length === 0 ? parts.slice(0, 1) : full, axis)
}

const pack: Lowering = (call) => {
  const { b, attrs, outs } = call
  const axis = axesOf(attrs.axis, outs[0]!.shape.length)[0]!
  const one = outs[0]!.shape.map((dim, i) => (i === axis ? 1 : dim))
  return b.concat(
    inputList(call).map((part) => b.reshape(part, one)),
    axis,
  )
}

/** Every part of a split is a slice, so that parts that nobody reads cost nothing. */
function parts(call: Call, x: Value, axis: number, squeeze: boolean): Value[] {
  let from = 0
  return call.outs.map(({ shape }) => {
    const count = squeeze ? 1 : shape[axis]!
    const part = box(
      call.b,
      x,
      x.shape.map((_, i) => (i === axis ? from : 0)),
      x.shape.map((dim, i) => (i === axis ? count : dim)),
    )
    from += count
    return call.b.reshape(part, shape)
  })
}

const mirrorPad: Lowering = (call) => {
  const x = input(call, 'x')
  const { paddings, mode } = call.attrs as { paddings: [number, number][]; mode: string }
  if (mode === 'reflect') return call.b.pad(x, paddings, 0, 'reflect')
  // ONNX has no mirror that repeats the edge: gather the reflected indices axis by axis.
  return paddings.reduce((sum, [before, after], axis) => {
    if (before === 0 && after === 0) return sum
    const n = x.shape[axis]!
    const indices = Array.from({ length: before + n + after }, (_, i) => {
      const at = i - before
      return at < 0 ? -1 - at : at >= n ? 2 * n - 1 - at : at
    })
    return call.b.gather(sum, call.b.ints(indices), axis)
  }, x)
}

const depthToSpace: Lowering = (call) => {
  const { b } = call
  const x = input(call, 'x')
  const { blockSize: k, dataFormat } = call.attrs as { blockSize: number; dataFormat: string }
  const shape = call.outs[0]!.shape
  if (dataFormat === 'NCHW') {
    const [n, c, h, w] = x.shape as [number, number, number, number]
    const split = b.reshape(x, [n, k, k, c / (k * k), h, w])
    return b.reshape(b.transpose(split, [0, 3, 4, 1, 5, 2]), shape)
  }
  const [n, h, w, c] = x.shape as [number, number, number, number]
  return b.reshape(b.transpose(b.reshape(x, [n, h, w, k, k, c / (k * k)]), [0, 1, 3, 2, 4, 5]), shape)
}

const spaceToBatch: Lowering = (call) => {
  const { b } = call
  const { blockShape, paddings } = call.attrs as { blockShape: number[]; paddings: [number, number][] }
  const x = input(call, 'x')
  const m = blockShape.length
  const rest = x.shape.slice(m + 1)
  const padded = b.pad(x, [[0, 0], ...paddings, ...rest.map((): [number, number] => [0, 0])])
  const split = blockShape.flatMap((block, i) => [padded.shape[i + 1]! / block, block])
  const cut = b.reshape(padded, [x.shape[0]!, ...split, ...rest])
  const perm = [
    ...blockShape.map((_, i) => 2 * i + 2),
    0,
    ...blockShape.map((_, i) => 2 * i + 1),
    ...rest.map((_, i) => 2 * m + 1 + i),
  ]
  return b.reshape(b.transpose(cut, perm), call.outs[0]!.shape)
}

const batchToSpace: Lowering = (call) => {
  const { b } = call
  const { blockShape, crops } = call.attrs as { blockShape: number[]; crops: [number, number][] }
  const x = input(call, 'x')
  const m = blockShape.length
  const batch = x.shape[0]! / blockShape.reduce((product, block) => product * block, 1)
  const rest = x.shape.slice(m + 1)
  const split = b.reshape(x, [...blockShape, batch, ...x.shape.slice(1)])
  const perm = [m, ...blockShape.flatMap((_, i) => [m + 1 + i, i]), ...rest.map((_, i) => 2 * m + 1 + i)]
  const grown = blockShape.map((block, i) => block * x.shape[i + 1]!)
  const merged = b.reshape(b.transpose(split, perm), [batch, ...grown, ...rest])
  return box(b, merged, [0, ...crops.map(([before]) => before), ...rest.map(() => 0)], call.outs[0]!.shape)
}

const range: Lowering = ({ b, attrs, outs }) => {
  const { start, step } = attrs as { start: number; step: number }
  const { shape, dtype } = outs[0]!
  const list = Array.from({ length: shape[0]! }, (_, i) => start + i * step)
  return b.value(shape, dtype, dtype === 'int32' ? Int32Array.from(list) : Float32Array.from(list))
}

/** Kernels that move elements about, and those that make them from attributes. */
export const SHAPE: LoweringTable = {
  Reshape: toShape,
  ExpandDims: toShape,
  Transpose: (call) => call.b.transpose(input(call, 'x'), call.attrs.perm as number[]),
  Slice: slice,
  StridedSlice: stridedSlice,
  Reverse: reverse,
  FlipLeftRight: reverse,
  Concat: concat,
  Pack: pack,
  SplitV: (call) => {
    const x = input(call, 'x')
    return parts(call, x, axesOf(call.attrs.axis, x.shape.length)[0]!, false)
  },
  Unpack: (call) => {
    const x = input(call, 'value')
    return parts(call, x, axesOf(call.attrs.axis, x.shape.length)[0]!, true)
  },
  PadV2: (call) =>
    call.b.pad(input(call, 'x'), call.attrs.paddings as [number, number][], call.attrs.constantValue as number),
  MirrorPad: mirrorPad,
  Tile: (call) => {
    const x = input(call, 'x')
    const { reps } = call.attrs as { reps: number[] }
    const grows = reps.map((times, i) => times !== 1 && x.shape[i] !== 1)
    const shape = call.outs[0]!.shape
    // Copies along axes of length one are a broadcast.
    return grows.some(Boolean) ? call.b.add('Tile', [x, call.b.ints(reps)], shape, x.type) : call.b.expand(x, shape)
  },
  BroadcastArgs: (call) => {
    const { b, outs } = call
    const rank = outs[0]!.shape[0]!
    // Missing leading dimensions count as one.
    const [x, y] = [input(call, 's0'), input(call, 's1')].map((s) => b.pad(s, [[rank - s.shape[0]!, 0]], 1))
    return b.where(b.compare('Equal', x!, b.scalar(1, 'int32')), y!, x!)
  },
  DepthToSpace: depthToSpace,
  SpaceToBatchND: spaceToBatch,
  BatchToSpaceND: batchToSpace,
  Fill: ({ b, attrs, outs }) => b.fill(Number(attrs.value), outs[0]!.shape, outs[0]!.dtype),
  Range: range,
  LinSpace: ({ b, attrs, outs }) => {
    const { start, stop, num } = attrs as { start: number; stop: number; num: number }
    const gap = num > 1 ? (stop - start) / (num - 1) : 0
    return b.value(
      outs[0]!.shape,
      'float32',
      Float32Array.from({ length: num }, (_, i) => start + i * gap),
    )
  },
}
