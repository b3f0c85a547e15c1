import { type Code, type FunctionSource, op, openModule } from '../simd/assemble.ts'

/** Rows looked at together. */
export const BATCH = 128

const STEP = 8 * BATCH

/** Finds the nearest and second nearest of k centres for batches of rows laid side by side. */
export interface NearestBatch {
  readonly batches: number
  /** clusters × columns. */
  readonly centres: Float64Array
  /** Squared distance to the nearest centre and to the second nearest, and the nearest centre's number. */
  readonly first: Float64Array
  readonly second: Float64Array
  readonly label: Float64Array
  /** Searches for the rows of a batch. */
  run(batch: number): void
}

/** Opens the search in WebAssembly, or in plain code where that cannot be or is asked for. */
export function openNearest(x: Float64Array, n: number, d: number, k: number, plain = false): NearestBatch {
  const batches = Math.ceil(n / BATCH)
  const at = { first: 0, second: STEP, label: 2 * STEP, rows: 3 * STEP, centres: (3 + batches * d) * STEP }
  const bytes = at.centres + 8 * k * d
  // Addresses are 32-bit.
  const fits = !plain && d <= 32 && bytes < 2 ** 31
  const opened = fits ? openModule(`nearest ${d}`, () => [nearest(d)], bytes) : undefined
  const memory = opened?.memory ?? new ArrayBuffer(bytes)
  const view = (from: number, length: number): Float64Array => new Float64Array(memory, from, length)
  const rows = view(at.rows, batches * d * BATCH)
  const centres = view(at.centres, k * d)
  const first = view(at.first, BATCH)
  const second = view(at.second, BATCH)
  const label = view(at.label, BATCH)
  for (let start = 0, base = 0; start < n; start += BATCH, base += d * BATCH)
    for (let j = 0, size = Math.min(BATCH, n - start); j < d; j++)
      for (let i = 0, from = start * d + j, to = base + j * BATCH; i < size; i++, from += d, to++) rows[to] = x[from]!
  const run = (batch: number): void => {
    const from = at.rows + batch * d * STEP
    if (opened) opened.call.nearest!(from, from + STEP, at.centres, bytes, at.first)
    else searchPlainly(rows.subarray(batch * d * BATCH), centres, k, d, first, second, label)
  }
  return { batches, centres, first, second, label, run }
}

function searchPlainly(
  rows: Float64Array,
  centres: Float64Array,
  k: number,
  d: number,
  first: Float64Array,
  second: Float64Array,
  label: Float64Array,
): void {
  for (let t = 0; t < BATCH; t++) {
    first[t] = Number.POSITIVE_INFINITY
    second[t] = Number.POSITIVE_INFINITY
    for (let c = 0, base = 0; c < k; c++, base += d) {
      let q = 0
      for (let j = 0; j < d; j++) {
        const delta = centres[base + j]! - rows[j * BATCH + t]!
        q += delta * delta
      }
      if (q < first[t]!) {
        second[t] = first[t]!
        first[t] = q
        label[t] = c
      } else if (q < second[t]!) second[t] = q
    }
  }
}

// Parameters: rows, their end, centres, their end, the first of the three results. Four rows at a time, so that a centre's
// number is loaded once for two vectors.
function nearest(d: number): FunctionSource {
  const [rows, end, centres, last, out, centre] = [0, 1, 2, 3, 4, 5]
  const x = 6
  const state = x + 2 * d
  const [q, first, second, label] = [state, state + 2, state + 4, state + 6]
  const [c, number, delta] = [state + 8, state + 9, state + 10]
  const lanes = [0, 1]
  const start: Code = [...op.constant(0), ...op.set(c)]
  for (const v of lanes) {
    for (let j = 0; j < d; j++) start.push(...op.load(rows, j * STEP + 16 * v), ...op.set(x + 2 * j + v))
    for (const local of [first, second]) start.push(...op.constant(Number.POSITIVE_INFINITY), ...op.set(local + v))
    start.push(...op.constant(0), ...op.set(label + v))
  }
  const each: Code = []
  for (let j = 0; j < d; j++) {
    each.push(...op.splat(centre, 8 * j), ...op.set(number))
    for (const v of lanes) {
      each.push(...op.get(number), ...op.get(x + 2 * j + v), ...op.sub, ...op.set(delta))
      each.push(...op.get(delta), ...op.get(delta), ...op.mul)
      if (j > 0) each.push(...op.get(q + v), ...op.add)
      each.push(...op.set(q + v))
    }
  }
  for (const v of lanes) {
    const [now, nearest, next] = [op.get(q + v), op.get(first + v), op.get(second + v)]
    each.push(...op.get(c), ...op.get(label + v), ...now, ...nearest, ...op.less, ...op.select, ...op.set(label + v))
    // second = min(second, max(first, q)); first = min(first, q).
    each.push(...next, ...nearest, ...now, ...op.larger, ...op.smaller, ...op.set(second + v))
    each.push(...nearest, ...now, ...op.smaller, ...op.set(first + v))
  }
  each.push(...op.get(c), ...op.constant(1), ...op.add, ...op.set(c), ...op.advance(centre, 8 * d))
  const body = [...start, ...op.point(centre, centres, 0), ...op.loop(centre, last, each)]
  for (const v of lanes) {
    body.push(...op.store(out, op.get(first + v), 16 * v), ...op.store(out, op.get(second + v), STEP + 16 * v))
    body.push(...op.store(out, op.get(label + v), 2 * STEP + 16 * v))
  }
  body.push(...op.advance(out, 32), ...op.advance(rows, 32))
  return { name: 'nearest', parameters: 5, integers: 1, vectors: 2 * d + 11, body: op.loop(rows, end, body) }
}
