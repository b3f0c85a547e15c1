/**
 * Bytes of WebAssembly, in any nesting, so that putting code together copies nothing: only what the kernels need of the format
 * (WebAssembly Core 2.0, chapter 5).
 */
export type Code = number | readonly Code[]

const I32 = 0x7f
const V128 = 0x7b

/** A function of two 32-bit numbers, the first and the last byte of its rows, with vectors as its other locals. */
export interface KernelFunction {
  readonly vectors: number
  readonly body: Code
}

/** An unsigned number, seven bits at a time. */
export function unsigned(value: number): number[] {
  const out: number[] = []
  let rest = value
  do {
    const byte = rest % 128
    rest = Math.floor(rest / 128)
    out.push(rest > 0 ? byte + 128 : byte)
  } while (rest > 0)
  return out
}

export const get = (local: number): Code => [0x20, unsigned(local)]
export const set = (local: number): Code => [0x21, unsigned(local)]
export const tee = (local: number): Code => [0x22, unsigned(local)]
export const simd = (operation: number): Code => [0xfd, unsigned(operation)]
/** A small constant from 0 to 63. */
export const small = (value: number): Code => [0x41, value]
export const shiftLeft: Code = 0x74

/** Access to memory `offset` bytes beyond the address on the stack. */
const at = (offset: number): Code => [0, unsigned(offset)]
export const loadVector = (offset: number): Code => [simd(0x00), at(offset)]
export const storeVector = (offset: number): Code => [simd(0x0b), at(offset)]
/** One number into the first lane, the other is 0; and one into the second lane of the vector on the stack. */
export const loadFirst = (offset: number): Code => [simd(0x5d), at(offset)]
export const loadSecond = (offset: number): Code => [simd(0x57), at(offset), 1]
export const byteOf = (lane: number): Code => [simd(0x16), lane]

/** Both lanes the same 64 bits. */
export function vector(low: number, high: number): Code {
  const bytes = [0, 8, 16, 24].map((shift) => (low >>> shift) & 255)
  const rest = [0, 8, 16, 24].map((shift) => (high >>> shift) & 255)
  return [simd(0x0c), bytes, rest, bytes, rest]
}

/** The exponents in the high words (as integers times 2^20) of both lanes, as floating-point numbers. */
export const exponents = (): Code => [
  small(20),
  simd(0xac),
  vector(0, 0),
  simd(0x0d),
  ...[4, 5, 6, 7, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16],
  simd(0xfe),
]

/** The first vector where any lane of the mask is set, else the second. */
export const either = (mask: Code, first: Code, second: Code): Code => [
  mask,
  simd(0x53),
  ...[0x04, V128],
  first,
  0x05,
  second,
  0x0b,
]

/** Repeats the body for every two rows: local 0 runs in steps of 16 bytes until it reaches local 1. */
export function rows(body: Code): Code {
  return [0x03, 0x40, body, get(0), small(16), 0x6a, tee(0), get(1), 0x49, 0x0d, 0, 0x0b]
}

/** The bytes of a module that imports its memory as `env.memory` and exports its functions as `0`, `1`, … */
export function assemble(functions: readonly KernelFunction[]): Uint8Array<ArrayBuffer> {
  const sized = (content: Code): Code => {
    const bytes = flatten(content)
    return [unsigned(bytes.length), bytes]
  }
  const section = (id: number, content: Code): Code => [id, sized(content)]
  const list = (items: readonly Code[]): Code => [unsigned(items.length), items]
  const name = (text: string): Code => list(Array.from(text, (c) => c.charCodeAt(0)))
  const code = functions.map(({ vectors, body }) => sized([list([[unsigned(vectors), V128]]), body, 0x0b]))
  return Uint8Array.from(
    flatten([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, list([[0x60, list([I32, I32]), 0]])),
      section(2, list([[name('env'), name('memory'), 2, 0, 1]])),
      section(3, list(functions.map(() => 0))),
      section(7, list(functions.map((_, k) => [name(String(k)), 0, unsigned(k)]))),
      section(10, list(code)),
    ]),
  )
}

function flatten(code: Code, out: number[] = []): number[] {
  if (typeof code === 'number') out.push(code)
  else for (const part of code) flatten(part, out)
  return out
}
