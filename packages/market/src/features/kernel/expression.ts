/**
 * A formula over the rows of a chunk of bars: what it computes at a row reads inputs and other formulas at that row or at fixed
 * distances before it, never after. Plain data; `compile` turns a set of them into WebAssembly.
 */
export interface Expression {
  readonly op: Operation
  readonly args: readonly Expression[]
  /** What belongs to the operation: words of a constant, the number of an input, rows of a lag, a byte's position. */
  readonly data: readonly number[]
}

/** Operations of two 64-bit lanes, and those that the compiler treats by themselves. */
export type Operation =
  | keyof typeof LANE_OPERATIONS
  | 'constant'
  | 'input'
  | 'lag'
  | 'keep'
  | 'lookup'
  | 'exponent'
  | 'branch'

/** Operation codes after the SIMD prefix. */
export const LANE_OPERATIONS = {
  eq: 0x47,
  lt: 0x49,
  gt: 0x4a,
  le: 0x4b,
  and: 0x4e,
  select: 0x52,
  integerAdd: 0xce,
  integerSub: 0xd1,
  abs: 0xec,
  sqrt: 0xef,
  add: 0xf0,
  sub: 0xf1,
  mul: 0xf2,
  div: 0xf3,
  min: 0xf6,
  max: 0xf7,
} as const

type Operand = Expression | number

function node(op: Operation, args: readonly Operand[], data: readonly number[] = []): Expression {
  return { op, args: args.map((arg) => (typeof arg === 'number' ? constant(arg) : arg)), data }
}

/** A number in every row. */
export function constant(value: number): Expression {
  const [low, high] = new Uint32Array(Float64Array.of(value).buffer)
  return words(low!, high!)
}

/** A pattern of bits in every row, from its low and its high 32 bits. */
export function words(low: number, high: number): Expression {
  return { op: 'constant', args: [], data: [low >>> 0, high >>> 0] }
}

/** The `k`-th input column. */
export function input(k: number): Expression {
  return { op: 'input', args: [], data: [k] }
}

/** The value `rows` rows before; a value that is read so is written to memory. */
export function lag(a: Expression, rows: number): Expression {
  if (rows === 0 || a.op === 'constant') return a
  if (a.op === 'keep') return lag(a.args[0]!, rows)
  return a.op === 'lag' ? node('lag', a.args, [a.data[0]! + rows]) : node('lag', [a], [rows])
}

/** The value itself, written to memory once for all that read it. */
export function keep(a: Expression): Expression {
  return node('keep', [a])
}

export const add = (a: Operand, b: Operand): Expression => node('add', [a, b])
export const sub = (a: Operand, b: Operand): Expression => node('sub', [a, b])
export const mul = (a: Operand, b: Operand): Expression => node('mul', [a, b])
export const div = (a: Operand, b: Operand): Expression => node('div', [a, b])
export const min = (a: Operand, b: Operand): Expression => node('min', [a, b])
export const max = (a: Operand, b: Operand): Expression => node('max', [a, b])
export const sqrt = (a: Operand): Expression => node('sqrt', [a])
export const abs = (a: Operand): Expression => node('abs', [a])
export const square = (a: Expression): Expression => node('mul', [a, a])

/** Masks: all bits set where it holds, none where not. */
export const eq = (a: Operand, b: Operand): Expression => node('eq', [a, b])
export const lt = (a: Operand, b: Operand): Expression => node('lt', [a, b])
export const gt = (a: Operand, b: Operand): Expression => node('gt', [a, b])
export const le = (a: Operand, b: Operand): Expression => node('le', [a, b])
export const both = (a: Expression, b: Expression): Expression => node('and', [a, b])

/** `a` where the mask holds, `b` elsewhere. */
export const select = (mask: Expression, a: Operand, b: Operand): Expression => node('select', [a, b, mask])

/** The value where the mask holds, 0 elsewhere. */
export const where = (mask: Expression, a: Operand): Expression => node('and', [a, mask])

