import type { GraphBuilder, Value } from '../graph.ts'
import { sizeOf } from '../graph.ts'
import { axesOf, type Call, input, type Lowering, type LoweringTable } from './call.ts'

const gather: Lowering = (call) => {
  const { b, attrs, outs } = call
  const [x, indices] = [input(call, 'x'), input(call, 'indices')]
  const axis = axesOf(attrs.axis, x.shape.length)[0]!
  const batch = (attrs.batchDims as number | undefined) ?? 0
  if (batch === 0) return b.gather(x, indices, axis)
  // Rows of every batch entry are numbered through, so that one plain gather serves all.
  const groups = sizeOf(x.shape.slice(0, batch))
  const outer = x.shape.slice(batch, axis)
  const rows = x.shape[axis]!
  const inner = x.shape.slice(axis + 1)
  const perm = [...x.shape.keys()].filter((i) => i !== axis)
  perm.splice(batch, 0, axis)
  const flat = b.reshape(b.transpose(x, perm), [groups * rows, ...outer, ...inner])
  const offsets = b.value(
    [groups, 1],
    'int32',
    Int32Array.from({ length: groups }, (_, i) => i * rows),
  )
  const own = b.reshape(indices, [groups, sizeOf(indices.shape.slice(batch))])
  const taken = b.gather(flat, b.binary('Add', own, offsets), 0)
  const picked = [...indices.shape.slice(batch)]
  const full = b.reshape(taken, [...x.shape.slice(0, batch), ...picked, ...outer, ...inner])
  const from = batch + picked.length
  const back = [
    ...Array(batch).keys(),
    ...outer.map((_, i) => from + i),
    ...picked.map((_, i) => batch + i),
    ...inner.map((_, i) => from + outer.length + i),
  ]
  return b.reshape(b.transpose(full, back), outs[0]!.shape)
}

/** Adds (or writes) rows into a tensor at the given index tuples. */
function scatter(b: GraphBuilder, into: Value, indices: Value, updates: Value, reduction: string): Value {
  return b.add('ScatterND', [into, b.cast(indices, 'int64'), updates], into.shape, into.type, { reduction })
}

/** Rows whose number is negative or too large are left out, so they are summed into a spare row that is cut off. */
function segmentSum(call: Call): Value {
  const { b } = call
  const [x, ids] = [input(call, 'x'), input(call, 'segmentIds')]
  const count = call.attrs.numSegments as number
  const shape = [count + 1, ...x.shape.slice(ids.shape.length)]
  const limit = b.scalar(count, 'int32')
  const outside = b.compare('Or', b.compare('Less', ids, b.scalar(0, 'int32')), b.compare('GreaterOrEqual', ids, limit))
  const rows = b.reshape(b.where(outside, limit, ids), [...ids.shape, 1])
  const summed = scatter(b, b.fill(0, shape, x.type), rows, x, 'add')
  return b.slice(summed, [0], [count], [0])
}

const oneHot: Lowering = (call) => {
  const { b, attrs, outs } = call
  const indices = input(call, 'indices')
  const { depth, onValue, offValue } = attrs as { depth: number; onValue: number; offValue: number }
  const { shape, dtype } = outs[0]!
  const numbers = b.value(
    [depth],
    'int32',
    Int32Array.from({ length: depth }, (_, i) => i),
  )
  const hit = b.compare('Equal', b.reshape(indices, [...indices.shape, 1]), numbers)
  if (dtype === 'bool') return hit
  if (onValue === 1 && offValue === 0) return b.cast(hit, dtype)
  return b.expand(b.where(hit, b.scalar(onValue, dtype), b.scalar(offValue, dtype)), shape)
}

const bincount: Lowering = (call) => {
  const { b, attrs, outs } = call
  const x = input(call, 'x')
  const weights = call.inputs.weights
  const size = attrs.size as number
  const type = outs[0]!.dtype
  const numbers = b.value(
    [size],
    'int32',
    Int32Array.from({ length: size }, (_, i) => i),
  )
  const hit = b.cast(b.compare('Equal', b.reshape(x, [...x.shape, 1]), numbers), type)
  const weighted =
    weights && sizeOf(weights.shape) > 0 && attrs.binaryOutput !== true
      ? b.binary('Mul', hit, b.reshape(b.cast(weights, type), [...x.shape, 1]))
      : hit
  const op = attrs.binaryOutput === true ? 'ReduceMax' : 'ReduceSum'
  return b.reduce(op, weighted, [x.shape.length - 1], false)
}

const searchSorted: Lowering = (call) => {
  const { b, attrs } = call
  const [sorted, values] = [input(call, 'sortedSequence'), input(call, 'values')]
  const [rows, n] = sorted.shape as [number, number]
  const m = values.shape[1]!
  const before = b.compare(
    attrs.side === 'left' ? 'Less' : 'LessOrEqual',
    b.reshape(sorted, [rows, 1, n]),
    b.reshape(values, [rows, m, 1]),
  )
  return b.reduce('ReduceSum', b.cast(before, 'int32'), [2], false)
}

const sparseToDense: Lowering = (call) => {
  const { b, attrs, outs } = call
  const { shape, dtype } = outs[0]!
  const [indices, values, fallback] = [
    input(call, 'sparseIndices'),
    input(call, 'sparseValues'),
    input(call, 'defaultValue'),
  ]
  const rank = (attrs.outputShape as number[]).length
  const count = indices.shape.length === 2 ? indices.shape[0]! : sizeOf(indices.shape)
  const tuples = b.reshape(indices, [count, indices.shape.length === 2 ? rank : 1])
  const updates = b.expand(b.reshape(values, values.shape.length === 0 ? [] : [count]), [count])
  return scatter(b, b.expand(b.cast(fallback, dtype), shape), tuples, updates, 'none')
}

/** Kernels that read or write at computed places. */
export const GATHER: LoweringTable = {
  GatherV2: gather,
  GatherNd: (call) => {
    const [params, indices] = [input(call, 'params'), input(call, 'indices')]
    return call.b.add('GatherND', [params, call.b.cast(indices, 'int64')], call.outs[0]!.shape, params.type)
  },
  ScatterNd: (call) => {
    const updates = input(call, 'updates')
    return scatter(call.b, call.b.fill(0, call.outs[0]!.shape, updates.type), input(call, 'indices'), updates, 'add')
  },
  TensorScatterUpdate: (call) =>
    scatter(call.b, input(call, 'tensor'), input(call, 'indices'), input(call, 'updates'), 'none'),
  SparseToDense: sparseToDense,
  UnsortedSegmentSum: segmentSum,
  OneHot: oneHot,
  Bincount: bincount,
  DenseBincount: bincount,
  SearchSorted: searchSorted,
  Diag: (call) => {
    const { b, outs } = call
    const x = input(call, 'x')
    const n = sizeOf(x.shape)
    const eye = new Uint8Array(n * n)
    for (let i = 0; i < n; i++) eye[i * n + i] = 1
    const flat = b.where(b.value([n, n], 'bool', eye), b.reshape(x, [1, n]), b.scalar(0, x.type))
    return b.reshape(flat, outs[0]!.shape)
  },
}
