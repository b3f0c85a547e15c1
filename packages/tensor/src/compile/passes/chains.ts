import { type Graph, type GraphNode, ONNX_TYPE, sameShape, sizeOf } from '../graph.ts'
import { Rewriter } from './rewrite.ts'

/** Joins chains of operations that only rename, retype or rearrange: identities, reshapes, casts, transposes, copies. */
export function mergeChains(graph: Graph): void {
  new Rewriter(graph).run((node, rewriter) => {
    const input = node.inputs[0]!
    switch (node.op) {
      case 'Identity':
        return input
      case 'Reshape':
        return reshape(node, input, rewriter)
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
