import { type Graph, type GraphNode, sameShape, sizeOf } from '../graph.ts'
import { Rewriter } from './rewrite.ts'

/**
 * Multiplies the rows of all tasks by one matrix and adds a bias in one operation (Gemm), where the matrix and the bias
 * are the same for all rows. The last pass: the others look for plain products.
 */
export function addBiasInProducts(graph: Graph): void {
  const uses = new Int32Array(graph.values.length)
  for (const node of graph.nodes) for (const id of node.inputs) if (id >= 0) uses[id]!++
  for (const id of graph.outputs) uses[id]!++
  new Rewriter(graph).run((node, rewriter) => {
    if (node.op !== 'Add') return undefined
    const [a, b] = node.inputs as [number, number]
    return biased(node, a, b, uses, rewriter) ?? biased(node, b, a, uses, rewriter)
  })
}

function biased(node: GraphNode, id: number, bias: number, uses: Int32Array, rewriter: Rewriter): number | undefined {
  const { shape, type } = rewriter.value(node.outputs[0]!)
  const product = rewriter.producer(id)
  if (product?.op !== 'MatMul' || type !== 'float32' || (uses[id] ?? 2) > 1 || sizeOf(shape) === 0) return undefined
  const [x, w] = product.inputs as [number, number]
  const columns = shape.at(-1)!
  const matrix = rewriter.value(w).shape
  const own = rewriter.value(bias).shape
  const shared = sizeOf(own) === columns && (own.at(-1) ?? 1) === columns
  if (!shared || matrix.length !== 2 || !sameShape(rewriter.value(id).shape, shape)) return undefined
  const rows = sizeOf(shape.slice(0, -1))
  const turned = rewriter.producer(w)
  const inputs = [
    rewriter.reshape(x, [rows, matrix[0]!]),
    turned?.op === 'Transpose' ? turned.inputs[0]! : w,
    rewriter.reshape(bias, [columns]),
  ]
  const attrs = turned?.op === 'Transpose' ? { transB: 1 } : {}
  return rewriter.reshape(rewriter.add('Gemm', inputs, [rows, columns], type, attrs), shape)
}
