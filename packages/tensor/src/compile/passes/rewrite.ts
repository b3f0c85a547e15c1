import {
  type AttributeValue,
  type ElementType,
  type Graph,
  type GraphNode,
  sameShape,
  typedArray,
  type Value,
} from '../graph.ts'

/** What a rule says of an operation: the value that replaces its (only) result, or undefined to keep it. */
export type Rule = (node: GraphNode, rewriter: Rewriter) => number | undefined

/**
 * Walks a graph once, in order, replacing results of operations by other values. A rule sees inputs that earlier rules
 * have already replaced, and may add operations.
 */
export class Rewriter {
  readonly graph: Graph
  readonly #nodes: GraphNode[] = []
  readonly #producers: (GraphNode | undefined)[] = []
  readonly #alias: (number | undefined)[] = []
  readonly #constants = new Map<string, number>()

  constructor(graph: Graph) {
    this.graph = graph
  }

  run(rule: Rule): void {
    const { graph } = this
    for (const original of graph.nodes) {
      const node = this.#resolved(original)
      const replacement = rule(node, this)
      if (replacement === undefined) this.#emit(node)
      else this.#alias[node.outputs[0]!] = replacement
    }
    graph.nodes = this.#nodes
    graph.outputs = graph.outputs.map((id) => this.#alias[id] ?? id)
  }

  value(id: number): Value {
    return this.graph.values[id]!
  }

  /** The operation that computes a value; undefined for inputs and constants. */
  producer(id: number): GraphNode | undefined {
    return this.#producers[id]
  }

  /** Adds an operation with one result. */
  add(
    op: string,
    inputs: readonly number[],
    shape: readonly number[],
    type: ElementType,
    attrs: Readonly<Record<string, AttributeValue>> = {},
  ): number {
    const value: Value = { id: this.graph.values.length, shape, type }
    this.graph.values.push(value)
    this.#emit({ op, inputs, outputs: [value.id], attrs })
    return value.id
  }

  /** A constant: integers for shapes and axes, or one number. */
  ints(list: readonly number[]): number {
    return this.#constant(`i${list.join(',')}`, { shape: [list.length], type: 'int64', data: Float64Array.from(list) })
  }

  scalar(x: number, type: ElementType): number {
    return this.#constant(`${type}${Object.is(x, -0) ? '-0' : x}`, { shape: [], type, data: typedArray(type, [x]) })
  }

  /** A reshape that skips the one before it, and is none where the shape is right already. */
  reshape(id: number, shape: readonly number[]): number {
    if (sameShape(this.value(id).shape, shape)) return id
    const before = this.producer(id)
    if (before?.op === 'Reshape') return this.reshape(before.inputs[0]!, shape)
    const attrs = shape.includes(0) ? { allowzero: 1 } : {}
    return this.add('Reshape', [id, this.ints(shape)], shape, this.value(id).type, attrs)
  }

  #constant(key: string, constant: Omit<Value, 'id'>): number {
    let id = this.#constants.get(key)
    if (id === undefined) {
      id = this.graph.values.length
      this.graph.values.push({ id, ...constant })
      this.#constants.set(key, id)
    }
    return id
  }

  #emit(node: GraphNode): void {
    this.#nodes.push(node)
    for (const id of node.outputs) this.#producers[id] = node
  }

  #resolved(node: GraphNode): GraphNode {
    if (!node.inputs.some((id) => id >= 0 && this.#alias[id] !== undefined)) return node
    return { ...node, inputs: node.inputs.map((id) => (id < 0 ? id : (this.#alias[id] ?? id))) }
  }
}
