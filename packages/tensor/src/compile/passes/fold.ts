import { type ConstantData, type ElementType, type Graph, sizeOf, typedArray } from '../graph.ts'
import type { DoubleArray } from '../interpret/arrays.ts'
import { evaluateNode } from '../interpret/interpret.ts'

/** Larger results stay operations: a file full of zeros helps nobody. */
const LARGEST = 4096
/** Numbers that are copied out of one number are cheaper made than stored. */
const KEPT = new Set(['Expand'])

/** Computes ahead what depends on constants only, rounding as the runtime would. */
export function foldConstants(graph: Graph): void {
  const { values } = graph
  graph.nodes = graph.nodes.filter((node) => {
    if (KEPT.has(node.op) || node.inputs.some((id) => id >= 0 && !values[id]!.data)) return true
    const outputs = node.outputs.map((id) => values[id]!)
    if (outputs.some(({ shape }) => sizeOf(shape) > LARGEST)) return true
    const inputs = node.inputs.map((id): DoubleArray | undefined => {
      if (id < 0) return undefined
      const { shape, data } = values[id]!
      return { shape, data: Float64Array.from(data!) }
    })
    const results = evaluateNode(node, inputs, outputs)
    if (!results) return true
    node.outputs.forEach((id, i) => {
      values[id] = { ...values[id]!, data: narrow(results[i]!.data, values[id]!.type) }
    })
    return false
  })
}

function narrow(data: Float64Array, type: ElementType): ConstantData {
  const constant = typedArray(type, data.length)
  constant.set(data)
  return constant
}
