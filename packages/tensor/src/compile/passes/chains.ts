import { type Graph, type GraphNode, ONNX_TYPE, sameShape, sizeOf } from '../graph.ts'
import { Rewriter } from './rewrite.ts'

/** Operations on single elements that often stand between two products. */
const AFTER_RESHAPE = new Set(['Relu', 'Sigmoid', 'Tanh', 'Neg'])

/** Joins chains of operations that only rename, retype or rearrange: identities, reshapes, casts, transposes, copies. */
export function mergeChains(graph: Graph): void {
  const uses = new Int32Array(graph.values.length)
  for (const node of graph.nodes) for (const id of node.inputs) if (id >= 0) uses[id]!++
  for (const id of graph.outputs) uses[id]!++
  new Rewriter(graph).run((node, rewriter) => {
    const input = node.inputs[0]!
    if (AFTER_RESHAPE.has(node.op)) return beforeReshape(node, input, rewriter)
    switch (node.op) {
      case 'Identity':
        return input
      case 'Reshape':
        return reshape(node, input, rewriter) ?? keepDimensions(node, input, uses, rewriter)
      case 'Cast':
        return cast(node, input, rewriter)
      case 'Transpose':
        return transpose(node, input, rewriter)
      case 'Expand':
        return expand(node, input, rewriter)
      default:
        return undefined
    }
  })
}

function reshape(node: GraphNode, input: number, rewriter: Rewriter): number | undefined {
  const { shape } = rewriter.value(node.outputs[0]!)
  const before = rewriter.producer(input)
  const needless = sameShape(shape, rewriter.value(input).shape) || before?.op === 'Reshape'
  return needless ? rewriter.reshape(input, shape) : undefined
}

/** A reduction that is reshaped to have its reduced axes back keeps them. */
function keepDimensions(node: GraphNode, input: number, uses: Int32Array, rewriter: Rewriter): number | undefined {
  const before = rewriter.producer(input)
  if (!before?.op.startsWith('Reduce') || before.attrs.keepdims !== 0 || (uses[input] ?? 2) > 1) return undefined
  const axes = rewriter.value(before.inputs[1]!).data
  const from = rewriter.value(before.inputs[0]!).shape
  const { shape, type } = rewriter.value(node.outputs[0]!)
  if (
    !axes ||
    !sameShape(
      shape,
      from.map((dim, axis) => (axes.includes(axis as never) ? 1 : dim)),
    )
  ) {
    return undefined
  }
  return rewriter.add(before.op, before.inputs, shape, type, { ...before.attrs, keepdims: 1 })
}

/** Reshapes sink below what works element by element, where they meet other reshapes. */
function beforeReshape(node: GraphNode, input: number, rewriter: Rewriter): number | undefined {
  const before = rewriter.producer(input)
  if (before?.op !== 'Reshape') return undefined
  const source = before.inputs[0]!
  const { shape, type } = rewriter.value(node.outputs[0]!)
  return rewriter.reshape(rewriter.add(node.op, [source], rewriter.value(source).shape, type, node.attrs), shape)
}

function cast(node: GraphNode, input: number, rewriter: Rewriter): number | undefined {
  const { shape, type } = rewriter.value(node.outputs[0]!)
  if (rewriter.value(input).type === type) return input
  const before = rewriter.producer(input)
  if (before?.op !== 'Cast') return undefined
  const source = before.inputs[0]!
  const from = rewriter.value(source).type
  // A truth value survives any detour through numbers.
  if (from !== 'bool') return undefined
  return type === 'bool' ? source : rewriter.add('Cast', [source], shape, type, { to: ONNX_TYPE[type] })
}

function transpose(node: GraphNode, input: number, rewriter: Rewriter): number | undefined {
  const perm = node.attrs.perm as readonly number[]
  const { shape, type } = rewriter.value(node.outputs[0]!)
  const from = rewriter.value(input)
  const moved = perm.filter((axis) => from.shape[axis] !== 1)
  if (moved.every((axis, i) => i === 0 || moved[i - 1]! < axis)) return rewriter.reshape(input, shape)
  const before = rewriter.producer(input)
  if (before?.op === 'Expand') return transposeOfCopies(before, perm, rewriter, node)
  if (before?.op !== 'Transpose') return undefined
  const inner = before.attrs.perm as readonly number[]
  const both = perm.map((axis) => inner[axis]!)
  const source = before.inputs[0]!
  if (both.every((axis, i) => axis === i)) return source
  return rewriter.add('Transpose', [source], shape, type, { perm: both })
}

/** Turns what is copied instead of the copies. */
function transposeOfCopies(
  before: GraphNode,
  perm: readonly number[],
  rewriter: Rewriter,
  node: GraphNode,
): number | undefined {
  const source = before.inputs[0]!
  const from = rewriter.value(source)
  if (from.shape.length !== perm.length) return undefined
  const { shape, type } = rewriter.value(node.outputs[0]!)
  const small = perm.map((axis) => from.shape[axis]!)
  return rewriter.add(
    'Expand',
    [rewriter.add('Transpose', [source], small, type, { perm }), rewriter.ints(shape)],
    shape,
    type,
  )
}

function expand(node: GraphNode, input: number, rewriter: Rewriter): number | undefined {
  const { shape, type } = rewriter.value(node.outputs[0]!)
  const from = rewriter.value(input)
  if (sizeOf(from.shape) === sizeOf(shape) && !shape.includes(0)) return rewriter.reshape(input, shape)
  const before = rewriter.producer(input)
  if (before?.op !== 'Expand') return undefined
  return rewriter.add('Expand', [before.inputs[0]!, rewriter.ints(shape)], shape, type)
}
