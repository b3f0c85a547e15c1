import { type Graph, sizeOf } from '../graph.ts'

const BYTES = { float32: 4, int32: 4, bool: 1, int64: 8 } as const

/**
 * Bytes of computed values that are alive at once, at most, when the operations run in order and each value goes after its last
 * reader. Inputs and constants are not counted; reshapes count as copies, so it is an upper bound.
 */
export function peakBytes(graph: Graph): number {
  const last = new Map<number, number>()
  graph.nodes.forEach(({ inputs }, at) => {
    for (const id of inputs) last.set(id, at)
  })
  for (const id of graph.outputs) last.set(id, Number.POSITIVE_INFINITY)
  const bytesOf = (id: number): number => sizeOf(graph.values[id]!.shape) * BYTES[graph.values[id]!.type]
  const computed = new Set<number>()
  let alive = 0
  let peak = 0
  graph.nodes.forEach(({ inputs, outputs }, at) => {
    for (const id of outputs) {
      computed.add(id)
      alive += bytesOf(id)
    }
    peak = Math.max(peak, alive)
    for (const id of new Set([...inputs, ...outputs])) {
      if (!computed.has(id) || (last.get(id) ?? -1) > at) continue
      computed.delete(id)
      alive -= bytesOf(id)
    }
  })
  return peak
}
