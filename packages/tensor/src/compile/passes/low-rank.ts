import { type Graph, type GraphNode, sameShape, sizeOf } from '../graph.ts'
import { Rewriter } from './rewrite.ts'

/** More uses than this multiply operations instead of saving them. */
const MOST_USES = 4
/** Multiplying by the factors must cost at most this share of multiplying by their product. */
const CHEAPER = 0.6

/**
 * Multiplies by the factors of a product instead of the product: X·(A·B) is (X·A)·B where A·B has few inner columns.
 * Gradients of weights are such products, with the samples inside, so one step of adaptation, X·(W − η·A·B), becomes
 * X·W − η·(X·A)·B and the adapted matrices of the single tasks are never made.
 */
export function multiplyByFactors(graph: Graph): void {
  const uses = usesOf(graph)
  new Rewriter(graph).run((node, rewriter) => {
    if (node.op !== 'MatMul') return undefined
    const [x, y] = node.inputs as [number, number]
    const { shape } = rewriter.value(node.outputs[0]!)
    const batch = shape.slice(0, -2)
    if (batch.length === 0 || !sameShape(rewriter.value(x).shape.slice(0, -2), batch)) return undefined
    const product = factors(y, batch, rewriter)
    if (product) return uses.multiplies(y) ? timesFactors(x, product, shape, rewriter) : undefined
    const updated = update(y, batch, rewriter)
    if (!updated || !uses.multiplies(updated.sum)) return undefined
    const { type } = rewriter.value(y)
    const base = rewriter.add('MatMul', [x, updated.base], shape, type)
    return rewriter.add(updated.op, [base, timesFactors(x, updated.product, shape, rewriter)], shape, type)
  })
}

/** A scaled product of two matrices; `scales` are the numbers it is multiplied by. */
interface Factors {
  readonly left: number
  readonly right: number
  readonly scales: readonly number[]
}

interface Update {
  /** The adapted matrix itself. */
  readonly sum: number
  readonly op: string
  readonly base: number
  readonly product: Factors
}

function factors(id: number, batch: readonly number[], rewriter: Rewriter, turned = false): Factors | undefined {
  const node = rewriter.producer(id)
  if (!node) return undefined
  if (isSwap(node)) return factors(node.inputs[0]!, batch, rewriter, !turned)
  if (node.op === 'Neg') {
    const inner = factors(node.inputs[0]!, batch, rewriter, turned)
    return inner && { ...inner, scales: [...inner.scales, rewriter.scalar(-1, rewriter.value(id).type)] }
  }
  if (node.op === 'Mul') {
    const [a, b] = node.inputs as [number, number]
    if (sizeOf(rewriter.value(b).shape) !== 1 || !sameShape(rewriter.value(a).shape, rewriter.value(id).shape)) {
      return undefined
    }
    const inner = factors(a, batch, rewriter, turned)
    return inner && { ...inner, scales: [...inner.scales, b] }
  }
  if (node.op !== 'MatMul') return undefined
  const [a, b] = node.inputs as [number, number]
  const [left, right] = [rewriter.value(a).shape, rewriter.value(b).shape]
  if (!sameShape(left.slice(0, -2), batch) || !sameShape(right.slice(0, -2), batch)) return undefined
  const [rows, inner, columns] = [left.at(-2)!, left.at(-1)!, right.at(-1)!]
  if (inner * (rows + columns) > CHEAPER * rows * columns) return undefined
  return turned
    ? { left: swapped(b, rewriter), right: swapped(a, rewriter), scales: [] }
    : { left: a, right: b, scales: [] }
}

/** W ± A·B, perhaps turned over. */
function update(id: number, batch: readonly number[], rewriter: Rewriter, turned = false): Update | undefined {
  const node = rewriter.producer(id)
  if (!node) return undefined
  if (isSwap(node)) return turned ? undefined : update(node.inputs[0]!, batch, rewriter, true)
  if (node.op !== 'Sub' && node.op !== 'Add') return undefined
  const [base, added] = node.inputs as [number, number]
  // Without a matrix that all tasks share, the base is as expensive to multiply by as the sum.
  if (sizeOf(rewriter.value(base).shape.slice(0, -2)) !== 1 || rewriter.value(base).shape.length < 2) return undefined
  const product = factors(added, batch, rewriter, turned)
  return product && { sum: id, op: node.op, base: turned ? swapped(base, rewriter) : base, product }
}

function timesFactors(
  x: number,
  { left, right, scales }: Factors,
  shape: readonly number[],
  rewriter: Rewriter,
): number {
  const { type } = rewriter.value(x)
  const inner = [...shape.slice(0, -1), rewriter.value(left).shape.at(-1)!]
  const first = scales.reduce(
    (value, scale) => rewriter.add('Mul', [value, scale], inner, type),
    rewriter.add('MatMul', [x, left], inner, type),
  )
  return rewriter.add('MatMul', [first, right], shape, type)
}

function swapped(id: number, rewriter: Rewriter): number {
  const before = rewriter.producer(id)
  if (before && isSwap(before)) return before.inputs[0]!
  const { shape, type } = rewriter.value(id)
  const rank = shape.length
  const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2]
  return rewriter.add(
    'Transpose',
    [id],
    perm.map((axis) => shape[axis]!),
    type,
    { perm },
  )
}

/** Whether an operation swaps the last two axes. */
function isSwap({ op, attrs }: GraphNode): boolean {
  if (op !== 'Transpose') return false
  const perm = attrs.perm as readonly number[]
  const rank = perm.length
  return perm.every((axis, i) => axis === (i < rank - 2 ? i : 2 * rank - 3 - i))
}

/** Who reads a value, in the graph as it was. */
function usesOf(graph: Graph): { multiplies(id: number): boolean } {
  const readers: GraphNode[][] = []
  for (const node of graph.nodes) {
    for (const id of node.inputs) {
      if (id < 0) continue
      readers[id] ??= []
      readers[id].push(node)
    }
  }
  const kept = new Set(graph.outputs)
  const products = (id: number): number => {
    if (kept.has(id)) return Number.POSITIVE_INFINITY
    let count = 0
    for (const node of readers[id] ?? []) {
      if (node.op === 'MatMul' && node.inputs[1] === id && node.inputs[0] !== id) count++
      else if (isSwap(node)) count += products(node.outputs[0]!)
      else return Number.POSITIVE_INFINITY
    }
    return count
  }
  return { multiplies: (id) => products(id) <= MOST_USES }
}
