/** Element types inside a graph; `int64` only for shapes, axes and indices. */
export type ElementType = 'float32' | 'int32' | 'bool' | 'int64'

/** Constant data; `int64` values are kept as doubles, which every index fits. */
export type ConstantData = Float32Array | Int32Array | Uint8Array | Float64Array

/** One tensor of the graph, with its static shape; `data` where it is a constant. */
export interface Value {
  readonly id: number
  readonly shape: readonly number[]
  readonly type: ElementType
  readonly data?: ConstantData
}

/** An attribute; numbers are integers unless the attribute's name says otherwise (see the writer). */
export type AttributeValue = number | string | readonly number[]

/** One ONNX operation. An input of -1 is an omitted optional one. */
export interface GraphNode {
  readonly op: string
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  readonly attrs: Readonly<Record<string, AttributeValue>>
}

/** A graph of ONNX operations in topological order. */
export interface Graph {
  readonly values: Value[]
  nodes: GraphNode[]
  readonly inputs: readonly number[]
  outputs: number[]
}

export function sizeOf(shape: readonly number[]): number {
  let size = 1
  for (const dim of shape) size *= dim
  return size
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i])
}

/** The shape of an elementwise result, by the broadcasting rule that tfjs, NumPy and ONNX share. */
export function broadcastShapes(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length)
  const shape = new Array<number>(rank)
  for (let i = 0; i < rank; i++) {
    const x = a[i - rank + a.length] ?? 1
    const y = b[i - rank + b.length] ?? 1
    shape[i] = x === 1 ? y : x
  }
  return shape
}

/** Adds operations to a graph. Every method infers the shape of its result, so lowerings stay short. */
export class GraphBuilder {
  readonly values: Value[] = []
  readonly nodes: GraphNode[] = []
  readonly #scalars = new Map<string, Value>()

  value(shape: readonly number[], type: ElementType, data?: ConstantData): Value {
    const value: Value = { id: this.values.length, shape, type, ...(data ? { data } : {}) }
    this.values.push(value)
    return value
  }

  /** A constant tensor; one that is the same number everywhere is kept as a number that is expanded. */
  constant(data: ConstantData, shape: readonly number[], type: ElementType): Value {
    if (data.length > 1 && type !== 'int64') {
      const first = data[0]!
      if (data.every((x) => Object.is(x, first))) return this.expand(this.scalar(first, type), shape)
    }
    return this.value(shape, type, data)
  }

  scalar(x: number, type: ElementType): Value {
    const key = `${type}:${Object.is(x, -0) ? '-0' : x}`
    let value = this.#scalars.get(key)
    if (!value) {
      value = this.value([], type, typedArray(type, [x]))
      this.#scalars.set(key, value)
    }
    return value
  }

  /** The same number in every element of a shape. */
  fill(x: number, shape: readonly number[], type: ElementType): Value {
    return this.expand(this.scalar(x, type), shape)
  }

  /** Integers for axes, shapes and indices. */
  ints(list: readonly number[]): Value {
    const key = `ints:${list.join(',')}`
    let value = this.#scalars.get(key)
    if (!value) {
      value = this.value([list.length], 'int64', Float64Array.from(list))
      this.#scalars.set(key, value)
    }
    return value
  }

  /** Adds one operation with one result. */
  add(
    op: string,
    inputs: readonly (Value | undefined)[],
    shape: readonly number[],
    type: ElementType,
    attrs: Readonly<Record<string, AttributeValue>> = {},
  ): Value {
    const output = this.value(shape, type)
    this.nodes.push({ op, inputs: inputs.map((input) => input?.id ?? -1), outputs: [output.id], attrs })
    return output
  }

  /** Adds one operation with several results. */
  addMany(
    op: string,
    inputs: readonly (Value | undefined)[],
    results: readonly { readonly shape: readonly number[]; readonly type: ElementType }[],
    attrs: Readonly<Record<string, AttributeValue>> = {},
  ): Value[] {
    const outputs = results.map(({ shape, type }) => this.value(shape, type))
    this.nodes.push({ op, inputs: inputs.map((input) => input?.id ?? -1), outputs: outputs.map((o) => o.id), attrs })
    return outputs
  }

  unary(op: string, x: Value, attrs: Readonly<Record<string, AttributeValue>> = {}): Value {
    return this.add(op, [x], x.shape, x.type, attrs)
  }

