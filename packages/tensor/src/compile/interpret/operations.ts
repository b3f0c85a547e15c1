import type { AttributeValue, ElementType } from '../graph.ts'
import { sizeOf } from '../graph.ts'
import { array, type DoubleArray, erf, expandTo, stridesOf, transposed, view, zip } from './arrays.ts'
import { WINDOWED } from './windows.ts'

/** One operation on doubles: inputs (undefined where omitted), attributes, and what is known of its results. */
export type Operation = (
  inputs: readonly (DoubleArray | undefined)[],
  attrs: Readonly<Record<string, AttributeValue>>,
  out: { readonly shape: readonly number[]; readonly type: ElementType },
) => DoubleArray | DoubleArray[]

const map =
  (fn: (x: number) => number): Operation =>
  ([x]) => ({ shape: x!.shape, data: x!.data.map(fn) })

const pair =
  (fn: (x: number, y: number) => number): Operation =>
  ([a, b]) =>
    zip(a!, b!, fn)

const truth = (fn: (x: number, y: number) => boolean): Operation => pair((x, y) => (fn(x, y) ? 1 : 0))

/** Brings the reduced axes to the end and folds each run. */
const reduce =
  (fold: (values: Float64Array) => number): Operation =>
  ([x, axes], _, out) => {
    const reduced = axes ? Array.from(axes.data) : [...x!.shape.keys()]
    const kept = [...x!.shape.keys()].filter((axis) => !reduced.includes(axis))
    const rows = transposed(x!, [...kept, ...reduced]).data
    const run = sizeOf(reduced.map((axis) => x!.shape[axis]!))
    return array(
      out.shape,
      new Float64Array(sizeOf(out.shape)).map((_v, i) => fold(rows.subarray(i * run, (i + 1) * run))),
    )
  }

/** Applies `fn` to every run along an axis. */
function along(
  x: DoubleArray,
  axis: number,
  fn: (run: Float64Array) => ArrayLike<number>,
  length?: number,
): DoubleArray {
  const perm = [...x.shape.keys()].filter((i) => i !== axis)
  perm.push(axis)
  const rows = transposed(x, perm)
  const n = x.shape[axis]!
  const m = length ?? n
  const count = n === 0 ? 0 : rows.data.length / n
  const out = new Float64Array(count * m)
  for (let i = 0; i < count; i++) out.set(fn(rows.data.subarray(i * n, (i + 1) * n)), i * m)
  const shape = rows.shape.slice(0, -1).concat(m)
  return transposed(array(shape, out), invert(perm))
}

function invert(perm: readonly number[]): number[] {
  const inverse = new Array<number>(perm.length)
  perm.forEach((axis, i) => {
    inverse[axis] = i
  })
  return inverse
}

function softmax(run: Float64Array): Float64Array {
  const top = run.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const e = run.map((x) => Math.exp(x - top))
  const sum = e.reduce((a, b) => a + b, 0)
  return e.map((x) => x / sum)
}

function matmul(a: DoubleArray, b: DoubleArray, shape: readonly number[]): DoubleArray {
  const [n, m] = [shape.at(-2)!, shape.at(-1)!]
  const k = a.shape.at(-1)!
  const batch = shape.slice(0, -2)
  const x = expandTo(a, [...batch, n, k]).data
  const y = expandTo(b, [...batch, k, m]).data
  const out = new Float64Array(sizeOf(shape))
  for (let t = 0; t < sizeOf(batch); t++) {
    for (let i = 0; i < n; i++) {
      for (let p = 0; p < k; p++) {
        const scale = x[(t * n + i) * k + p]!
        for (let j = 0; j < m; j++) out[(t * n + i) * m + j]! += scale * y[(t * k + p) * m + j]!
      }
    }
  }
  return array(shape, out)
}

