import { type Graph, type GraphNode, sameShape, sizeOf } from '../graph.ts'
import { Rewriter } from './rewrite.ts'

/**
 * Sums products over tasks inside the product: Σₜ Aₜᵀ·Bₜ is one product of the tasks laid end to end, so the matrices of
 * the single tasks are never made. The sum passes through additions and scalings on its way to the products.
 */
export function sumInsideProducts(graph: Graph): void {
  const uses = new Int32Array(graph.values.length)
  for (const node of graph.nodes) for (const id of node.inputs) if (id >= 0) uses[id]!++
  for (const id of graph.outputs) uses[id]!++
  new Rewriter(graph).run((node, rewriter) => {
    if (node.op !== 'ReduceSum') return undefined
    const [input, axesId] = node.inputs as [number, number]
    const { shape } = rewriter.value(input)
    const axes = rewriter.value(axesId).data
    const batch = shape.length - 2
    if (batch < 1 || axes?.length !== batch || !axes.every((axis, i) => axis === i)) return undefined
    const single = (id: number): boolean => (uses[id] ?? 2) === 1
    if (!single(input) || !endsInProduct(input, rewriter, single)) return undefined
    return rewriter.reshape(summed(input, rewriter, single), rewriter.value(node.outputs[0]!).shape)
  })
}

type Single = (id: number) => boolean

interface Product {
  readonly left: number
  readonly right: number
  /** What is applied to both factors of an outer product. */
  readonly each?: 'Mul' | 'Abs'
}

/** The outer product behind a value's square or absolute value; its factors are laid end to end by a reshape. */
function outerProduct(node: GraphNode, rewriter: Rewriter): Product | undefined {
  const each = node.op === 'Abs' ? 'Abs' : node.op === 'Mul' && node.inputs[0] === node.inputs[1] ? 'Mul' : undefined
  const matrix = each && rewriter.producer(node.inputs[0]!)
  if (matrix?.op !== 'MatMul') return undefined
  const [left, right] = matrix.inputs as [number, number]
  const [tall, wide] = [rewriter.value(left).shape, rewriter.value(right).shape]
  const batch = rewriter.value(node.outputs[0]!).shape.slice(0, -2)
  if (tall.at(-1) !== 1 || wide.at(-2) !== 1) return undefined
  if (!sameShape(tall.slice(0, -2), batch) || !sameShape(wide.slice(0, -2), batch)) return undefined
  return { left: rewriter.reshape(left, [...batch, 1, tall.at(-2)!]), right, each: each! }
}

/** The product behind a value, if its left factor is a transpose, which makes laying end to end free. */
function product(id: number, rewriter: Rewriter): Product | undefined {
  const node = rewriter.producer(id)
  if (!node) return undefined
  const outer = outerProduct(node, rewriter)
  if (outer) return outer
  if (node.op !== 'MatMul') return undefined
  const batch = rewriter.value(id).shape.slice(0, -2)
  if (node.inputs.some((factor) => !sameShape(rewriter.value(factor).shape.slice(0, -2), batch))) return undefined
  const [left, right] = node.inputs as [number, number]
  const turned = rewriter.producer(left)
  const rank = batch.length + 2
  if (turned?.op !== 'Transpose' || (turned.attrs.perm as readonly number[])[rank - 1] !== rank - 2) return undefined
  return { left: turned.inputs[0]!, right }
}

/** Operations that a sum over tasks passes through, with the inputs that it passes on to. */
function linear(id: number, rewriter: Rewriter): { node: GraphNode; parts: readonly number[] } | undefined {
  const node = rewriter.producer(id)
  if (!node) return undefined
  const { shape } = rewriter.value(id)
  const parts = node.inputs.filter((part) => part >= 0 && sameShape(rewriter.value(part).shape, shape))
  if (node.op === 'Neg') return { node, parts }
  if (node.op === 'Add' || node.op === 'Sub') return parts.length === 2 ? { node, parts } : undefined
  if (node.op !== 'Mul' || parts.length !== 1) return undefined
  const factor = node.inputs.find((part) => part !== parts[0])!
  return sizeOf(rewriter.value(factor).shape) === 1 ? { node, parts } : undefined
}

function endsInProduct(id: number, rewriter: Rewriter, single: Single): boolean {
  if (!single(id)) return false
  if (product(id, rewriter)) return true
  return linear(id, rewriter)?.parts.some((part) => endsInProduct(part, rewriter, single)) ?? false
}

function summed(id: number, rewriter: Rewriter, single: Single): number {
  const { shape, type } = rewriter.value(id)
  const matrix = shape.slice(-2)
  if (single(id)) {
    const factors = product(id, rewriter)
    if (factors) {
      const { each } = factors
      const flat = (factor: number): number => {
        const own = rewriter.value(factor).shape
        const rows = rewriter.reshape(factor, [sizeOf(own.slice(0, -1)), own.at(-1)!])
        if (!each) return rows
        return rewriter.add(each, each === 'Mul' ? [rows, rows] : [rows], rewriter.value(rows).shape, type)
      }
      const turned = rewriter.add(
        'Transpose',
        [flat(factors.left)],
        [matrix[0]!, sizeOf(shape.slice(0, -2)) * inner(factors.left, rewriter)],
        type,
        { perm: [1, 0] },
      )
      return rewriter.add('MatMul', [turned, flat(factors.right)], matrix, type)
    }
    const found = endsInProduct(id, rewriter, single) ? linear(id, rewriter) : undefined
    if (found) {
      const { node, parts } = found
      const inputs = node.inputs.map((part) =>
        parts.includes(part) ? summed(part, rewriter, single) : rewriter.reshape(part, []),
      )
      return rewriter.add(node.op, inputs, matrix, type)
    }
  }
  const axes = shape.slice(0, -2).map((_, axis) => axis)
  return rewriter.add('ReduceSum', [id, rewriter.ints(axes)], matrix, type, { keepdims: 0 })
}

const inner = (id: number, rewriter: Rewriter): number => rewriter.value(id).shape.at(-2)!
