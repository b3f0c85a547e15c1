import { RegimenError } from '@regimen/core'
import type { Graph, GraphNode, Value } from '../graph.ts'
import { array, type DoubleArray } from './arrays.ts'
import { OPERATIONS } from './operations.ts'

/** Runs one operation on doubles; undefined where the interpreter does not know it. */
export function evaluateNode(
  node: GraphNode,
  inputs: readonly (DoubleArray | undefined)[],
  outputs: readonly Value[],
): DoubleArray[] | undefined {
  const result = OPERATIONS[node.op]?.(inputs, node.attrs, outputs[0]!)
  return result === undefined ? undefined : Array.isArray(result) ? result : [result]
}

/** Runs a whole graph in double precision: slow and plain, the yardstick for what runtimes compute in float32. */
export function interpret(graph: Graph, inputs: readonly Float64Array[]): Float64Array[] {
  const arrays = new Map<number, DoubleArray>()
  graph.inputs.forEach((id, i) => {
    arrays.set(id, array(graph.values[id]!.shape, inputs[i]!))
  })
  const read = (id: number): DoubleArray | undefined => {
    if (id < 0) return undefined
    const known = arrays.get(id)
    if (known) return known
    const { shape, data } = graph.values[id]!
    const constant = array(shape, Float64Array.from(data!))
    arrays.set(id, constant)
    return constant
  }
  for (const node of graph.nodes) {
    const results = evaluateNode(
      node,
      node.inputs.map(read),
      node.outputs.map((id) => graph.values[id]!),
    )
    if (!results) {
      throw new RegimenError(`the interpreter does not know ${node.op}.`, {
        code: 'UNSUPPORTED_KERNEL',
        where: 'tensor/reference',
      })
    }
    node.outputs.forEach((id, i) => {
      arrays.set(id, { shape: graph.values[id]!.shape, data: results[i]!.data })
    })
  }
  return graph.outputs.map((id) => read(id)!.data)
}