const slice: Operation = ([x, starts, ends, axes, steps], _, out) => {
  const strides = stridesOf(x!.shape)
  let offset = 0
  Array.from(axes!.data).forEach((axis, i) => {
    const step = steps?.data[i] ?? 1
    offset += starts!.data[i]! * strides[axis]!
    strides[axis] = strides[axis]! * step
  })
  void ends
  return view(x!.data, out.shape, strides, offset)
}

const concat: Operation = (inputs, attrs, out) => {
  const axis = attrs.axis as number
  const result = array(out.shape)
  const inner = sizeOf(out.shape.slice(axis + 1))
  const outer = sizeOf(out.shape.slice(0, axis))
  const stride = out.shape[axis]! * inner
  let from = 0
  for (const part of inputs) {
    const run = part!.shape[axis]! * inner
    for (let i = 0; i < outer; i++) result.data.set(part!.data.subarray(i * run, (i + 1) * run), i * stride + from)
    from += run
  }
  return result
}

const pad: Operation = ([x, pads, fill], attrs, out) => {
  const rank = x!.shape.length
  const strides = stridesOf(out.shape)
  const own = stridesOf(x!.shape)
  const result = array(out.shape)
  for (let i = 0; i < result.data.length; i++) {
    let at = 0
    let inside = true
    for (let axis = 0; axis < rank; axis++) {
      const n = x!.shape[axis]!
      let place = (Math.floor(i / strides[axis]!) % out.shape[axis]!) - pads!.data[axis]!
      if (attrs.mode === 'reflect') place = place < 0 ? -place : place >= n ? 2 * n - 2 - place : place
      if (place < 0 || place >= n) inside = false
      at += place * own[axis]!
    }
    result.data[i] = inside ? x!.data[at]! : (fill?.data[0] ?? 0)
  }
  return result
}

const gather: Operation = ([x, indices], attrs, out) => {
  const axis = attrs.axis as number
  const n = x!.shape[axis]!
  const inner = sizeOf(x!.shape.slice(axis + 1))
  const outer = sizeOf(x!.shape.slice(0, axis))
  const result = array(out.shape)
  const count = indices!.data.length
  for (let i = 0; i < outer; i++) {
    for (let j = 0; j < count; j++) {
      const index = indices!.data[j]!
      const from = (i * n + (index < 0 ? index + n : index)) * inner
      result.data.set(x!.data.subarray(from, from + inner), (i * count + j) * inner)
    }
  }
  return result
}

/** Visits the rows that index tuples name: start of the row in the indexed array, number of the tuple, row's length. */
function rows(
  shape: readonly number[],
  indices: DoubleArray,
  visit: (at: number, i: number, run: number) => void,
): void {
  const depth = indices.shape.at(-1)!
  const strides = stridesOf(shape)
  const run = sizeOf(shape.slice(depth))
  const count = sizeOf(indices.shape.slice(0, -1))
  for (let i = 0; i < count; i++) {
    let at = 0
    for (let d = 0; d < depth; d++) {
      const index = indices.data[i * depth + d]!
      at += (index < 0 ? index + shape[d]! : index) * strides[d]!
    }
    visit(at, i, run)
  }
}

const scatterNd: Operation = ([into, indices, updates], attrs) => {
  const data = into!.data.slice()
  rows(into!.shape, indices!, (at, i, run) => {
    for (let j = 0; j < run; j++) {
      const value = updates!.data[i * run + j]!
      data[at + j] = attrs.reduction === 'add' ? data[at + j]! + value : value
    }
  })
  return array(into!.shape, data)
}

const topK: Operation = ([x, k], _, out) => {
  const n = k!.data[0]!
  const order = (run: Float64Array): number[] => [...run.keys()].sort((i, j) => run[j]! - run[i]! || i - j).slice(0, n)
  const axis = x!.shape.length - 1
  const indices = along(x!, axis, order, n)
  const values = along(x!, axis, (run) => order(run).map((i) => run[i]!), n)
  return [array(out.shape, values.data), array(out.shape, indices.data)]
}

