import {
  arrayLeaf,
  createSnapshot,
  decodeSnapshot,
  encodeSnapshot,
  hashBytes,
  hashSnapshot,
  hashTree,
  RegimenError,
  type Snapshot,
  snapshotFromJson,
  snapshotToJson,
  type Tree,
} from '@regimen/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32, portableCrc32 } from '../src/snapshot/crc32.ts'

// A quiet NaN with payload 0x123, a signalling one, and a negative one: numbers that a copy through `number` may change.
const oddFloats = new Float64Array(
  new BigUint64Array([0x7ff8000000000123n, 0x7ff0000000000001n, 0xfff8000000000000n, 0x8000000000000000n]).buffer,
)
const oddSingles = new Float32Array(
  new Uint32Array([0x7fc00001, 0x7f800001, 0xffc00000, 0x80000000, 0x00000001]).buffer,
)

const example = createSnapshot({
  id: 'example/everything',
  version: 3,
  config: { kind: 'all', rate: 0.1, 'odd key': null, $dollar: true, $$two: 'x', nothing: [], empty: {} },
  state: {
    nan: Number.NaN,
    negativeZero: -0,
    infinity: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    huge: 2n ** 80n,
    lone: '\ud800 lone surrogate, \u{1f600}, \0',
    floats: arrayLeaf('float64', [2, 2], oddFloats),
    singles: arrayLeaf('float32', [5], oddSingles),
    longs: arrayLeaf('int64', [2], [-(2n ** 63n), 2n ** 63n - 1n]),
    unsigned: arrayLeaf('uint64', [1], [2n ** 64n - 1n]),
    flags: arrayLeaf('bool', [3], [1, 0, 1]),
    bytes: arrayLeaf('uint8', [3], [0, 128, 255]),
    small: arrayLeaf('int8', [2], [-128, 127]),
    shorts: arrayLeaf('int16', [2], [-32768, 32767]),
    ushorts: arrayLeaf('uint16', [1], [65535]),
    ints: arrayLeaf('int32', [1], [-(2 ** 31)]),
    uints: arrayLeaf('uint32', [1], [2 ** 32 - 1]),
    none: arrayLeaf('float64', [0, 7]),
    scalar: arrayLeaf('float64', [], [5e-324]),
  },
  children: {
    inner: createSnapshot({ id: 'example/inner', version: 1, config: {}, state: { w: arrayLeaf('int32', [1], [7]) } }),
  },
})

function bits(snapshot: Snapshot, name: string): string[] {
  const leaf = (snapshot.state as { [key: string]: { data: ArrayBufferView } })[name]!
  const bytes = new Uint8Array(leaf.data.buffer, leaf.data.byteOffset, leaf.data.byteLength)
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0'))
}

function code(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof RegimenError) return error.code
    throw error
  }
  return 'no error'
}

describe.each([
  ['binary', (snapshot: Snapshot) => decodeSnapshot(encodeSnapshot(snapshot))],
  ['JSON', (snapshot: Snapshot) => snapshotFromJson(snapshotToJson(snapshot))],
])('the %s form', (_, roundTrip) => {
  it('gives back every kind of leaf bit for bit', () => {
    const copy = roundTrip(example)
    expect(copy).toEqual(example)
    expect(hashSnapshot(copy)).toBe(hashSnapshot(example))
    for (const name of ['floats', 'singles', 'longs', 'unsigned', 'flags', 'scalar']) {
      expect(bits(copy, name)).toEqual(bits(example, name))
    }
    // The first float, little-endian: payload 0x0123 first, exponent 0x7ff8 last.
    expect(bits(copy, 'floats').slice(0, 8)).toEqual(['23', '01', '00', '00', '00', '00', 'f8', '7f'])
    expect(bits(copy, 'floats').slice(8, 16)).toEqual(['01', '00', '00', '00', '00', '00', 'f0', '7f'])
    expect(bits(copy, 'singles').slice(4, 8)).toEqual(['01', '00', '80', '7f'])
    expect(Object.is((copy.state as { negativeZero: number }).negativeZero, -0)).toBe(true)
  })

  it('keeps the order of keys, which a search space may rely on', () => {
    const ordered = createSnapshot({ id: 'a/b', version: 1, config: { zeta: 1, alpha: 2, mid: 3 }, state: null })
    expect(Object.keys(roundTrip(ordered).config as object)).toEqual(['zeta', 'alpha', 'mid'])
  })

  it('does not alias the original', () => {
    const weights = arrayLeaf('float64', [1], [1])
    const copy = roundTrip(createSnapshot({ id: 'a/b', version: 1, config: {}, state: { weights } }))
    weights.data[0] = 2
    expect((copy.state as { weights: typeof weights }).weights.data[0]).toBe(1)
  })

  it('gives back any tree', () => {
    fc.assert(
      fc.property(anyTree, (state) => {
        const snapshot = createSnapshot({ id: 'a/b', version: 1, config: {}, state })
        const copy = roundTrip(snapshot)
        expect(copy).toEqual(snapshot)
        expect(hashSnapshot(copy)).toBe(hashSnapshot(snapshot))
      }),
      { numRuns: 300, seed: 1 },
    )
  })

  it('survives a key called __proto__', () => {
    const state = JSON.parse('{"__proto__": {"polluted": 1}}') as Tree
    const copy = roundTrip(createSnapshot({ id: 'a/b', version: 1, config: {}, state })).state as object
    expect(Object.keys(copy)).toEqual(['__proto__'])
    expect('polluted' in {}).toBe(false)
  })
})

