import { type Code, type FunctionSource, op } from '../simd/assemble.ts'

/** Rows in a block. */
export const BLOCK = 128

const STEP = 8 * BLOCK

/** Where the arrays of a block lie in memory, in bytes, and how long a component's parts are, in numbers. */
export interface Layout {
  readonly rows: number
  readonly work: number
  readonly top: number
  readonly sum: number
  readonly parameters: number
  readonly sums: number
  readonly scratch: number
  readonly bytes: number
  readonly parameterSize: number
  readonly sumSize: number
}

/** Lays out a block of k components in d columns. */
export function layoutOf(k: number, d: number, diagonal: boolean): Layout {
  const products = diagonal ? d : (d * (d + 1)) / 2
  const parameterSize = d + products + 2
  const sumSize = 1 + d + products
  let at = 0
  const take = (bytes: number): number => {
    const from = at
    at += Math.ceil(bytes / 16) * 16
    return from
  }
  return {
    rows: take(d * STEP),
    work: take(k * STEP),
    top: take(STEP),
    sum: take(STEP),
    parameters: take(8 * k * parameterSize),
    sums: take(8 * k * sumSize),
    scratch: take(2 * d * STEP),
    bytes: at,
    parameterSize,
    sumSize,
  }
}

/** The three functions of a block, unrolled for d columns, two rows at a time. */
export function gaussianFunctions(d: number, diagonal: boolean): FunctionSource[] {
  return [evaluate(d, diagonal), softmax(), gather(d, diagonal)]
}

// Parameters: rows, their end, work, a component's parameters.
function evaluate(d: number, diagonal: boolean): FunctionSource {
  const [rows, end, work, component] = [0, 1, 2, 3]
  const diff = 4
  const y = diff + d
  const q = y + 1
  const products = diagonal ? d : (d * (d + 1)) / 2
  const body: Code = []
  for (let j = 0; j < d; j++)
    body.push(...op.load(rows, j * STEP), ...op.splat(component, 8 * j), ...op.sub, ...op.set(diff + j))
  for (let i = 0, at = d; i < d; i++) {
    for (let j = diagonal ? i : 0; j <= i; j++, at++) {
      const first = diagonal || j === 0
      if (!first) body.push(...op.get(y))
      body.push(...op.get(diff + j), ...op.splat(component, 8 * at), ...op.mul)
      if (!first) body.push(...op.add)
      body.push(...op.set(y))
    }
    body.push(...op.get(y), ...op.get(y), ...op.mul)
    if (i > 0) body.push(...op.get(q), ...op.add)
    body.push(...op.set(q))
  }
  const value = [
    ...op.splat(component, 8 * (d + products)),
    ...op.get(q),
    ...op.splat(component, 8 * (d + products + 1)),
    ...op.mul,
    ...op.add,
    ...op.constant(-1e300),
    ...op.larger,
  ]
  body.push(...op.store(work, value), ...op.advance(work, 16), ...op.advance(rows, 16))
  return { name: 'evaluate', parameters: 4, integers: 0, vectors: d + 2, body: op.loop(rows, end, body) }
}

// Parameters: work, the end of its first component, the end of its last, top, sum.
function softmax(): FunctionSource {
  const [work, end, last, top, sum, at] = [0, 1, 2, 3, 4, 5]
  const [best, total, x] = [6, 7, 8]
  const each = (body: Code): Code => [
    ...op.point(at, work, 0),
    ...op.loop(at, last, [...body, ...op.advance(at, STEP)]),
  ]
  const row = [
    ...op.load(work),
    ...op.set(best),
    ...each([...op.get(best), ...op.load(at), ...op.larger, ...op.set(best)]),
    ...op.constant(0),
    ...op.set(total),
    ...each([
      ...[...op.load(at), ...op.get(best), ...op.sub, ...op.set(x)],
      ...op.store(at, exponential(x, 9, 10)),
      ...[...op.load(at), ...op.get(total), ...op.add, ...op.set(total)],
    ]),
    ...[...op.constant(1), ...op.get(total), ...op.div, ...op.set(x)],
    ...each(op.store(at, [...op.load(at), ...op.get(x), ...op.mul])),
    ...op.store(top, op.get(best)),
    ...op.store(sum, op.get(total)),
    ...[...op.advance(work, 16), ...op.advance(last, 16), ...op.advance(top, 16), ...op.advance(sum, 16)],
  ]
  return { name: 'softmax', parameters: 5, integers: 1, vectors: 5, body: op.loop(work, end, row) }
}

/**
 * Pushes eˣ for x ≤ 0 (0 below −45): x = n ln 2 + r with |r| ≤ ln 2 / 2, the Taylor polynomial of eʳ to degree 13 (whose
 * remainder is below 5e-18), and n added to the exponent's bits.
 */