const cumsum: Operation = ([x, axis], attrs) =>
  along(x!, axis!.data[0]!, (run) => {
    const n = run.length
    const out = new Float64Array(n)
    let sum = 0
    for (let step = 0; step < n; step++) {
      const i = attrs.reverse === 1 ? n - 1 - step : step
      if (attrs.exclusive === 1) out[i] = sum
      sum += run[i]!
      if (attrs.exclusive !== 1) out[i] = sum
    }
    return out
  })

const arg =
  (better: (x: number, y: number) => boolean): Operation =>
  ([x], attrs, out) => {
    const found = along(
      x!,
      attrs.axis as number,
      (run) => {
        let best = 0
        for (let i = 1; i < run.length; i++) if (better(run[i]!, run[best]!)) best = i
        return [best]
      },
      1,
    )
    return array(out.shape, found.data)
  }

const einsum: Operation = (inputs, attrs, out) => {
  const [left, right] = (attrs.equation as string).split('->') as [string, string]
  const terms = left.split(',')
  const sizes = new Map<string, number>()
  terms.forEach((term, t) => {
    ;[...term].forEach((letter, i) => {
      sizes.set(letter, inputs[t]!.shape[i]!)
    })
  })
  const letters = [...right, ...[...sizes.keys()].filter((letter) => !right.includes(letter))]
  const shape = letters.map((letter) => sizes.get(letter)!)
  const views = inputs.map((input, t) => {
    const own = stridesOf(input!.shape)
    const strides = letters.map((letter) => {
      let sum = 0
      for (let i = 0; i < terms[t]!.length; i++) if (terms[t]![i] === letter) sum += own[i]!
      return sum
    })
    return view(input!.data, shape, strides).data
  })
  const run = sizeOf(shape.slice(right.length))
  const result = array(out.shape)
  for (let i = 0; i < result.data.length; i++) {
    for (let j = 0; j < run; j++) {
      result.data[i]! += views.reduce((product, data) => product * data[i * run + j]!, 1)
    }
  }
  return result
}

const roundEven = (x: number): number => {
  const down = Math.floor(x)
  const rest = x - down
  return rest < 0.5 ? down : rest > 0.5 ? down + 1 : down % 2 === 0 ? down : down + 1
}

const SELU_ALPHA = 1.6732632423543772
const SELU_SCALE = 1.0507009873554805

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0)

