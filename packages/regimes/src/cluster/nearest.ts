import { type Code, type FunctionSource, op, openModule } from '../simd/assemble.ts'

/** Rows looked at together. */
export const BATCH = 128

const STEP = 8 * BATCH

/** Finds the nearest and second nearest of k centres for batches of rows that lie side by side, laid out once. */
export interface NearestBatch {
  readonly batches: number
  /** clusters × columns. */
  readonly centres: Float64Array
  /** Squared distance to the nearest centre and to the second nearest, and the nearest centre's number. */
  readonly first: Float64Array
  readonly second: Float64Array
  readonly label: Float64Array
  /** Searches for all rows of a batch; rows past the last are zeros. */
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
  const run = opened
    ? (batch: number) => {
        const from = at.rows + batch * d * STEP
        opened.call.nearest!(from, from + STEP, at.centres, bytes, at.first)
      }
    : (batch: number) => {
        const block = rows.subarray(batch * d * BATCH)
        for (let t = 0; t < BATCH; t++) {
          first[t] = Number.POSITIVE_INFINITY
          second[t] = Number.POSITIVE_INFINITY
          label[t] = 0
          for (let c = 0, base = 0; c < k; c++, base += d) {
            let q = 0
            for (let j = 0; j < d; j++) {
              const delta = block[j * BATCH + t]! - centres[base + j]!
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
  return { batches, centres, first, second, label, run }
}

// Parameters: rows, their end, centres, their end, the first of the three results.
function nearest(d: number): FunctionSource {
  const [rows, end, centres, last, out, centre] = [0, 1, 2, 3, 4, 5]
  const x = 6
  const [q, first, second, label, c, delta] = Array.from({ length: 6 }, (_, i) => x + d + i) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const start: Code = []
  for (let j = 0; j < d; j++) start.push(...op.load(rows, j * STEP), ...op.set(x + j))
  for (const local of [first, second]) start.push(...op.constant(Number.POSITIVE_INFINITY), ...op.set(local))
  for (const local of [label, c]) start.push(...op.constant(0), ...op.set(local))
  const each: Code = []
  for (let j = 0; j < d; j++) {
    each.push(...op.get(x + j), ...op.splat(centre, 8 * j), ...op.sub, ...op.set(delta))
    each.push(...op.get(delta), ...op.get(delta), ...op.mul)
    if (j > 0) each.push(...op.get(q), ...op.add)
    each.push(...op.set(q))
  }
  each.push(...op.get(c), ...op.get(label), ...op.get(q), ...op.get(first), ...op.less, ...op.select, ...op.set(label))
  // second = min(second, max(first, q)); first = min(first, q).
  each.push(...op.get(second), ...op.get(first), ...op.get(q), ...op.larger, ...op.smaller, ...op.set(second))
  each.push(...op.get(first), ...op.get(q), ...op.smaller, ...op.set(first))
  each.push(...op.get(c), ...op.constant(1), ...op.add, ...op.set(c), ...op.advance(centre, 8 * d))
  const body = [
    ...start,
    ...op.point(centre, centres, 0),
    ...op.loop(centre, last, each),
    ...op.store(out, op.get(first)),
    ...op.store(out, op.get(second), STEP),
    ...op.store(out, op.get(label), 2 * STEP),
    ...op.advance(out, 16),
    ...op.advance(rows, 16),
  ]
  return { name: 'nearest', parameters: 5, integers: 1, vectors: d + 6, body: op.loop(rows, end, body) }
}
