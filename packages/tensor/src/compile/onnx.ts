import { type AttributeValue, type Graph, ONNX_TYPE, type Value } from './graph.ts'

/** Version of ONNX's operator set that every lowering targets. */
export const OPSET = 18

const IR_VERSION = 8
const FLOAT_ATTRIBUTES = new Set(['alpha', 'beta', 'gamma', 'epsilon', 'bias', 'extrapolation_value', 'cubic_coeff_a'])

/** How the graph's borders are called in the file. */
export interface OnnxNames {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

/** Writes a graph as the bytes of an ONNX model (protocol buffers by hand: seven message types, one page). */
export function writeOnnx(graph: Graph, names: OnnxNames): Uint8Array<ArrayBuffer> {
  const nameOf = new Map<number, string>()
  graph.inputs.forEach((id, i) => {
    nameOf.set(id, names.inputs[i]!)
  })
  // A value may be an output twice, or an input or a constant as well: only the first such role can name it.
  const copies: { from: number; to: string }[] = []
  const produced = new Set(graph.nodes.flatMap((node) => node.outputs))
  graph.outputs.forEach((id, i) => {
    if (produced.has(id) && !nameOf.has(id)) nameOf.set(id, names.outputs[i]!)
    else copies.push({ from: id, to: names.outputs[i]! })
  })
  const name = (id: number): string => (id < 0 ? '' : (nameOf.get(id) ?? `v${id}`))

  const body = new Writer()
  const used = new Set<number>()
  for (const node of graph.nodes) {
    for (const input of node.inputs) used.add(input)
    writeNode(body, node.op, node.inputs.map(name), node.outputs.map(name), node.attrs)
  }
  for (const { from, to } of copies) {
    used.add(from)
    writeNode(body, 'Identity', [name(from)], [to], {})
  }
  body.string(2, 'regimen')
  for (const id of used) {
    const value = graph.values[id]
    if (value?.data) writeTensor(body, name(id), value)
  }
  graph.inputs.forEach((id, i) => {
    writeValueInfo(body, 11, names.inputs[i]!, graph.values[id]!)
  })
  graph.outputs.forEach((id, i) => {
    writeValueInfo(body, 12, names.outputs[i]!, graph.values[id]!)
  })

  const model = new Writer()
  model.int(1, IR_VERSION)
  model.string(2, '@regimen/tensor')
  model.bytes(7, body.finish())
  const opset = new Writer()
  opset.string(1, '')
  opset.int(2, OPSET)
  model.bytes(8, opset.finish())
  return model.finish()
}

function writeNode(
  body: Writer,
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attrs: Readonly<Record<string, AttributeValue>>,
): void {
  const node = new Writer(256)
  for (const input of inputs) node.string(1, input)
  for (const output of outputs) node.string(2, output)
  node.string(4, op)
  for (const [key, value] of Object.entries(attrs)) {
    const attribute = new Writer(64)
    attribute.string(1, key)
    if (typeof value === 'string') {
      attribute.string(4, value)
      attribute.int(20, 3)
    } else if (typeof value !== 'number') {
      for (const x of value) attribute.int(8, x)
      attribute.int(20, 7)
    } else if (FLOAT_ATTRIBUTES.has(key)) {
      attribute.float(2, value)
      attribute.int(20, 1)
    } else {
      attribute.int(3, value)
      attribute.int(20, 2)
    }
    node.bytes(5, attribute.finish())
  }
  body.bytes(1, node.finish())
}

function writeTensor(body: Writer, name: string, value: Value): void {
  const data = value.data!
  const raw =
    value.type === 'int64'
      ? new Uint8Array(BigInt64Array.from(data as Float64Array, (x) => BigInt(x)).buffer)
      : new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const tensor = new Writer(raw.length + 64)
  for (const dim of value.shape) tensor.int(1, dim)
  tensor.int(2, ONNX_TYPE[value.type])
  tensor.string(8, name)
  tensor.bytes(9, raw)
  body.bytes(5, tensor.finish())
}

/** A negative dimension is one of any size. */
function writeValueInfo(body: Writer, field: number, name: string, value: Value): void {
  const shape = new Writer(64)
  for (const dim of value.shape) {
    const dimension = new Writer(16)
    if (dim < 0) dimension.string(2, 'n')
    else dimension.int(1, dim)
    shape.bytes(1, dimension.finish())
  }
  const tensor = new Writer(64)
  tensor.int(1, ONNX_TYPE[value.type])
  tensor.bytes(2, shape.finish())
  const type = new Writer(64)
  type.bytes(1, tensor.finish())
  const info = new Writer(128)
  info.string(1, name)
  info.bytes(2, type.finish())
  body.bytes(field, info.finish())
}

const encoder = new TextEncoder()

/** A growing buffer that speaks the wire format of protocol buffers. */
class Writer {
  #bytes: Uint8Array<ArrayBuffer>
  #length = 0

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity)
  }

  int(field: number, value: number): void {
    this.#varint(field << 3)
    this.#varint(value)
  }

  float(field: number, value: number): void {
    this.#varint((field << 3) | 5)
    this.#raw(new Uint8Array(new Float32Array([value]).buffer))
  }

  string(field: number, value: string): void {
    this.bytes(field, encoder.encode(value))
  }

  bytes(field: number, value: Uint8Array): void {
    this.#varint((field << 3) | 2)
    this.#varint(value.length)
    this.#raw(value)
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length)
  }

  #varint(value: number): void {
    this.#reserve(10)
    if (value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value))
      while (rest > 127n) {
        this.#bytes[this.#length++] = Number(rest & 127n) | 128
        rest >>= 7n
      }
      this.#bytes[this.#length++] = Number(rest)
      return
    }
    let rest = value
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#length++] = rest
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#length + more, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}