  binary(op: string, a: Value, b: Value): Value {
    return this.add(op, [a, b], broadcastShapes(a.shape, b.shape), a.type)
  }

  compare(op: string, a: Value, b: Value): Value {
    return this.add(op, [a, b], broadcastShapes(a.shape, b.shape), 'bool')
  }

  where(condition: Value, a: Value, b: Value): Value {
    const shape = broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape))
    return this.add('Where', [condition, a, b], shape, a.type)
  }

  cast(x: Value, type: ElementType): Value {
    return x.type === type ? x : this.add('Cast', [x], x.shape, type, { to: ONNX_TYPE[type] })
  }

  reshape(x: Value, shape: readonly number[]): Value {
    // Zero means "copy this dimension" in ONNX unless allowzero is set.
    const attrs = shape.includes(0) ? { allowzero: 1 } : {}
    return sameShape(x.shape, shape) ? x : this.add('Reshape', [x, this.ints(shape)], shape, x.type, attrs)
  }

  expand(x: Value, shape: readonly number[]): Value {
    return sameShape(x.shape, shape) ? x : this.add('Expand', [x, this.ints(shape)], shape, x.type)
  }

  transpose(x: Value, perm: readonly number[]): Value {
    if (perm.every((axis, i) => axis === i)) return x
    return this.add(
      'Transpose',
      [x],
      perm.map((axis) => x.shape[axis]!),
      x.type,
      { perm },
    )
  }

  slice(
    x: Value,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[],
    steps?: number[],
  ): Value {
    const shape = [...x.shape]
    axes.forEach((axis, i) => {
      shape[axis] = Math.max(0, Math.ceil((ends[i]! - starts[i]!) / (steps?.[i] ?? 1)))
    })
    // A reversed slice that includes element 0 ends before it: ONNX writes that as a very negative end.
    const bounds = ends.map((end, i) => (end < 0 && (steps?.[i] ?? 1) < 0 ? -0x7fffffff : end))
    const inputs = [x, this.ints(starts), this.ints(bounds), this.ints(axes), ...(steps ? [this.ints(steps)] : [])]
    return this.add('Slice', inputs, shape, x.type)
  }

  concat(parts: readonly Value[], axis: number): Value {
    if (parts.length === 1) return parts[0]!
    const shape = [...parts[0]!.shape]
    shape[axis] = parts.reduce((sum, part) => sum + part.shape[axis]!, 0)
    return this.add('Concat', parts, shape, parts[0]!.type, { axis })
  }

  /** Any `Reduce…`; no axes means that nothing is reduced. */
  reduce(op: string, x: Value, axes: readonly number[], keepDims: boolean): Value {
    if (axes.length === 0) return x
    const shape = keepDims
      ? x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim))
      : x.shape.filter((_, i) => !axes.includes(i))
    return this.add(op, [x, this.ints(axes)], shape, x.type, { keepdims: keepDims ? 1 : 0 })
  }

  matmul(a: Value, b: Value): Value {
    const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2))
    return this.add('MatMul', [a, b], [...batch, a.shape.at(-2)!, b.shape.at(-1)!], a.type)
  }

  /** Swaps the last two axes. */
  swap(x: Value): Value {
    const rank = x.shape.length
    return this.transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2])
  }

  pad(x: Value, paddings: readonly (readonly [number, number])[], fill = 0, mode = 'constant'): Value {
    if (paddings.every(([before, after]) => before === 0 && after === 0)) return x
    const shape = x.shape.map((dim, i) => dim + paddings[i]![0] + paddings[i]![1])
    const pads = this.ints([...paddings.map((pair) => pair[0]), ...paddings.map((pair) => pair[1])])
    return this.add('Pad', mode === 'constant' ? [x, pads, this.scalar(fill, x.type)] : [x, pads], shape, x.type, {
      mode,
    })
  }

  gather(x: Value, indices: Value, axis: number): Value {
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]
    return this.add('Gather', [x, indices], shape, x.type, { axis })
  }
}

/** Numbers of the element types in ONNX. */
export const ONNX_TYPE: Readonly<Record<ElementType, number>> = { float32: 1, int32: 6, int64: 7, bool: 9 }

export function typedArray(type: ElementType, from: readonly number[] | number): ConstantData {
  const Type =
    type === 'float32' ? Float32Array : type === 'int32' ? Int32Array : type === 'bool' ? Uint8Array : Float64Array
  return typeof from === 'number' ? new Type(from) : Type.from(from)
}
