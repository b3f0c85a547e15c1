import type { Graph, GraphNode } from '../graph.ts'

/** Buffers that every WebGPU device lets one shader touch; the input takes one of them. */
const BUFFERS = 8

/**
 * Takes splits into many parts apart into splits of splits. A shader may touch few buffers, and WebGPU's Split touches
 * all its parts at once (its Concat minds the limit by itself).
 */
export function narrowSplits(graph: Graph): void {
  graph.nodes = graph.nodes.flatMap((node) => (node.op === 'Split' ? narrow(graph, node) : [node]))
}

function narrow(graph: Graph, node: GraphNode): GraphNode[] {
  const most = BUFFERS - 1
  if (node.outputs.length <= most) return [node]
  const { values } = graph
  const axis = node.attrs.axis as number
  const add = (value: Omit<Graph['values'][number], 'id'>): number => values.push({ id: values.length, ...value }) - 1
  const sizesOf = (ids: readonly number[]): number =>
    add({ shape: [ids.length], type: 'int64', data: Float64Array.from(ids, (id) => values[id]!.shape[axis]!) })
  const width = Math.ceil(node.outputs.length / most)
  const groups: { readonly id: number; readonly members: readonly number[] }[] = []
  for (let start = 0; start < node.outputs.length; start += width) {
    const members = node.outputs.slice(start, start + width)
    const { shape, type } = values[members[0]!]!
    const total = members.reduce((sum, id) => sum + values[id]!.shape[axis]!, 0)
    const whole = shape.map((dim, i) => (i === axis ? total : dim))
    groups.push({ id: members.length === 1 ? members[0]! : add({ shape: whole, type }), members })
  }
  const ids = groups.map(({ id }) => id)
  const coarse: GraphNode = { ...node, inputs: [node.inputs[0]!, sizesOf(ids)], outputs: ids }
  const finer = groups
    .filter(({ members }) => members.length > 1)
    .flatMap(({ id, members }) => narrow(graph, { ...node, inputs: [id, sizesOf(members)], outputs: members }))
  return [coarse, ...finer]
}
