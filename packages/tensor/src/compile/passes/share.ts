import type { Graph, GraphNode, Value } from '../graph.ts'
import { Rewriter } from './rewrite.ts'

const SMALL = 64

/** Computes once what is computed twice, and keeps one of equal small constants. */
export function shareCommon(graph: Graph): void {
  const constants = new Map<string, number>()
  const canonical = (id: number): number => {
    if (id < 0) return id
    const value = graph.values[id]!
    if (!value.data || value.data.length > SMALL) return id
    const key = constantKey(value)
    const known = constants.get(key)
    if (known !== undefined) return known
    constants.set(key, id)
    return id
  }
  const seen = new Map<string, number>()
  graph.nodes = graph.nodes.map((node) => {
    const inputs = node.inputs.map(canonical)
    return inputs.every((id, i) => id === node.inputs[i]) ? node : { ...node, inputs }
  })
  new Rewriter(graph).run((node) => {
    if (node.outputs.length !== 1) return undefined
    const { type } = graph.values[node.outputs[0]!]!
    const key = `${node.op}|${node.inputs.join(',')}|${type}${attributesKey(node)}`
    const known = seen.get(key)
    if (known === undefined) seen.set(key, node.outputs[0]!)
    return known
  })
}

function attributesKey({ attrs }: GraphNode): string {
  let key = ''
  for (const name in attrs) key += `|${name}=${attrs[name]}`
  return key
}

function constantKey({ type, shape, data }: Value): string {
  let key = `${type}|${shape.join('x')}|`
  for (const x of data!) key += `${Object.is(x, -0) ? '-0' : x},`
  return key
}
