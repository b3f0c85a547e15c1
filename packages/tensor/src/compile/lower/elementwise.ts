import type { GraphBuilder, Value } from '../graph.ts'
import { type Call, input, inputList, type Lowering, type LoweringTable } from './call.ts'

type Unary = (b: GraphBuilder, x: Value, call: Call) => Value
type Binary = (b: GraphBuilder, x: Value, y: Value) => Value

const unary =
  (fn: Unary): Lowering =>
  (call) => {
    const { b, outs } = call
    const type = outs[0]!.dtype
    // Booleans have no arithmetic in ONNX; whole numbers keep theirs unless the kernel answers in float32.
    return b.cast(fn(b, b.cast(input(call, 'x'), type === 'bool' ? 'int32' : type), call), type)
  }

const plain = (op: string): Lowering => unary((b, x) => b.unary(op, x))

const binary =
  (fn: Binary): Lowering =>
  (call) => {
    const { b, outs } = call
    const type = outs[0]!.dtype
    const working = type === 'bool' ? 'int32' : type
    return b.cast(fn(b, b.cast(input(call, 'a'), working), b.cast(input(call, 'b'), working)), type)
  }

const comparison =
  (fn: Binary): Lowering =>
  (call) => {
    const [x, y] = [input(call, 'a'), input(call, 'b')]
    return fn(call.b, x.type === 'bool' ? call.b.cast(x, 'int32') : x, y.type === 'bool' ? call.b.cast(y, 'int32') : y)
  }

const logical =
  (op: string): Lowering =>
  (call) =>
    call.b.compare(op, call.b.cast(input(call, 'a'), 'bool'), call.b.cast(input(call, 'b'), 'bool'))

/** Tests for odd values are false throughout for whole numbers. */
const test =
  (fn: (b: GraphBuilder, x: Value) => Value, otherwise: number): Lowering =>
  (call) => {
    const x = input(call, 'x')
    return x.type === 'float32' ? fn(call.b, x) : call.b.fill(otherwise, x.shape, 'bool')
  }

const floatTest = (b: GraphBuilder, op: string, x: Value): Value => b.add(op, [x], x.shape, 'bool')

/** A polynomial in x by Horner's rule, constant first. */
function polynomial(b: GraphBuilder, x: Value, coefficients: readonly number[]): Value {
  return coefficients
    .slice(0, -1)
    .reduceRight(
      (sum, c) => b.binary('Add', b.binary('Mul', sum, x), b.scalar(c, x.type)),
      b.scalar(coefficients.at(-1)!, x.type),
    )
}

/** exp(x) - 1 without cancellation near zero: its series, whose first term left out is below 2e-8 of the sum there. */
function expm1(b: GraphBuilder, x: Value): Value {
  const near = b.binary('Mul', x, polynomial(b, x, [1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040]))
  const small = b.compare('Less', b.unary('Abs', x), b.scalar(0.35, x.type))
  return b.where(small, near, b.binary('Sub', b.unary('Exp', x), b.scalar(1, x.type)))
}

/** log(1 + x) without cancellation near zero: 2 artanh(s) with s = x / (2 + x), its series to s⁹, 3e-9 short there. */
function log1p(b: GraphBuilder, x: Value): Value {
  const s = b.binary('Div', x, b.binary('Add', x, b.scalar(2, x.type)))
  const near = b.binary('Mul', s, polynomial(b, b.binary('Mul', s, s), [2, 2 / 3, 2 / 5, 2 / 7, 2 / 9]))
  const small = b.compare('Less', b.unary('Abs', x), b.scalar(0.3, x.type))
  return b.where(small, near, b.unary('Log', b.binary('Add', x, b.scalar(1, x.type))))
}

function step(b: GraphBuilder, x: Value, alpha: number): Value {
  const positive = b.compare('Greater', x, b.scalar(0, x.type))
  return alpha === 0 ? b.cast(positive, x.type) : b.where(positive, b.scalar(1, x.type), b.scalar(alpha, x.type))
}

/** Remainder with the sign of the divisor, as in Python. */
function floorMod(b: GraphBuilder, x: Value, y: Value): Value {
  if (x.type === 'int32') return b.add('Mod', [x, y], b.binary('Add', x, y).shape, x.type, { fmod: 0 })
  const zero = b.scalar(0, x.type)
  const r = b.add('Mod', [x, y], b.binary('Add', x, y).shape, x.type, { fmod: 1 })
  const opposite = b.compare('Xor', b.compare('Less', r, zero), b.compare('Less', y, zero))
  const wrong = b.compare('And', opposite, b.add('Not', [b.compare('Equal', r, zero)], r.shape, 'bool'))
  return b.where(wrong, b.binary('Add', r, y), r)
}

function floorDiv(b: GraphBuilder, x: Value, y: Value): Value {
  if (x.type !== 'int32') return b.unary('Floor', b.binary('Div', x, y))
  return b.binary('Div', b.binary('Sub', x, floorMod(b, x, y)), y)
}

function atan2(b: GraphBuilder, y: Value, x: Value): Value {
  const zero = b.scalar(0, x.type)
  const right = b.compare('Greater', x, zero)
  const onAxis = b.compare('Equal', x, zero)
  const base = b.unary('Atan', b.binary('Div', y, b.where(onAxis, b.scalar(1, x.type), x)))
  const sign = b.where(b.compare('Less', y, zero), b.scalar(-1, x.type), b.scalar(1, x.type))
  const left = b.binary('Add', base, b.binary('Mul', sign, b.scalar(Math.PI, x.type)))
  const vertical = b.binary('Mul', b.unary('Sign', y), b.scalar(Math.PI / 2, x.type))
  return b.where(onAxis, vertical, b.where(right, base, left))
}

