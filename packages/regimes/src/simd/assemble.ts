/** Instructions of a function's body. */
export type Code = number[]

/** One exported function: every parameter is an i32, nothing is returned. */
export interface FunctionSource {
  readonly name: string
  readonly parameters: number
  /** Further i32 locals; they follow the parameters. */
  readonly integers: number
  /** v128 locals; they follow the integers. */
  readonly vectors: number
  readonly body: Code
}

/** Encodes an unsigned integer (LEB128). */
export function unsigned(value: number): Code {
  const out: Code = []
  let rest = value
  while (rest >= 128) {
    out.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  out.push(rest)
  return out
}

function signed(value: number): Code {
  const out: Code = []
  let rest = value
  while (rest < -64 || rest > 63) {
    out.push((rest & 127) | 128)
    rest >>= 7
  }
  out.push(rest & 127)
  return out
}

const get = (local: number): Code => [0x20, ...unsigned(local)]
const vector = (op: number): Code => [0xfd, ...unsigned(op)]

/** Instructions without an operand of their own. */
type Plain =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'larger'
  | 'smaller'
  | 'nearest'
  | 'less'
  | 'greater'
  | 'and'
  | 'select'
  | 'addIntegers'
  | 'shiftLeft'

/** What the kernels are made of. Addresses are i32 locals, offsets bytes. */
export interface Operations extends Readonly<Record<Plain, Code>> {
  get(local: number): Code
  set(local: number): Code
  integer(value: number): Code
  /** local += step. */
  advance(local: number, step: number): Code
  /** local = from + offset. */
  point(local: number, from: number, offset: number): Code
  /** Runs the body, then goes on while local < limit, an i32 local. */
  loop(local: number, limit: number, body: Code): Code
  load(address: number, offset?: number): Code
  /** One number in both lanes. */
  splat(address: number, offset?: number): Code
  /** Stores what `value` pushes. */
  store(address: number, value: Code, offset?: number): Code
  constant(value: number): Code
  /** The f64 at address + offset += the sum of a local's lanes. */
  addLanes(address: number, offset: number, local: number): Code
}

/** The instructions by what they do. */
export const op: Operations = {
  get,
  set: (local: number): Code => [0x21, ...unsigned(local)],
  integer: (value: number): Code => [0x41, ...signed(value)],
  advance: (local: number, step: number): Code => [...get(local), 0x41, ...signed(step), 0x6a, ...op.set(local)],
  point: (local: number, from: number, offset: number): Code => [
    ...get(from),
    0x41,
    ...signed(offset),
    0x6a,
    ...op.set(local),
  ],
  loop: (local: number, limit: number, body: Code): Code => [
    0x03,
    0x40,
    ...body,
    ...get(local),
    ...get(limit),
    0x49,
    0x0d,
    0,
    0x0b,
  ],
  load: (address, offset = 0) => [...get(address), ...vector(0x00), 3, ...unsigned(offset)],
  splat: (address, offset = 0) => [...get(address), ...vector(0x0a), 3, ...unsigned(offset)],
  store: (address: number, value: Code, offset = 0): Code => [
    ...get(address),
    ...value,
    ...vector(0x0b),
    3,
    ...unsigned(offset),
  ],
  constant: (value: number): Code => [...vector(0x0c), ...lanes(value), ...lanes(value)],
  add: vector(0xf0),
  sub: vector(0xf1),
  mul: vector(0xf2),
  div: vector(0xf3),
  /** b where a < b, else a. */
  larger: vector(0xf7),
  /** b where b < a, else a. */
  smaller: vector(0xf6),
  nearest: vector(0x94),
  less: vector(0x49),
  greater: vector(0x4a),
  and: vector(0x4e),
  /** (a & mask) | (b & ~mask). */
  select: vector(0x52),
  addIntegers: vector(0xce),
  shiftLeft: vector(0xcb),
  addLanes: (address: number, offset: number, local: number): Code => [
    ...get(address),
    ...get(address),
    0x2b,
    3,
    ...unsigned(offset),
    ...get(local),
    ...vector(0x21),
    0,
    0xa0,
    ...get(local),
    ...vector(0x21),
    1,
    0xa0,
    0x39,
    3,
    ...unsigned(offset),
  ],
}

function lanes(value: number): Code {
  return Array.from(new Uint8Array(Float64Array.of(value).buffer))
}

/**
 * Assembles a WebAssembly module that imports one memory and exports the functions. The kernels are small, unrolled for the
 * number of columns, and two rows wide; V8 compiles them within a millisecond.
 */
export function assemble(functions: readonly FunctionSource[]): Uint8Array<ArrayBuffer> {
  const section = (id: number, body: Code): Code => [id, ...unsigned(body.length), ...body]
  const name = (text: string): Code => [text.length, ...Array.from(text, (c) => c.charCodeAt(0))]
  const many = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()]
  const types = functions.map((f) => [
    0x60,
    ...unsigned(f.parameters),
    ...new Array<number>(f.parameters).fill(0x7f),
    0,
  ])
  const bodies = functions.map((f) => {
    const code = [2, ...unsigned(f.integers), 0x7f, ...unsigned(f.vectors), 0x7b, ...f.body, 0x0b]
    return [...unsigned(code.length), ...code]
  })
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, many(types)),
    ...section(2, many([[...name('e'), ...name('m'), 2, 0, 0]])),
    ...section(3, many(functions.map((_, i) => unsigned(i)))),
    ...section(7, many(functions.map((f, i) => [...name(f.name), 0, ...unsigned(i)]))),
    ...section(10, many(bodies)),
  ])
}

const modules = new Map<string, WebAssembly.Module | undefined>()

/**
 * Compiles and opens a module once for each key; undefined where the platform forbids or lacks WebAssembly SIMD, so that the
 * caller falls back to plain code.
 */
export function openModule(
  key: string,
  source: () => readonly FunctionSource[],
  bytes: number,
): { memory: ArrayBuffer; call: { readonly [name: string]: (...integers: number[]) => void } } | undefined {
  if (!modules.has(key)) modules.set(key, compileModule(source))
  const compiled = modules.get(key)
  if (compiled === undefined) return undefined
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) })
  const { exports } = new WebAssembly.Instance(compiled, { e: { m: memory } })
  return { memory: memory.buffer, call: exports as { [name: string]: (...integers: number[]) => void } }
}

function compileModule(source: () => readonly FunctionSource[]): WebAssembly.Module | undefined {
  if (typeof WebAssembly === 'undefined') return undefined
  try {
    return new WebAssembly.Module(assemble(source()))
  } catch {
    // A content security policy, or an engine without SIMD.
    return undefined
  }
}
