import { check } from '../errors.ts'
import { type MatrixLike, toMatrix, type VectorLike } from './matrix.ts'

/**
 * Computes the exact volume that a set of points (rows; all objectives minimized) dominates up to a reference point.
 * Two objectives are swept in O(n log n), three in O(n²), more by the WFG recursion, which is exponential in the
 * worst case: up to about a hundred points in five objectives take well under a second.
 *
 * Points that do not lie strictly below the reference in every objective add nothing.
 *
 * ```ts
 * import { hypervolume } from '@regimen/core/math'
 *
 * hypervolume([[1, 3], [2, 2], [3, 1]], [4, 4]) // => 6
 * ```
 *
 * Reference: L. While, L. Bradstreet & L. Barone, "A fast way of calculating exact hypervolumes", 2012.
 */
export function hypervolume(points: MatrixLike, reference: VectorLike): number {
  const { rows, cols: m, data } = toMatrix(points, 'core/hypervolume')
  if (rows === 0) return 0
  check(
    reference.length === m,
    'core/hypervolume',
    () => `the reference must have ${m} numbers, got ${reference.length}.`,
  )
  // Distances to the reference, so that the origin is the reference and larger is better.
  const inside: Float64Array[] = []
  for (let i = 0; i < rows; i++) {
    const gain = new Float64Array(m)
    for (let k = 0; k < m; k++) gain[k] = reference[k]! - data[i * m + k]!
    if (gain.every((g) => g > 0)) inside.push(gain)
  }
  return volume(inside, m)
}

function volume(points: Float64Array[], m: number): number {
  if (points.length === 0) return 0
  if (points.length === 1) return box(points[0]!, m)
  if (m === 1) return Math.max(...points.map((p) => p[0]!))
  // Largest last objective first: later points are clipped to lower boxes.
  points.sort((p, q) => q[m - 1]! - p[m - 1]!)
  if (m === 2) return sweepPlane(points)
  if (m === 3) return sweepSpace(points)
  let total = 0
  for (let i = 0; i < points.length; i++) {
    const point = points[i]!
    total += box(point, m) - volume(filter(clip(points, i, m), m), m)
  }
  return total
}

function box(point: Float64Array, m: number): number {
  let product = 1
  for (let k = 0; k < m; k++) product *= point[k]!
  return product
}

/** The points after `i`, cut to what lies inside the box of point `i`. */
function clip(points: Float64Array[], i: number, m: number): Float64Array[] {
  const limit = points[i]!
  const out: Float64Array[] = []
  for (let j = i + 1; j < points.length; j++) {
    const cut = new Float64Array(m)
    for (let k = 0; k < m; k++) cut[k] = Math.min(limit[k]!, points[j]![k]!)
    out.push(cut)
  }
  return out
}

/** Keeps one of every maximal point. */
function filter(points: Float64Array[], m: number): Float64Array[] {
  const kept: Float64Array[] = []
  for (const candidate of points) {
    if (kept.some((other) => covers(other, candidate, m))) continue
    let size = 0
    for (const other of kept) if (!covers(candidate, other, m)) kept[size++] = other
    kept.length = size
    kept.push(candidate)
  }
  return kept
}

function covers(a: Float64Array, b: Float64Array, m: number): boolean {
  for (let k = 0; k < m; k++) if (a[k]! < b[k]!) return false
  return true
}

/** Area of the union of boxes from the origin; sorted by the second coordinate, falling. */
function sweepPlane(points: readonly Float64Array[]): number {
  let area = 0
  let reached = 0
  for (const [x, y] of points as Iterable<Float64Array>) {
    if (x! > reached) {
      area += (x! - reached) * y!
      reached = x!
    }
  }
  return area
}

/** Slices along the third coordinate, falling; the staircase of the first two grows by one step a slice. */
function sweepSpace(points: readonly Float64Array[]): number {
  // xs rises and ys falls along the staircase.
  const xs: number[] = []
  const ys: number[] = []
  let area = 0
  let total = 0
  for (let i = 0; i < points.length; i++) {
    const point = points[i]!
    area += raise(xs, ys, point[0]!, point[1]!)
    total += area * (point[2]! - (points[i + 1]?.[2] ?? 0))
  }
  return total
}

/** Adds the corner (x, y) to a staircase and returns the area gained. */
function raise(xs: number[], ys: number[], x: number, y: number): number {
  let at = 0
  while (at < xs.length && xs[at]! < x) at++
  if (at < xs.length && ys[at]! >= y) return 0
  // Columns from the last one to the left that is at least as high, up to x.
  let from = at
  while (from > 0 && ys[from - 1]! <= y) from--
  let gained = 0
  let left = from > 0 ? xs[from - 1]! : 0
  for (let i = from; i < at; i++) {
    gained += (xs[i]! - left) * (y - ys[i]!)
    left = xs[i]!
  }
  gained += (x - left) * (y - (at < ys.length ? ys[at]! : 0))
  // A corner at the same x but lower disappears.
  const until = at < xs.length && xs[at] === x ? at + 1 : at
  xs.splice(from, until - from, x)
  ys.splice(from, until - from, y)
  return gained
}
