import type { GraphBuilder, Value } from '../graph.ts'
import { type Call, input, inputList, type Lowering, type LoweringTable } from './call.ts'

function batchMatMul(call: Call): Value {
  const { b, attrs } = call
  const [x, y] = [input(call, 'a'), input(call, 'b')]
  return b.matmul(attrs.transposeA ? b.swap(x) : x, attrs.transposeB ? b.swap(y) : y)
}

/** What tfjs's fused kernels do after their product: add a bias, then apply an activation. */
export function finish(call: Call, product: Value, bias: Value | undefined = call.inputs.bias): Value | undefined {
  const { b, attrs } = call
  const sum = bias ? b.binary('Add', product, bias) : product
  return activate(b, sum, attrs.activation as string | undefined, call)
}

function activate(b: GraphBuilder, x: Value, name: string | undefined, call: Call): Value | undefined {
  switch (name) {
    case undefined:
    case null:
    case 'linear':
      return x
    case 'relu':
      return b.unary('Relu', x)
    case 'relu6':
      return b.add('Clip', [x, b.scalar(0, x.type), b.scalar(6, x.type)], x.shape, x.type)
    case 'elu':
      return b.unary('Elu', x)
    case 'sigmoid':
      return b.unary('Sigmoid', x)
    case 'leakyrelu':
      return b.unary('LeakyRelu', x, { alpha: call.attrs.leakyreluAlpha as number })
    case 'prelu': {
      const slope = input(call, 'preluActivationWeights')
      return b.where(b.compare('Less', x, b.scalar(0, x.type)), b.binary('Mul', slope, x), x)
    }
    default:
      return undefined
  }
}

const einsum: Lowering = (call) => {
  const parts = inputList(call)
  return call.b.add('Einsum', parts, call.outs[0]!.shape, parts[0]!.type, {
    equation: (call.attrs.equation as string).replace(/\s/g, ''),
  })
}

/** Kernels that multiply matrices. */
export const MATMUL: LoweringTable = {
  BatchMatMul: batchMatMul,
  _FusedMatMul: (call) => finish(call, batchMatMul(call)),
  Einsum: einsum,
}
