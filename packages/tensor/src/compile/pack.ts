import { type Graph, type GraphNode, sizeOf, typedArray, type Value } from './graph.ts'
import type { DeviceArray } from './runtime/device-array.ts'
import type { RuntimeArray } from './runtime/runtime.ts'

/** Larger arrays cross into the runtime by themselves: copying them costs more than the crossing. */
const SMALL = 8192

/** The small float arrays of a border of the graph, which cross it laid end to end as one array. */
interface Packed {
  /** Places in the original order. */
  readonly places: readonly number[]
  readonly shapes: readonly (readonly number[])[]
  readonly size: number
}

/** How a graph's borders were packed; undefined where there is too little to pack. */
export interface Packing {
  readonly inputs: Packed | undefined
  readonly outputs: Packed | undefined
}

/**
 * Joins the small float inputs of a graph into one, and the small outputs into one, because every array that enters or
 * leaves the runtime costs several microseconds, however short it is. The joined array comes first.
 */
export function packBorders(graph: Graph): { graph: Graph; packing: Packing } {
  const inputs = choose(graph.inputs, graph)
  const outputs = choose(graph.outputs, graph)
  const before: GraphNode[] = []
  const after: GraphNode[] = []
  const add = (value: Omit<Value, 'id'>): number => graph.values.push({ id: graph.values.length, ...value }) - 1
  const ints = (list: readonly number[]): number =>
    add({ shape: [list.length], type: 'int64', data: typedArray('int64', list) })
  const reshape = (from: number, to: number): GraphNode => {
    return { op: 'Reshape', inputs: [from, ints(graph.values[to]!.shape)], outputs: [to], attrs: {} }
  }
  const border = { inputs: graph.inputs, outputs: graph.outputs }
  if (inputs) {
    const packed = add({ shape: [inputs.size], type: 'float32' })
    const sizes = inputs.shapes.map(sizeOf)
    const parts = sizes.map((size) => add({ shape: [size], type: 'float32' }))
    before.push({ op: 'Split', inputs: [packed, ints(sizes)], outputs: parts, attrs: { axis: 0 } })
    inputs.places.forEach((place, i) => {
      before.push(reshape(parts[i]!, graph.inputs[place]!))
    })
    border.inputs = [packed, ...graph.inputs.filter((_, place) => !inputs.places.includes(place))]
  }
  if (outputs) {
    const parts = outputs.places.map((place, i) => {
      const part = add({ shape: [sizeOf(outputs.shapes[i]!)], type: 'float32' })
      after.push({ ...reshape(graph.outputs[place]!, part) })
      return part
    })
    const packed = add({ shape: [outputs.size], type: 'float32' })
    after.push({ op: 'Concat', inputs: parts, outputs: [packed], attrs: { axis: 0 } })
    border.outputs = [packed, ...graph.outputs.filter((_, place) => !outputs.places.includes(place))]
  }
  return {
    graph: { values: graph.values, nodes: [...before, ...graph.nodes, ...after], ...border },
    packing: { inputs, outputs },
  }
}

/** The names that remain of a border, the joined array's first. */
export function packNames(names: readonly string[], packed: Packed | undefined, joined: string): readonly string[] {
  return packed ? [joined, ...names.filter((_, place) => !packed.places.includes(place))] : names
}

/** Lays the small arrays end to end in `buffer`. */
export function packArrays<T extends RuntimeArray | DeviceArray>(
  arrays: readonly T[],
  packed: Packed | undefined,
  buffer: Float32Array,
): readonly (T | RuntimeArray)[] {
  if (!packed) return arrays
  const rest: (T | RuntimeArray)[] = [{ dtype: 'float32', shape: [packed.size], data: buffer }]
  let offset = 0
  let next = 0
  for (let i = 0; i < arrays.length; i++) {
    const array = arrays[i]!
    if (packed.places[next] === i) {
      const data = array.data as RuntimeArray['data']
      buffer.set(data, offset)
      offset += data.length
      next++
    } else rest.push(array)
  }
  return rest
}

/** Takes results apart again; every array owns its numbers. */
export function unpackArrays(results: readonly RuntimeArray[], packed: Packed): RuntimeArray[] {
  const { data } = results[0]!
  const arrays: RuntimeArray[] = []
  let offset = 0
  let next = 0
  let other = 1
  for (let i = 0; i < results.length - 1 + packed.places.length; i++) {
    if (packed.places[next] === i) {
      const shape = packed.shapes[next++]!
      const size = sizeOf(shape)
      arrays.push({ dtype: 'float32', shape: [...shape], data: data.slice(offset, offset + size) })
      offset += size
    } else arrays.push(results[other++]!)
  }
  return arrays
}

function choose(ids: readonly number[], graph: Graph): Packed | undefined {
  const places = ids.flatMap((id, place) => {
    const { type, shape } = graph.values[id]!
    const size = sizeOf(shape)
    return type === 'float32' && size > 0 && size <= SMALL ? [place] : []
  })
  if (places.length < 2) return undefined
  const shapes = places.map((place) => graph.values[ids[place]!]!.shape)
  return { places, shapes, size: shapes.reduce((sum, shape) => sum + sizeOf(shape), 0) }
}
