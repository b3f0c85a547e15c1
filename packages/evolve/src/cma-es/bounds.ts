/** Maps unbounded coordinates into bounds so smoothly that the optimizer does not notice them. */
export interface BoundTransform {
  /** True where there are no bounds, so that coordinates are points. */
  readonly identity: boolean
  /** The point that `x[xAt…]` stands for, into `out`. */
  apply(x: Float64Array, xAt: number, out: Float64Array): void
  /** Coordinates that stand for a point within the bounds. */
  invert(point: Float64Array): Float64Array
}

/**
 * Is the identity well inside the bounds and bends quadratically near them: with margins a (at most 1, a twentieth of the
 * interval, or a share of a bound's own size), the interval from l − a to u + a is mapped onto [l, u], and what lies
 * farther out is first reflected back. The map's slope is 0 only in the bounds themselves, and it has no plateau.
 */
export function boundTransform(lower: Float64Array, upper: Float64Array): BoundTransform {
  const n = lower.length
  const marginLow = new Float64Array(n)
  const marginHigh = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const half = (upper[i]! - lower[i]!) / 2
    if (Number.isFinite(lower[i]!)) marginLow[i] = Math.min(half, (1 + Math.abs(lower[i]!)) / 20)
    if (Number.isFinite(upper[i]!)) marginHigh[i] = Math.min(half, (1 + Math.abs(upper[i]!)) / 20)
  }
  const one = (value: number, i: number): number => {
    const l = lower[i]!
    const u = upper[i]!
    const a = marginLow[i]!
    const b = marginHigh[i]!
    let y = value
    if (a > 0 || b > 0) {
      if (a > 0 && b > 0) {
        const left = l - a
        const period = 2 * (u - l + a + b)
        if (y < left || y > u + b) {
          y = left + ((((y - left) % period) + period) % period)
          if (y > u + b) y = 2 * (u + b) - y
        }
      } else if (a > 0 && y < l - a) y = 2 * (l - a) - y
      else if (b > 0 && y > u + b) y = 2 * (u + b) - y
      if (a > 0 && y < l + a) y = l + (y - (l - a)) ** 2 / (4 * a)
      else if (b > 0 && y > u - b) y = u - (y - (u + b)) ** 2 / (4 * b)
    }
    return Math.min(Math.max(y, l), u)
  }
  return {
    identity: !lower.some(Number.isFinite) && !upper.some(Number.isFinite),
    apply(x, xAt, out) {
      for (let i = 0; i < n; i++) out[i] = one(x[xAt + i]!, i)
    },
    invert(point) {
      return Float64Array.from(point, (value, i) => {
        const a = marginLow[i]!
        const b = marginHigh[i]!
        if (a > 0 && value < lower[i]! + a) return lower[i]! - a + 2 * Math.sqrt(a * (value - lower[i]!))
        if (b > 0 && value > upper[i]! - b) return upper[i]! + b - 2 * Math.sqrt(b * (upper[i]! - value))
        return value
      })
    },
  }
}