function exponential(x: number, n: number, r: number): Code {
  const code: Code = [...op.get(x), ...op.constant(Math.LOG2E), ...op.mul, ...op.nearest, ...op.set(n)]
  code.push(...op.get(x), ...op.get(n), ...op.constant(0.6931471803691238), ...op.mul, ...op.sub)
  code.push(...op.get(n), ...op.constant(1.9082149292705877e-10), ...op.mul, ...op.sub, ...op.set(r))
  let factorial = 6227020800
  code.push(...op.constant(1 / factorial))
  for (let degree = 12; degree >= 0; degree--) {
    factorial /= degree + 1
    code.push(...op.get(r), ...op.mul, ...op.constant(1 / factorial), ...op.add)
  }
  // Adding 1.5 · 2⁵² leaves n in the lowest bits.
  code.push(...op.get(n), ...op.constant(6755399441055744), ...op.add, ...op.integer(52), ...op.shiftLeft)
  code.push(...op.addIntegers, ...op.get(x), ...op.constant(-45), ...op.greater, ...op.and)
  return code
}

// Parameters: rows, their end, weights, a component's parameters, its sums, scratch of 2 d columns.
function gather(d: number, diagonal: boolean): FunctionSource {
  const [rows, end, weights, component, sums, scratch, at, stop] = [0, 1, 2, 3, 4, 5, 6, 7]
  const w = 8
  const first = 9
  const accumulators = first + d + 1
  const body: Code = []
  // Centred columns go to the scratch's first half, weighted ones to its second; the first moments stay in registers.
  for (let j = 0; j <= d; j++) body.push(...op.constant(0), ...op.set(first + j))
  const diff = accumulators
  const centre: Code = [
    ...op.load(weights),
    ...op.set(w),
    ...op.get(w),
    ...op.get(first + d),
    ...op.add,
    ...op.set(first + d),
  ]
  for (let j = 0; j < d; j++) {
    centre.push(...op.load(rows, j * STEP), ...op.splat(component, 8 * j), ...op.sub, ...op.set(diff))
    centre.push(...op.store(at, op.get(diff), j * STEP))
    centre.push(...op.get(diff), ...op.get(w), ...op.mul, ...op.set(diff))
    centre.push(...op.store(at, op.get(diff), (d + j) * STEP))
    centre.push(...op.get(diff), ...op.get(first + j), ...op.add, ...op.set(first + j))
  }
  centre.push(...op.advance(at, 16), ...op.advance(weights, 16), ...op.advance(rows, 16))
  body.push(...op.point(at, scratch, 0), ...op.loop(rows, end, centre))
  body.push(...op.addLanes(sums, 0, first + d))
  for (let j = 0; j < d; j++) body.push(...op.addLanes(sums, 8 * (1 + j), first + j))
  for (const tile of tiles(d, diagonal)) {
    const columns = [...new Set(tile.map(([, j]) => j))]
    const held = accumulators + tile.length
    const sweep: Code = []
    columns.forEach((j, o) => {
      sweep.push(...op.load(at, j * STEP), ...op.set(held + o))
    })
    let row = -1
    tile.forEach(([i, j], o) => {
      if (i !== row) sweep.push(...op.load(at, (d + i) * STEP), ...op.set(w))
      row = i
      sweep.push(...op.get(w), ...op.get(held + columns.indexOf(j)), ...op.mul)
      sweep.push(...op.get(accumulators + o), ...op.add, ...op.set(accumulators + o))
    })
    sweep.push(...op.advance(at, 16))
    tile.forEach((_, o) => {
      body.push(...op.constant(0), ...op.set(accumulators + o))
    })
    body.push(...op.point(at, scratch, 0), ...op.point(stop, scratch, STEP), ...op.loop(at, stop, sweep))
    tile.forEach(([i, j], o) => {
      const slot = diagonal ? i : (i * (i + 1)) / 2 + j
      body.push(...op.addLanes(sums, 8 * (1 + d + slot), accumulators + o))
    })
  }
  return { name: 'gather', parameters: 6, integers: 2, vectors: 1 + d + 1 + 12, body }
}

/** Products that one sweep adds up in registers: four rows by two columns of the triangle, or eight of the diagonal. */
function tiles(d: number, diagonal: boolean): [number, number][][] {
  const all: [number, number][][] = []
  if (diagonal) {
    for (let i = 0; i < d; i += 4)
      all.push(Array.from({ length: Math.min(4, d - i) }, (_, o): [number, number] => [i + o, i + o]))
    return all
  }
  for (let i = 0; i < d; i += 4)
    for (let j = 0; j < Math.min(i + 4, d); j += 2) {
      const tile: [number, number][] = []
      for (let a = i; a < Math.min(i + 4, d); a++)
        for (let b = j; b < Math.min(j + 2, d); b++) if (b <= a) tile.push([a, b])
      if (tile.length > 0) all.push(tile)
    }
  return all
}