/**
 * `a` where the mask holds, `b` where it holds in neither of the two rows that are computed together; so `a` must be right in both
 * cases, and `b` is the cheaper one.
 */
export const branch = (mask: Expression, a: Expression, b: Expression): Expression => node('branch', [mask, a, b])

/** a / b, and `neutral` where b is 0. */
export const ratio = (a: Operand, b: Expression, neutral: number): Expression =>
  select(eq(b, 0), neutral, node('div', [a, b]))

/** Sum of 64-bit integers. */
export const integerAdd = (a: Expression, b: Expression): Expression => node('integerAdd', [a, b])

/** The number that the table holds at the value's `byte`-th byte. */
export const lookup = (a: Expression, byte: number): Expression => node('lookup', [a], [byte])

// Coefficients of fdlibm's e_log.c: ln((1 + z) / (1 − z)) = 2z + z R(z²), good to 2^-58 for ratios up to √2 and to 1e-15 up to 3/2.
const R = [
  0.6666666666666735, 0.3999999999940942, 0.2857142874366239, 0.22222198432149784, 0.1818357216161805,
  0.15313837699209373, 0.14798198605116586,
]
/** Square of (a − b) / (a + b) up to which a short series does: prices that differ by less than 3.5 %. */
const NEAR = 3e-4

/**
 * ln(a / b) of positive numbers: with the power of two between them taken out of a, 2 artanh((a − b) / (a + b)). Exactly 0 where
 * a = b, and good to the last digits near that, where ratios of prices are.
 */
export function logRatio(a: Operand, b: Operand): Expression {
  // Bits of positive numbers grow about as their logarithm does, one exponent for a factor of two: the nearest exponent between
  // the two, still in its place. It is 0 for ratios from 3/4 to 4/3.
  const z = div(sub(a, b), add(a, b))
  const between = node('integerSub', [a, b])
  const power = node('and', [node('integerAdd', [between, words(0, 0x00080000)]), words(0, 0xfff00000)])
  const scaled = mul(a, node('integerSub', [1, power]))
  const whole = mul(node('exponent', [power]), Math.LN2)
  return branch(gt(square(z), NEAR), add(whole, artanh2(div(sub(scaled, b), add(scaled, b)))), shortArtanh2(z))
}

/** 2 artanh(z) for z² up to 3e-4, by its series: the first term left out, 2 z q⁵ / 11, is below 1e-17 of the result. */
function shortArtanh2(z: Expression): Expression {
  const q = square(z)
  return mul(z, add(mul(q, add(mul(q, add(mul(q, add(mul(q, 2 / 9), 2 / 7)), 2 / 5)), 2 / 3)), 2))
}

/** 2 artanh(z), with the series in pairs, which do not wait for one another. */
function artanh2(z: Expression): Expression {
  const q = square(z)
  const qq = square(q)
  const pair = (k: number): Expression => add(mul(q, R[k + 1]!), R[k]!)
  const series = add(add(pair(0), mul(qq, pair(2))), mul(square(qq), add(pair(4), mul(qq, R[6]!))))
  return add(mul(2, z), mul(z, mul(q, series)))
}

/** The same as {@link logRatio} for one pair, to the last bit for ratios from 3/4 to 4/3. */
export function logRatioOf(a: number, b: number): number {
  const ratio = a / b
  if (!(ratio > 0.75 && ratio < 1.33)) return Math.log(ratio)
  const z = (a - b) / (a + b)
  const q = z * z
  if (q <= NEAR) return z * (q * (q * (q * (q * (2 / 9) + 2 / 7) + 2 / 5) + 2 / 3) + 2)
  const qq = q * q
  const series = q * R[1]! + R[0]! + qq * (q * R[3]! + R[2]!) + qq * qq * (q * R[5]! + R[4]! + qq * R[6]!)
  return 2 * z + z * (q * series)
}
