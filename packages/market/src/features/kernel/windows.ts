import { add, type Expression, keep, lag, max, min, mul, square, sub } from './expression.ts'

/** Most terms that one step adds up. */
const WIDEST = 7

/**
 * Folds the last `count` values (`stride` rows apart) with an associative operation, as windows of windows: 60 = 6 · 5 · 2 takes
 * 13 terms instead of 60. Only values inside the window are ever touched: nothing is subtracted again, so that a window of zeros
 * sums to exactly zero and the result does not depend on where the series began.
 */
export function fold(
  join: (a: Expression, b: Expression) => Expression,
  a: Expression,
  count: number,
  stride = 1,
): Expression {
  const factor = widestFactor(count)
  if (factor === count) {
    let all = a
    for (let k = 1; k < count; k++) all = join(all, lag(a, k * stride))
    return all
  }
  if (factor === 1) return join(fold(join, a, count - 1, stride), lag(a, (count - 1) * stride))
  return fold(join, keep(fold(join, a, factor, stride)), count / factor, stride * factor)
}

export const rollingSum = (a: Expression, w: number): Expression => fold(add, a, w)
export const rollingMax = (a: Expression, w: number): Expression => fold(max, a, w)
export const rollingMin = (a: Expression, w: number): Expression => fold(min, a, w)

/** Σ r^j a_{t−j} over the last `count` values, by windows of windows as {@link fold}. */
function decayedSum(a: Expression, count: number, r: number, stride = 1): Expression {
  const factor = widestFactor(count)
  if (factor === count) {
    let all = a
    for (let k = 1; k < count; k++) all = add(all, mul(lag(a, k * stride), r ** (k * stride)))
    return all
  }
  const rest = (count - 1) * stride
  if (factor === 1) return add(decayedSum(a, count - 1, r, stride), mul(lag(a, rest), r ** rest))
  return decayedSum(keep(decayedSum(a, factor, r, stride)), count / factor, r, stride * factor)
}

/**
 * Exponential average over the last `w` values, seeded as in the classic definitions: the plain mean of the first `n` of them,
 * then e ← e + α(x − e). With r = 1 − α and m = w − n it is α Σ_{j<m} r^j x_{t−j} + r^m · mean(seed). Unlike the endless
 * recursion it forgets: older values have no weight at all.
 */
export function exponential(a: Expression, n: number, alpha: number, w: number): Expression {
  const m = w - n
  const r = 1 - alpha
  return add(mul(decayedSum(a, m, r), alpha), mul(lag(keep(rollingSum(a, n)), m), r ** m / n))
}

/** Mean and sums of powers of the deviations from it, over the last values. */
export interface Moments {
  readonly count: number
  /** Mean less the last value: exact zero in a constant window, and as precise as the deviations are. */
  readonly offset: Expression
  /** Σ (x − mean)^p for p = 2, 3, 4; the higher ones are computed only where they are read. */
  readonly powers: readonly Expression[]
}

/**
 * Central moments of the last values by merging blocks (Pébay 2008): `factors` [5, 4] are four blocks of five. Blocks are compared by
 * their distance from the last value, so neither the level of the series nor its trend costs digits.
 */
export function moments(x: Expression, factors: readonly number[], order: 2 | 4 = 2): Moments {
  let block: Moments | undefined
  for (const factor of factors) block = merge(x, block, factor, order)
  return block!
}

/** Σ (x − mean)² over the last `w` values. */
export function variation(x: Expression, w: number): Expression {
  return moments(keep(x), factors(w)).powers[0]!
}

function factors(w: number): number[] {
  const factor = widestFactor(w)
  return factor === w ? [w] : [factor, ...factors(w / factor)]
}

/** The moments of `count` adjacent blocks like `block`. */
export function merge(x: Expression, block: Moments | undefined, count: number, order: 2 | 4 = 2): Moments {
  const size = block?.count ?? 1
  const kept = block && { offset: keep(block.offset), powers: block.powers.map(keep) }
  const offsets = Array.from({ length: count }, (_, k): Expression | undefined => {
    const distance = k === 0 ? undefined : sub(lag(x, k * size), x)
    if (!kept) return distance
    return distance ? add(distance, lag(kept.offset, k * size)) : kept.offset
  })
  const total = offsets.reduce((a, b) => (a && b ? add(a, b) : (a ?? b)))
  const offset = mul(total!, 1 / count)
  const distances = offsets.map((own) => (own ? sub(own, offset) : sub(0, offset)))
  const inside = (p: number): Expression[] => (kept ? distances.map((_, k) => lag(kept.powers[p - 2]!, k * size)) : [])
  const squares = distances.map(square)
  const sum = (terms: readonly Expression[]): Expression => terms.reduce(add)
  const times = (a: readonly Expression[], b: readonly Expression[]): Expression[] => a.map((x, k) => mul(x, b[k]!))
  // Σ over the blocks of (x − own mean + distance)^p, the powers multiplied out.
  const all = (p: number, far: readonly Expression[], between: readonly Expression[]): Expression => {
    const outside = size === 1 ? sum(far) : mul(size, sum(far))
    return kept ? sum([...inside(p), ...between, outside]) : outside
  }
  const powers = [all(2, squares, [])]
  if (order === 4) {
    const [m2, m3] = [inside(2), inside(3)]
    const skewed = kept ? [mul(3, sum(times(distances, m2)))] : []
    const peaked = kept ? [mul(4, sum(times(distances, m3))), mul(6, sum(times(squares, m2)))] : []
    powers.push(all(3, times(squares, distances), skewed), all(4, squares.map(square), peaked))
  }
  return { count: count * size, offset, powers }
}

function widestFactor(count: number): number {
  for (let k = Math.min(WIDEST, count); k > 1; k--) if (count % k === 0) return k
  return 1
}
