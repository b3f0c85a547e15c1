import { arrayLeaf, decodeSafetensors, encodeSafetensors, hashTree, RegimenError } from '@regimen/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const text = (value: string) => [...new TextEncoder().encode(value)]

/** A file by hand: the length, the header, the data. */
function file(header: string, data: number[] = [], length = text(header).length): Uint8Array {
  const size = [...new Uint8Array(new BigUint64Array([BigInt(length)]).buffer)]
  return new Uint8Array([...size, ...text(header), ...data])
}

describe('safetensors', () => {
  it('writes the bytes that the format demands', () => {
    // The header is padded with spaces to a multiple of 8. 1.5 is 3fc00000, −2 is c0000000, little-endian.
    const header = '{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8)
    const expected = file(padded, [0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0])
    expect(encodeSafetensors({ w: arrayLeaf('float32', [1, 2], [1.5, -2]) })).toEqual(expected)
    expect(decodeSafetensors(expected)).toEqual({
      tensors: { w: arrayLeaf('float32', [1, 2], [1.5, -2]) },
      metadata: {},
    })
  })

  it('reads a file with metadata, another order and no padding', () => {
    const header =
      '{"__metadata__":{"format":"pt"},"b":{"dtype":"I16","shape":[],"data_offsets":[1,3]},"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}'
    const { tensors, metadata } = decodeSafetensors(file(header, [1, 0xfe, 0xff]))
    expect(metadata).toEqual({ format: 'pt' })
    expect(Object.keys(tensors)).toEqual(['b', 'a'])
    expect(tensors.a).toEqual(arrayLeaf('bool', [1], [1]))
    expect(tensors.b).toEqual(arrayLeaf('int16', [], [-2]))
  })

  it('gives back every dtype bit for bit, aligned', () => {
    const bits = new BigUint64Array([0x7ff8000000000123n, 0x8000000000000000n, 0x7ff0000000000001n])
    const tensors = {
      flag: arrayLeaf('bool', [3], [1, 0, 1]),
      f64: arrayLeaf('float64', [3], new Float64Array(bits.buffer)),
      f32: arrayLeaf('float32', [2], [Number.NaN, -0]),
      i64: arrayLeaf('int64', [1], [-(2n ** 63n)]),
      u64: arrayLeaf('uint64', [1], [2n ** 64n - 1n]),
      i32: arrayLeaf('int32', [1], [-1]),
      u32: arrayLeaf('uint32', [1], [2 ** 32 - 1]),
      i16: arrayLeaf('int16', [1], [-1]),
      u16: arrayLeaf('uint16', [1], [65535]),
      i8: arrayLeaf('int8', [1], [-1]),
      u8: arrayLeaf('uint8', [5], [1, 2, 3, 4, 5]),
      none: arrayLeaf('float64', [0, 3]),
      ümlaut: arrayLeaf('uint8', [], [7]),
    }
    const bytes = encodeSafetensors(tensors, { note: 'ü' })
    const back = decodeSafetensors(bytes)
    expect(hashTree(back.tensors)).toBe(hashTree(tensors))
    expect(back.metadata).toEqual({ note: 'ü' })
    expect(encodeSafetensors(back.tensors, back.metadata)).toEqual(bytes)
    expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0)
  })

  const tensor = (fields: string) => `{"w":{${fields}}}`
  it.each<[string, Uint8Array, string]>([
    ['no bytes', new Uint8Array(3), 'the file has 3 bytes'],
    ['a header longer than the file', file('{}', [], 99), 'the header ends at byte 107'],
    ['a header of exabytes', file('{}', [], 2 ** 60), 'the header claims'],
    ['no JSON', file('{w'), 'the header at byte 8 is not JSON'],
    ['bad UTF-8', new Uint8Array([...file('', [], 2), 0xff, 0xff]), 'the header at byte 8 is not JSON'],
    ['a list', file('[]'), 'must be a JSON object'],
    ['a leading space', file(' {}'), 'must be a JSON object'],
    ['metadata that is no text', file('{"__metadata__":{"a":1}}'), '__metadata__ must hold strings'],
    ['a tensor that is null', file('{"w":null}'), 'tensors.w must be an object'],
    ['an unknown dtype', file(tensor('"dtype":"BF16","shape":[1],"data_offsets":[0,2]'), [0, 0]), 'the dtype "BF16"'],
    ['a negative side', file(tensor('"dtype":"U8","shape":[-1],"data_offsets":[0,1]'), [0]), 'impossible shape'],
    [
      'too few bytes',
      file(tensor('"dtype":"F64","shape":[1],"data_offsets":[0,4]'), [0, 0, 0, 0]),
      'needs 8 bytes and has 4',
    ],
    ['an overflowing shape', file(tensor('"dtype":"U8","shape":[9e15,9e15],"data_offsets":[0,1]'), [0]), 'needs '],
    ['offsets past the end', file(tensor('"dtype":"U8","shape":[9],"data_offsets":[0,9]'), [0]), 'ends at byte 9'],
    [
      'offsets backwards',
      file(tensor('"dtype":"U8","shape":[1],"data_offsets":[1,0]'), [0]),
      'needs 1 bytes and has -1',
    ],
    ['three offsets', file(tensor('"dtype":"U8","shape":[1],"data_offsets":[0,1,1]'), [0]), 'impossible data_offsets'],
    ['a hole', file(tensor('"dtype":"U8","shape":[1],"data_offsets":[1,2]'), [0, 0]), 'starts at byte 1'],
    [
      'bytes left over',
      file(tensor('"dtype":"U8","shape":[1],"data_offsets":[0,1]'), [0, 0]),
      'the tensors end at byte',
    ],
    ['a bool of 2', file(tensor('"dtype":"BOOL","shape":[1],"data_offsets":[0,1]'), [2]), 'may hold only 0 and 1'],
    [
      'an overlap',
      file(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
        [0, 0],
      ),
      'tensors.b starts at byte 1 of the data and should start at 2',
    ],
  ])('refuses %s', (_, bytes, problem) => {
    expect(() => decodeSafetensors(bytes)).toThrow(problem)
    expect(() => decodeSafetensors(bytes)).toThrow(RegimenError)
  })

  it('refuses damaged bytes with its own error or reads them, and never fails otherwise', () => {
    const bytes = encodeSafetensors(
      { a: arrayLeaf('float32', [2], [1, 2]), b: arrayLeaf('bool', [2], [0, 1]) },
      { k: 'v' },
    )
    const edit = fc.record({ at: fc.nat(bytes.length - 1), value: fc.integer({ min: 0, max: 255 }) })
    let refused = 0
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(bytes.length), (edits, length) => {
        const damaged = bytes.slice(0, length)
        for (const { at, value } of edits) if (at < length) damaged[at] = value
        try {
          decodeSafetensors(damaged)
        } catch (error) {
          if (!(error instanceof RegimenError)) throw error
          refused++
        }
      }),
      { numRuns: process.env.REGIMEN_FULL === '1' ? 50_000 : 1_000, seed: 3 },
    )
    expect(refused).toBeGreaterThan(500)
  })

  it('refuses to write what no file can hold', () => {
    expect(() => encodeSafetensors({ __metadata__: arrayLeaf('int8', [0]) })).toThrow('cannot be called')
    const wrong = { dtype: 'float64', shape: [3], data: new Float64Array(2) } as const
    expect(() => encodeSafetensors({ wrong })).toThrow('tensors.wrong has shape [3] and needs 3 elements, got 2')
  })
})
