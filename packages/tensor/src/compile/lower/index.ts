import { RegimenError } from '@regimen/core'
import { type Graph, GraphBuilder, type Value } from '../graph.ts'
import { publicName, type Trace, type TracedNode } from '../trace.ts'
import type { LoweringTable } from './call.ts'
import { CONVOLUTION } from './convolution.ts'
import { ELEMENTWISE } from './elementwise.ts'
import { GATHER } from './gather.ts'
import { IMAGE } from './image.ts'
import { LOCAL } from './local.ts'
import { MATMUL } from './matmul.ts'
import { POOL } from './pool.ts'
import { REDUCE } from './reduce.ts'
import { SHAPE } from './shape.ts'
import { VOLUME } from './volume.ts'

/** Every tfjs kernel that has a lowering. */
export const LOWERINGS: LoweringTable = {
  ...ELEMENTWISE,
  ...REDUCE,
  ...SHAPE,
  ...GATHER,
  ...MATMUL,
  ...CONVOLUTION,
  ...POOL,
  ...VOLUME,
  ...IMAGE,
  ...LOCAL,
}

/**
 * Turns a recording into a graph of ONNX operations. Kernels whose results nobody needs are skipped. `gpu` chooses
 * what WebGPU providers run rightly.
 */
export function lower(trace: Trace, gpu = false): Graph {
  const b = new GraphBuilder()
  const values: (Value | undefined)[] = new Array(trace.values.length)
  for (const id of trace.inputs) {
    const { shape, dtype } = trace.values[id]!
    values[id] = b.value(shape, dtype)
  }
  const needed = liveValues(trace)
  trace.values.forEach(({ data, shape, dtype }, id) => {
    if (data && needed[id]) values[id] = b.constant(data, shape, dtype)
  })
  for (const node of trace.nodes) {
    if (!node.outputs.some((id) => needed[id])) continue
    const inputs: Record<string, Value> = {}
    for (const name in node.inputs) inputs[name] = values[node.inputs[name]!]!
    const lowering = LOWERINGS[node.kernel]
    const outs = node.outputs.map((id) => trace.values[id]!)
    const result = lowering?.({ b, inputs, attrs: node.attrs, gpu, outs })
    if (!result) throw unsupported(node, lowering !== undefined)
    const list = Array.isArray(result) ? result : [result]
    node.outputs.forEach((id, i) => {
      values[id] = b.reshape(b.cast(list[i]!, outs[i]!.dtype), outs[i]!.shape)
    })
  }
  return {
    values: b.values,
    nodes: b.nodes,
    inputs: trace.inputs.map((id) => values[id]!.id),
    outputs: trace.outputs.map((id) => values[id]!.id),
  }
}

function liveValues(trace: Trace): boolean[] {
  const needed: boolean[] = new Array(trace.values.length).fill(false)
  for (const id of trace.outputs) needed[id] = true
  for (let i = trace.nodes.length - 1; i >= 0; i--) {
    const node = trace.nodes[i]!
    if (!node.outputs.some((id) => needed[id])) continue
    for (const name in node.inputs) needed[node.inputs[name]!] = true
  }
  return needed
}

function unsupported(node: TracedNode, partly: boolean): RegimenError {
  const how = partly ? 'has no lowering to ONNX with these options' : 'has no lowering to ONNX'
  return new RegimenError(`the tfjs kernel ${node.kernel}, called by tf.${publicName(node.op) || '?'}, ${how}.`, {
    code: 'UNSUPPORTED_KERNEL',
    where: 'tensor/compile',
    hint: 'Write this step with other ops, or keep it outside of the compiled function.',
  })
}
