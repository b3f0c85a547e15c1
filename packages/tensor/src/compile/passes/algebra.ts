import { broadcastShapes, type Graph, type GraphNode, sameShape, sizeOf } from '../graph.ts'
import { Rewriter } from './rewrite.ts'

/** Operations that broadcast their inputs themselves, so that no input need be expanded for them. */
const BROADCASTING = new Set(
  'Add Sub Mul Div Max Min Pow Mod Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor Where'.split(' '),
)

/** Removes arithmetic that changes nothing, and copies that broadcasting makes by itself. */
export function simplifyAlgebra(graph: Graph): void {
  new Rewriter(graph).run((node, rewriter) => {
    if (BROADCASTING.has(node.op)) {
      const lean = withoutExpand(node, rewriter)
      const simpler = neutral(lean ?? node, rewriter)
      if (simpler !== undefined || !lean) return simpler
      const { shape, type } = rewriter.value(node.outputs[0]!)
      return rewriter.add(lean.op, lean.inputs, shape, type, lean.attrs)
    }
    if (node.op === 'Neg') return doubleNegation(node, rewriter)
    if (node.op === 'MatMul') return matmul(node, rewriter)
    if (node.op.startsWith('Reduce')) return reduction(node, rewriter)
    return undefined
  })
}

/** Reads what an Expand copies instead of the copies, where the other inputs already give the result its shape. */
function withoutExpand(node: GraphNode, rewriter: Rewriter): GraphNode | undefined {
  const { shape } = rewriter.value(node.outputs[0]!)
  let inputs = node.inputs
  node.inputs.forEach((id, i) => {
    const before = rewriter.producer(id)
    if (before?.op !== 'Expand') return
    const source = before.inputs[0]!
    const rest = inputs.reduce<readonly number[]>(
      (sum, other, j) => broadcastShapes(sum, rewriter.value(j === i ? source : other).shape),
      [],
    )
    if (sameShape(rest, shape)) inputs = inputs.map((other, j) => (j === i ? source : other))
  })
  return inputs === node.inputs ? undefined : { ...node, inputs }
}

/** x + 0, x - 0, x · 1, x / 1, x¹, x² and sums with a negation. */
function neutral(node: GraphNode, rewriter: Rewriter): number | undefined {
  const [a, b] = node.inputs as [number, number]
  const { shape, type } = rewriter.value(node.outputs[0]!)
  const same = (id: number): number =>
    sameShape(rewriter.value(id).shape, shape) ? id : rewriter.add('Expand', [id, rewriter.ints(shape)], shape, type)
  const [x, y] = [uniform(a, rewriter), uniform(b, rewriter)]
  const both = x !== undefined && y !== undefined && type === 'float32' ? ARITHMETIC[node.op]?.(x, y) : undefined
  if (both !== undefined) return same(rewriter.scalar(Math.fround(both), type))
  switch (node.op) {
    case 'Add': {
      if (x === 0) return same(b)
      if (y === 0) return same(a)
      const [left, right] = [rewriter.producer(a), rewriter.producer(b)]
      if (right?.op === 'Neg') return rewriter.add('Sub', [a, right.inputs[0]!], shape, type)
      if (left?.op === 'Neg') return rewriter.add('Sub', [b, left.inputs[0]!], shape, type)
      return undefined
    }
    case 'Sub': {
      if (y === 0) return same(a)
      if (x === 0) return rewriter.add('Neg', [same(b)], shape, type)
      const right = rewriter.producer(b)
      if (right?.op === 'Neg') return rewriter.add('Add', [a, right.inputs[0]!], shape, type)
      return undefined
    }
    case 'Mul': {
      if (x === 1) return same(b)
      if (y === 1) return same(a)
      if (x === -1) return rewriter.add('Neg', [same(b)], shape, type)
      if (y === -1) return rewriter.add('Neg', [same(a)], shape, type)
      if (y !== undefined) return scaled(a, y, shape, rewriter) ?? byNumber(a, b, y, shape, rewriter)
      if (x !== undefined) return scaled(b, x, shape, rewriter) ?? byNumber(b, a, x, shape, rewriter)
      return undefined
    }
    case 'Div': {
      if (y === 1) return same(a)
      const left = rewriter.producer(a)
      if (left?.op !== 'Neg' || y === undefined) return undefined
      return rewriter.add('Div', [left.inputs[0]!, rewriter.scalar(-y, type)], shape, type)
    }
    case 'Pow':
      if (y === 1) return same(a)
      if (y === 2) return rewriter.add('Mul', [same(a), same(a)], shape, type)
      return undefined
    default:
      return undefined
  }
}

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
}

/** A product with copies of one number is a product with the number. */
function byNumber(
  id: number,
  copies: number,
  x: number,
  shape: readonly number[],
  rewriter: Rewriter,
): number | undefined {
  if (rewriter.value(copies).data || !sameShape(rewriter.value(id).shape, shape)) return undefined
  const { type } = rewriter.value(id)
  return rewriter.add('Mul', [id, rewriter.scalar(x, type)], shape, type)
}