/** The operations that lowerings emit, on doubles. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  ...WINDOWED,
  Abs: map(Math.abs),
  Acos: map(Math.acos),
  Acosh: map(Math.acosh),
  Asin: map(Math.asin),
  Asinh: map(Math.asinh),
  Atan: map(Math.atan),
  Atanh: map(Math.atanh),
  Ceil: map(Math.ceil),
  Cos: map(Math.cos),
  Cosh: map(Math.cosh),
  Elu: map((x) => (x < 0 ? Math.expm1(x) : x)),
  Erf: map(erf),
  Exp: map(Math.exp),
  Floor: map(Math.floor),
  Identity: map((x) => x),
  IsInf: map((x) => (Math.abs(x) === Number.POSITIVE_INFINITY ? 1 : 0)),
  IsNaN: map((x) => (Number.isNaN(x) ? 1 : 0)),
  Log: map(Math.log),
  Neg: map((x) => -x),
  Not: map((x) => (x === 0 ? 1 : 0)),
  Reciprocal: map((x) => 1 / x),
  Relu: map((x) => Math.max(x, 0)),
  Round: map(roundEven),
  Selu: map((x) => SELU_SCALE * (x < 0 ? SELU_ALPHA * Math.expm1(x) : x)),
  Sigmoid: map((x) => 1 / (1 + Math.exp(-x))),
  Sign: map(Math.sign),
  Sin: map(Math.sin),
  Sinh: map(Math.sinh),
  Softplus: map((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  Sqrt: map(Math.sqrt),
  Tan: map(Math.tan),
  Tanh: map(Math.tanh),
  LeakyRelu: ([x], { alpha }) =>
    array(
      x!.shape,
      x!.data.map((v) => (v < 0 ? v * (alpha as number) : v)),
    ),
  Clip: ([x, low, high]) =>
    array(
      x!.shape,
      x!.data.map((v) => Math.max(low!.data[0]!, Math.min(high!.data[0]!, v))),
    ),
  Add: pair((x, y) => x + y),
  Sub: pair((x, y) => x - y),
  Mul: pair((x, y) => x * y),
  Div: ([a, b], _, out) => zip(a!, b!, out.type === 'int32' ? (x, y) => Math.trunc(x / y) : (x, y) => x / y),
  Max: pair(Math.max),
  Min: pair(Math.min),
  Pow: pair((x, y) => x ** y),
  Mod: ([a, b], { fmod }) => zip(a!, b!, fmod === 1 ? (x, y) => x % y : (x, y) => x - y * Math.floor(x / y)),
  BitwiseAnd: pair((x, y) => x & y),
  Equal: truth((x, y) => x === y),
  Greater: truth((x, y) => x > y),
  GreaterOrEqual: truth((x, y) => x >= y),
  Less: truth((x, y) => x < y),
  LessOrEqual: truth((x, y) => x <= y),
  And: truth((x, y) => x !== 0 && y !== 0),
  Or: truth((x, y) => x !== 0 || y !== 0),
  Xor: truth((x, y) => (x !== 0) !== (y !== 0)),
  Where: ([condition, a, b], _, out) => {
    const c = expandTo(condition!, out.shape).data
    const x = expandTo(a!, out.shape).data
    const y = expandTo(b!, out.shape).data
    return array(
      out.shape,
      c.map((flag, i) => (flag !== 0 ? x[i]! : y[i]!)),
    )
  },
  Cast: ([x], _, { type }) => {
    if (type === 'float32') return x!
    return array(x!.shape, x!.data.map(type === 'bool' ? (v) => (v !== 0 ? 1 : 0) : Math.trunc))
  },
  Reshape: ([x], _, out) => array(out.shape, x!.data),
  Expand: ([x], _, out) => expandTo(x!, out.shape),
  Transpose: ([x], { perm }) => transposed(x!, perm as readonly number[]),
  Tile: ([x], _, out) => {
    const split = x!.shape.flatMap((dim, i) => [out.shape[i]! / dim, dim])
    const strides = stridesOf(x!.shape).flatMap((stride) => [0, stride])
    return array(out.shape, view(x!.data, split, strides).data)
  },
  Slice: slice,
  Concat: concat,
  Pad: pad,
  Gather: gather,
  GatherND: ([x, indices], _, out) => {
    const result = array(out.shape)
    rows(x!.shape, indices!, (at, i, run) => result.data.set(x!.data.subarray(at, at + run), i * run))
    return result
  },
  ScatterND: scatterNd,
  ScatterElements: ([into, indices, updates]) => {
    const data = into!.data.slice()
    indices!.data.forEach((index, i) => {
      data[index]! += updates!.data[i]!
    })
    return array(into!.shape, data)
  },
  MatMul: ([a, b], _, out) => matmul(a!, b!, out.shape),
  Einsum: einsum,
  ReduceSum: reduce(sum),
  ReduceMean: reduce((values) => sum(values) / values.length),
  ReduceMax: reduce((values) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)),
  ReduceMin: reduce((values) => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)),
  ReduceProd: reduce((values) => values.reduce((a, b) => a * b, 1)),
  Softmax: ([x], { axis }) => along(x!, axis as number, softmax),
  CumSum: cumsum,
  ArgMax: arg((x, y) => x > y),
  ArgMin: arg((x, y) => x < y),
  TopK: topK,
}
