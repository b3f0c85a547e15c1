import type { Graph } from '../graph.ts'

/** Drops operations whose results nobody reads. */
export function removeDead(graph: Graph): void {
  const needed = new Uint8Array(graph.values.length)
  for (const id of graph.outputs) needed[id] = 1
  const kept = []
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i]!
    if (!node.outputs.some((id) => needed[id] === 1)) continue
    for (const id of node.inputs) if (id >= 0) needed[id] = 1
    kept.push(node)
  }
  graph.nodes = kept.reverse()
}