const float64Leaf = fc
  .uint8Array({ maxLength: 64 })
  .map((bytes) => new Float64Array(bytes.slice(0, bytes.length & ~7).buffer))
  .map((data): Tree => arrayLeaf('float64', [data.length], data))
const float32Leaf = fc
  .uint8Array({ maxLength: 64 })
  .map((bytes) => new Float32Array(bytes.slice(0, bytes.length & ~3).buffer))
  .map((data): Tree => arrayLeaf('float32', [data.length], data))
const anyTree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.string({ unit: 'binary' }),
    fc.bigInt(),
    float64Leaf,
    float32Leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.string({ maxLength: 3 }), tie('tree'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).tree

describe('damaged bytes', () => {
  const bytes = encodeSnapshot(example)
  const original = hashSnapshot(example)

  it('cut anywhere are an error', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(code(() => decodeSnapshot(bytes.subarray(0, length)))).toBe('CORRUPT_SNAPSHOT')
    }
    expect(code(() => decodeSnapshot(new Uint8Array([...bytes, 0])))).toBe('CORRUPT_SNAPSHOT')
  })

  it('with one bit flipped anywhere are an error', () => {
    for (let byte = 0; byte < bytes.length; byte++) {
      const damaged = bytes.slice()
      damaged[byte]! ^= 1 << (byte % 8)
      expect(
        code(() => decodeSnapshot(damaged)),
        `byte ${byte}`,
      ).not.toBe('no error')
    }
  })

  it('of any kind are an error or the same snapshot, and never anything else', () => {
    const edit = fc.record({ at: fc.nat(bytes.length - 1), value: fc.integer({ min: 0, max: 255 }) })
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 8 }), (edits) => {
        const damaged = bytes.slice()
        for (const { at, value } of edits) damaged[at] = value
        let decoded: Snapshot | undefined
        if (code(() => (decoded = decodeSnapshot(damaged))) === 'no error')
          expect(hashSnapshot(decoded!)).toBe(original)
      }),
      { numRuns: process.env.REGIMEN_FULL === '1' ? 100_000 : 2_000, seed: 2 },
    )
  })

  it('name the offset and the array', () => {
    const damaged = bytes.slice()
    damaged[damaged.length - 8] = 99
    const header = new DataView(bytes.buffer).getUint32(12, true)
    expect(header % 8).toBe(0)
    // The last array is children.inner.state.w: 4 bytes, padded to 8, at the very end.
    const at = bytes.length - 8
    expect(() => decodeSnapshot(damaged)).toThrow(
      `children.inner.state.w at bytes ${at} to ${at + 4} does not match its checksum.`,
    )
    expect(() => decodeSnapshot(bytes.subarray(0, 100))).toThrow(
      `The bytes end at 100 and should go on to ${bytes.length}.`,
    )
    expect(() => decodeSnapshot(new TextEncoder().encode('{"json": true}'))).toThrow('Byte 0 is no part')
  })

  it('of a newer format say so', () => {
    expect(
      code(() => snapshotFromJson(snapshotToJson(example).replace('"formatVersion": 1', '"formatVersion": 2'))),
    ).toBe('SNAPSHOT_FORMAT')
  })
})

describe('JSON that is not a snapshot', () => {
  const text = (leaf: string) =>
    `{"format":"regimen-snapshot","formatVersion":1,"id":"a/b","version":1,"library":"","config":{},"children":{},"state":{"w":${leaf}}}`
  it.each([
    ['{"$array":"float99","shape":[1],"data":[1]}', 'state.w has the unknown dtype "float99"'],
    ['{"$array":"float64","shape":[-1],"data":[]}', 'state.w has the impossible shape'],
    ['{"$array":"float64","shape":[2],"data":[1]}', 'state.w of shape [2] needs a list of 2, got [1]'],
    ['{"$array":"int8","shape":[1],"data":[300]}', 'state.w[0] is no int8: 300'],
    ['{"$array":"bool","shape":[1],"data":[2]}', 'state.w[0] is no bool: 2'],
    ['{"$array":"int64","shape":[1],"data":["9223372036854775808"]}', 'state.w[0] is no int64'],
    ['{"$array":"float64","shape":[1],"data":["NaN:3ff0000000000000"]}', 'state.w[0] is no float64'],
    ['{"$array":"float64","shape":[1],"data":[null]}', 'state.w[0] is no float64: null'],
    ['{"$number":"1e5"}', 'state.w has the unknown tag "$number"'],
    ['{"$function":"f"}', 'state.w has the unknown tag "$function"'],
  ])('%s', (leaf, problem) => {
    expect(() => snapshotFromJson(text(leaf))).toThrow(problem)
  })

  it('names what is missing', () => {
    expect(() => snapshotFromJson('{')).toThrow('[core/snapshot] The text is not JSON')
    expect(() => snapshotFromJson('{}')).toThrow('"format" must be "regimen-snapshot"')
    expect(() => snapshotFromJson('{"format":"regimen-snapshot","formatVersion":1}')).toThrow('snapshot.id must be')
    expect(() => snapshotFromJson(text('['.repeat(1000) + ']'.repeat(1000)))).toThrow('nested more than')
  })
})