/** A number times a negation or times another number's product: one product with one number. */
function scaled(id: number, factor: number, shape: readonly number[], rewriter: Rewriter): number | undefined {
  const { type, shape: own } = rewriter.value(id)
  const before = rewriter.producer(id)
  if (!before || type !== 'float32' || !sameShape(own, shape)) return undefined
  if (before.op === 'Neg') return rewriter.add('Mul', [before.inputs[0]!, rewriter.scalar(-factor, type)], shape, type)
  if (before.op !== 'Mul') return undefined
  const [a, b] = before.inputs as [number, number]
  const inner = uniform(b, rewriter)
  const product = Math.fround((inner ?? 0) * factor)
  const kept = inner !== undefined && sameShape(rewriter.value(a).shape, shape)
  // Products that over- or underflow are left to happen one after the other.
  if (!kept || !Number.isFinite(product) || Math.abs(product) < 1e-30) return undefined
  return rewriter.add('Mul', [a, rewriter.scalar(product, type)], shape, type)
}

/** The number that a constant (or copies of one) consists of. */
function uniform(id: number, rewriter: Rewriter): number | undefined {
  const { data } = rewriter.value(id)
  if (data) return data.length === 1 || (data.length > 1 && data.every((x) => x === data[0])) ? data[0] : undefined
  const before = rewriter.producer(id)
  const copies = before?.op === 'Expand' || before?.op === 'Reshape'
  return copies ? uniform(before.inputs[0]!, rewriter) : undefined
}

function doubleNegation(node: GraphNode, rewriter: Rewriter): number | undefined {
  const before = rewriter.producer(node.inputs[0]!)
  return before?.op === 'Neg' ? before.inputs[0] : undefined
}

/** A matrix that was copied for every task is multiplied as it is: MatMul broadcasts the leading axes. */
function matmul(node: GraphNode, rewriter: Rewriter): number | undefined {
  const { shape, type } = rewriter.value(node.outputs[0]!)
  const batch = shape.slice(0, -2)
  const lean = node.inputs.map((id) => {
    const before = rewriter.producer(id)
    if (before?.op !== 'Expand') return id
    const source = before.inputs[0]!
    const matrix = rewriter.value(id).shape.slice(-2)
    return sameShape(rewriter.value(source).shape.slice(-2), matrix) ? source : id
  })
  const [left, right] = lean.map((id) => rewriter.value(id).shape) as [readonly number[], readonly number[]]
  if (!sameShape(broadcastShapes(left.slice(0, -2), right.slice(0, -2)), batch)) return undefined
  // One matrix on the right for all tasks: runtimes then lay the rows of all tasks end to end.
  const shared = right.length > 2 && sizeOf(right.slice(0, -2)) === 1 && sameShape(left.slice(0, -2), batch)
  if (shared) return rewriter.add('MatMul', [lean[0]!, rewriter.reshape(lean[1]!, right.slice(-2))], shape, type)
  if (lean.every((id, i) => id === node.inputs[i])) return undefined
  return rewriter.add('MatMul', lean, shape, type)
}

/** onnxruntime reduces neighbouring axes many times faster where no axis of length one stands before them. */
function withoutOnes(node: GraphNode, axes: readonly number[], rewriter: Rewriter): number | undefined {
  const from = rewriter.value(node.inputs[0]!).shape
  if (!from.includes(1) || sizeOf(from) === 0) return undefined
  const long = from.map((_, axis) => axis).filter((axis) => from[axis] !== 1)
  const lean = rewriter.reshape(
    node.inputs[0]!,
    long.map((axis) => from[axis]!),
  )
  const left = long.flatMap((axis, i) => (axes.includes(axis) ? [i] : []))
  const kept = long.filter((axis) => !axes.includes(axis)).map((axis) => from[axis]!)
  const { shape, type } = rewriter.value(node.outputs[0]!)
  return rewriter.reshape(rewriter.add(node.op, [lean, rewriter.ints(left)], kept, type, { keepdims: 0 }), shape)
}

/** Sums over axes of length one are reshapes; sums of copies are products. */
function reduction(node: GraphNode, rewriter: Rewriter): number | undefined {
  const [input, axesId] = node.inputs as [number, number]
  const from = rewriter.value(input)
  const axes = Array.from(rewriter.value(axesId).data ?? [])
  const { shape, type } = rewriter.value(node.outputs[0]!)
  if (axes.every((axis) => from.shape[axis] === 1) && sizeOf(from.shape) > 0) return rewriter.reshape(input, shape)
  const before = rewriter.producer(input)
  if (before?.op !== 'Expand' || (node.op !== 'ReduceSum' && node.op !== 'ReduceMean'))
    return withoutOnes(node, axes, rewriter)
  const source = before.inputs[0]!
  const own = rewriter.value(source).shape
  const aligned = [...Array(from.shape.length - own.length).fill(1), ...own] as number[]
  if (!axes.every((axis) => aligned[axis] === 1)) return undefined
  const count = node.op === 'ReduceSum' ? axes.reduce((product, axis) => product * from.shape[axis]!, 1) : 1
  const kept =
    node.attrs.keepdims === 1
      ? aligned.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
      : aligned.filter((_, axis) => !axes.includes(axis))
  const reshaped = rewriter.reshape(source, kept)
  const scaled = count === 1 ? reshaped : rewriter.add('Mul', [reshaped, rewriter.scalar(count, type)], kept, type)
  return sameShape(kept, shape) ? scaled : rewriter.add('Expand', [scaled, rewriter.ints(shape)], shape, type)
}