const clip = (b: GraphBuilder, x: Value, low: number, high: number): Value =>
  b.add('Clip', [x, b.scalar(low, x.type), b.scalar(high, x.type)], x.shape, x.type)

const select: Lowering = (call) => {
  const [condition, t, e] = [input(call, 'condition'), input(call, 't'), input(call, 'e')]
  // A vector that chooses whole rows: tfjs's own kernel takes the wrong numbers, and no op of today asks for it.
  if (condition.shape.length !== t.shape.length) return undefined
  return call.b.where(call.b.cast(condition, 'bool'), t, e)
}

/** Kernels that work element by element. */
export const ELEMENTWISE: LoweringTable = {
  Abs: plain('Abs'),
  Acos: plain('Acos'),
  Acosh: plain('Acosh'),
  Asin: plain('Asin'),
  Asinh: plain('Asinh'),
  Atan: plain('Atan'),
  Atanh: plain('Atanh'),
  Ceil: plain('Ceil'),
  Cos: plain('Cos'),
  Cosh: plain('Cosh'),
  Elu: plain('Elu'),
  Erf: plain('Erf'),
  Exp: plain('Exp'),
  Floor: (call) => (input(call, 'x').type === 'int32' ? input(call, 'x') : plain('Floor')(call)),
  Log: plain('Log'),
  Neg: plain('Neg'),
  Reciprocal: plain('Reciprocal'),
  Relu: plain('Relu'),
  Round: plain('Round'),
  Selu: plain('Selu'),
  Sigmoid: plain('Sigmoid'),
  Sign: plain('Sign'),
  Sin: plain('Sin'),
  Sinh: plain('Sinh'),
  Softplus: plain('Softplus'),
  Sqrt: plain('Sqrt'),
  Tan: plain('Tan'),
  Tanh: plain('Tanh'),
  Expm1: unary(expm1),
  Log1p: unary(log1p),
  Square: unary((b, x) => b.binary('Mul', x, x)),
  Rsqrt: unary((b, x) => b.unary('Reciprocal', b.unary('Sqrt', x))),
  Relu6: unary((b, x) => clip(b, x, 0, 6)),
  Step: unary((b, x, { attrs }) => step(b, x, (attrs.alpha as number | undefined) ?? 0)),
  ClipByValue: unary((b, x, { attrs }) => clip(b, x, attrs.clipValueMin as number, attrs.clipValueMax as number)),
  LeakyRelu: unary((b, x, { attrs }) => b.unary('LeakyRelu', x, { alpha: attrs.alpha as number })),
  Prelu: (call) => {
    const [x, alpha] = [input(call, 'x'), input(call, 'alpha')]
    const { b } = call
    return b.where(b.compare('Less', x, b.scalar(0, x.type)), b.binary('Mul', alpha, x), x)
  },
  EluGrad: (call) => {
    const [dy, y] = [input(call, 'dy'), input(call, 'y')]
    const { b } = call
    const one = b.scalar(1, y.type)
    return b.where(
      b.compare('GreaterOrEqual', y, b.scalar(0, y.type)),
      dy,
      b.binary('Mul', dy, b.binary('Add', y, one)),
    )
  },
  OnesLike: ({ b, outs }) => b.fill(1, outs[0]!.shape, outs[0]!.dtype),
  ZerosLike: ({ b, outs }) => b.fill(0, outs[0]!.shape, outs[0]!.dtype),
  Identity: (call) => input(call, 'x'),
  Cast: (call) => {
    const x = input(call, 'x')
    return call.b.cast(x, call.outs[0]!.dtype)
  },
  IsNan: test((b, x) => floatTest(b, 'IsNaN', x), 0),
  IsInf: test((b, x) => floatTest(b, 'IsInf', x), 0),
  IsFinite: test((b, x) => floatTest(b, 'Not', b.compare('Or', floatTest(b, 'IsNaN', x), floatTest(b, 'IsInf', x))), 1),
  Add: binary((b, x, y) => b.binary('Add', x, y)),
  Sub: binary((b, x, y) => b.binary('Sub', x, y)),
  Multiply: binary((b, x, y) => b.binary('Mul', x, y)),
  RealDiv: binary((b, x, y) => b.binary('Div', x, y)),
  Maximum: binary((b, x, y) => b.binary('Max', x, y)),
  Minimum: binary((b, x, y) => b.binary('Min', x, y)),
  Pow: binary((b, x, y) => b.binary('Pow', x, y)),
  SquaredDifference: binary((b, x, y) => {
    const d = b.binary('Sub', x, y)
    return b.binary('Mul', d, d)
  }),
  Mod: binary(floorMod),
  FloorDiv: binary(floorDiv),
  Atan2: binary(atan2),
  BitwiseAnd: binary((b, x, y) => b.binary('BitwiseAnd', x, y)),
  AddN: (call) => inputList(call).reduce((sum, part) => call.b.binary('Add', sum, part)),
  Equal: comparison((b, x, y) => b.compare('Equal', x, y)),
  NotEqual: comparison((b, x, y) => {
    const equal = b.compare('Equal', x, y)
    return b.add('Not', [equal], equal.shape, 'bool')
  }),
  Greater: comparison((b, x, y) => b.compare('Greater', x, y)),
  GreaterEqual: comparison((b, x, y) => b.compare('GreaterOrEqual', x, y)),
  Less: comparison((b, x, y) => b.compare('Less', x, y)),
  LessEqual: comparison((b, x, y) => b.compare('LessOrEqual', x, y)),
  LogicalAnd: logical('And'),
  LogicalOr: logical('Or'),
  LogicalNot: (call) => floatTest(call.b, 'Not', call.b.cast(input(call, 'x'), 'bool')),
  Select: select,
}