describe('createSnapshot', () => {
  const make = (state: unknown) => createSnapshot({ id: 'a/b', version: 1, config: {}, state: state as Tree })
  it.each([
    [{ f: () => 1 }, 'state.f is a function'],
    [{ a: [1, undefined] }, 'state.a[1] is undefined'],
    [{ m: { 'a b': new Map() } }, 'state.m["a b"] is an instance of Map'],
    [{ d: new Date(0) }, 'state.d is an instance of Date'],
    [{ w: new Float64Array(2) }, 'state.w is a bare Float64Array(2)'],
    [
      { w: { dtype: 'float64', shape: [3], data: new Float64Array(2) } },
      'state.w has shape [3] and needs 3 elements, got 2',
    ],
    [{ w: { dtype: 'float64', shape: [2], data: new Float32Array(2) } }, 'state.w is float64 and needs a Float64Array'],
    [{ w: { dtype: 'bool', shape: [1], data: new Uint8Array([2]) } }, 'state.w is bool and may hold only 0 and 1'],
  ])('refuses %o', (state, problem) => {
    expect(() => make(state)).toThrow(problem)
  })

  it('refuses a circular state', () => {
    const loop: { self?: unknown } = {}
    loop.self = loop
    expect(() => make(loop)).toThrow('circular')
  })
})

it('hashBytes is sha-256', () => {
  // FIPS 180-4, example B.1.
  expect(hashBytes(new TextEncoder().encode('abc'))).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  )
})

describe('crc32', () => {
  it('is the published check value, and the same in plain JavaScript as in Node', () => {
    for (const crc of [crc32, portableCrc32]) expect(crc(new TextEncoder().encode('123456789'))).toBe(0xcbf43926)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(crc32(bytes)).toBe(portableCrc32(bytes))
      }),
      { seed: 1 },
    )
  })
})

describe('hashTree', () => {
  it('is the sha-256 of the documented canonical bytes', () => {
    // printf '{"a":{"$array":"uint8","shape":[2]},"b":1}\0\001\002' | sha256sum
    expect(hashTree({ b: 1, a: arrayLeaf('uint8', [2], [1, 2]) })).toBe(
      '320d004a2a48439aa171045fb6a1bcfbbfc86459fd6879073a90d541c9579e0b',
    )
  })

  it('does not depend on the order in which keys were set', () => {
    const keys = ['b', '10', 'a', '9', '\u{1f600}', '\uffff', '__proto__x', '$', '']
    const build = (order: readonly string[]): Tree => Object.fromEntries(order.map((key) => [key, key.length]))
    expect(hashTree(build(keys))).toBe(hashTree(build([...keys].reverse())))
  })

  it('tells apart what differs by a bit, a dtype, a shape or a place', () => {
    const trees: Tree[] = [
      arrayLeaf('float64', [1], [0]),
      arrayLeaf('float64', [1], [-0]),
      arrayLeaf('int64', [1], [0n]),
      arrayLeaf('float64', [1, 1], [0]),
      arrayLeaf('float32', [2], [0, 0]),
      arrayLeaf('bool', [1], [0]),
      arrayLeaf('uint8', [1], [0]),
      arrayLeaf('float64', [4], oddFloats),
      arrayLeaf('float64', [4], [Number.NaN, Number.NaN, Number.NaN, -0]),
      [0],
      0,
      -0,
      '0',
      0n,
      null,
      false,
      [],
      {},
      [[], []],
      [[[]]],
      { $number: '-0' },
      { a: 1 },
      { a: { $array: 'uint8', shape: [1] } },
    ]
    expect(new Set(trees.map(hashTree)).size).toBe(trees.length)
  })

  it('covers all of a snapshot but the library, in children too', () => {
    const older = { ...example, library: '0', children: { inner: { ...example.children.inner!, library: '0' } } }
    expect(hashSnapshot(older)).toBe(hashSnapshot(example))
    for (const changed of [{ id: 'x/y' }, { version: 4 }, { config: {} }, { state: {} }, { children: {} }]) {
      expect(hashSnapshot({ ...example, ...changed })).not.toBe(hashSnapshot(example))
    }
  })
})
