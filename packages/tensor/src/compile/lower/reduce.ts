import type { GraphBuilder, Value } from '../graph.ts'
import { axesOf, type Call, input, type Lowering, type LoweringTable } from './call.ts'

const reduction =
  (op: string): Lowering =>
  (call) => {
    const x = input(call, 'x')
    const type = call.outs[0]!.dtype
    const axes = axesOf(call.attrs.axis ?? call.attrs.reductionIndices, x.shape.length)
    const working = call.b.cast(x, type === 'bool' ? 'int32' : type)
    return call.b.cast(call.b.reduce(op, working, axes, call.attrs.keepDims === true), type)
  }

const arg =
  (op: string): Lowering =>
  (call) => {
    const x = input(call, 'x')
    const axis = axesOf(call.attrs.axis, x.shape.length)[0]!
    const found = call.b.add(op, [x], call.outs[0]!.shape, 'int64', { axis, keepdims: 0, select_last_index: 0 })
    return call.b.cast(found, 'int32')
  }

/** Running product in log₂(n) multiplications by shifted copies. */
function cumprod(call: Call): Value {
  const { b } = call
  const { axis, exclusive, reverse } = call.attrs as { axis: number; exclusive: boolean; reverse: boolean }
  const x = input(call, 'x')
  const at = axesOf(axis, x.shape.length)[0]!
  const shift = (value: Value, by: number): Value => {
    const n = value.shape[at]!
    const kept = reverse ? b.slice(value, [by], [n], [at]) : b.slice(value, [0], [n - by], [at])
    const pair: [number, number] = reverse ? [0, by] : [by, 0]
    return b.pad(
      kept,
      value.shape.map((_, i): [number, number] => (i === at ? pair : [0, 0])),
      1,
    )
  }
  let product = exclusive ? shift(x, 1) : x
  for (let by = 1; by < x.shape[at]!; by *= 2) product = b.binary('Mul', product, shift(product, by))
  return product
}

function softmax(b: GraphBuilder, x: Value, axis: number): Value {
  return b.unary('Softmax', x, { axis: axis < 0 ? axis + x.shape.length : axis })
}

/** Kernels that fold axes, and those that run along one. */
export const REDUCE: LoweringTable = {
  Sum: reduction('ReduceSum'),
  Mean: reduction('ReduceMean'),
  Max: reduction('ReduceMax'),
  Min: reduction('ReduceMin'),
  Prod: reduction('ReduceProd'),
  All: reduction('ReduceMin'),
  Any: reduction('ReduceMax'),
  ArgMax: arg('ArgMax'),
  ArgMin: arg('ArgMin'),
  Softmax: (call) => softmax(call.b, input(call, 'logits'), call.attrs.dim as number),
  Cumsum: (call) => {
    const x = call.b.cast(input(call, 'x'), call.outs[0]!.dtype)
    const axis = call.b.value([], 'int64', Float64Array.of(axesOf(call.attrs.axis, x.shape.length)[0]!))
    return call.b.add('CumSum', [x, axis], x.shape, x.type, {
      exclusive: call.attrs.exclusive ? 1 : 0,
      reverse: call.attrs.reverse ? 1 : 0,
    })
  },
  Cumprod: cumprod,
  TopK: (call) => {
    const x = input(call, 'x')
    const { k, sorted } = call.attrs as { k: number; sorted: boolean }
    const { shape } = call.outs[0]!
    const [values, indices] = call.b.addMany(
      'TopK',
      [x, call.b.ints([k])],
      [
        { shape, type: x.type },
        { shape, type: 'int64' },
      ],
      { axis: x.shape.length - 1, largest: 1, sorted: sorted ? 1 : 0 },
    )
    return [values!, call.b.cast(indices!, 'int32')]
  },
}
