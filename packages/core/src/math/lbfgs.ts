import { check, describe } from '../errors.ts'
import type { VectorLike } from './matrix.ts'

/** Options of {@link lbfgs}. */
export interface LbfgsOptions {
  /** Lower bound of each variable. @default none */
  lower?: VectorLike
  /** Upper bound of each variable. @default none */
  upper?: VectorLike
  /** Correction pairs kept, from 1. @default 8 */
  memory?: number
  /** Iterations at most. @default 200 */
  maxIterations?: number
  /** Stops when no component of the projected gradient exceeds this. @default 1e-6 */
  gradientTolerance?: number
  /** Stops when an iteration lowers the value by less than this, relative to the value's size. @default 1e-12 */
  valueTolerance?: number
}

/** Where a minimization ended. */
export interface LbfgsResult {
  readonly x: Float64Array
  readonly value: number
  readonly gradient: Float64Array
  readonly iterations: number
  readonly evaluations: number
  /**
   * `gradient`: the projected gradient vanished; `value`: no more progress worth the name; `line-search`: no lower
   * point was found along the direction (often a wrong gradient or the limit of rounding); `limit`: out of iterations.
   */
  readonly stopped: 'gradient' | 'value' | 'line-search' | 'limit'
}

/**
 * Minimizes a smooth function by limited-memory BFGS, within box bounds if given. `evaluate(x, gradient)` writes the
 * gradient at x and returns the value; a NaN or infinite value counts as a step too far. Bounds are kept by projection: variables that
 * press against a bound are frozen for the iteration. Use it for tens to thousands of smooth parameters; where only values are at
 * hand, wrap them with `numericalGradient`.
 *
 * Gotcha: the start must be feasible in value: it is moved into the bounds, then must evaluate to a finite number.
 *
 * ```ts
 * import { lbfgs } from '@regimen/core/math'
 *
 * const { x, stopped } = lbfgs((x, g) => {
 *   g[0] = 2 * (x[0]! - 3)
 *   return (x[0]! - 3) ** 2
 * }, [0])
 * x[0] // ≈ 3
 * stopped // => 'gradient'
 * ```
 *
 * Reference: Nocedal & Wright, Numerical Optimization, 2nd ed., algorithms 7.4 and 3.5; projection after Bertsekas 1982.
 */
export function lbfgs(
  evaluate: (x: Float64Array, gradient: Float64Array) => number,
  start: VectorLike,
  options: LbfgsOptions = {},
): LbfgsResult {
  const { memory = 8, maxIterations = 200, gradientTolerance = 1e-6, valueTolerance = 1e-12 } = options
  const n = start.length
  const lower = bound(options.lower, n, Number.NEGATIVE_INFINITY, 'lower')
  const upper = bound(options.upper, n, Number.POSITIVE_INFINITY, 'upper')
  for (let i = 0; i < n; i++)
    check(
      lower[i]! <= upper[i]!,
      'core/lbfgs',
      () => `lower[${i}] must not exceed upper[${i}], got ${lower[i]} and ${upper[i]}.`,
    )
  check(Number.isInteger(memory) && memory >= 1, 'core/lbfgs', () => `memory must be an integer from 1, got ${memory}.`)
  let x = Float64Array.from(start, (v, i) => Math.min(Math.max(v, lower[i]!), upper[i]!))
  let gradient = new Float64Array(n)
  let value = evaluate(x, gradient)
  let evaluations = 1
  check(
    Number.isFinite(value) && gradient.every(Number.isFinite),
    'core/lbfgs',
    () => `the start must have a finite value and gradient, got ${describe(value)}.`,
    'Start from a feasible point.',
  )
  let trial = new Float64Array(n)
  let trialGradient = new Float64Array(n)
  const direction = new Float64Array(n)
  const free = new Uint8Array(n)
  const pairs = new Pairs(n, memory)
  const bounded = options.lower !== undefined || options.upper !== undefined

  const end = (iterations: number, stopped: LbfgsResult['stopped']): LbfgsResult => ({
    x,
    value,
    gradient,
    iterations,
    evaluations,
    stopped,
  })
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    let steepest = 0
    for (let i = 0; i < n; i++) {
      const g = gradient[i]!
      free[i] = (x[i]! <= lower[i]! && g > 0) || (x[i]! >= upper[i]! && g < 0) ? 0 : 1
      if (free[i]) steepest = Math.max(steepest, Math.min(Math.abs(g), g > 0 ? x[i]! - lower[i]! : upper[i]! - x[i]!))
    }
    if (steepest <= gradientTolerance) return end(iteration, 'gradient')
    pairs.direction(gradient, free, direction)
    let slope = inner(direction, gradient)
    if (!(slope < 0)) {
      pairs.clear()
      pairs.direction(gradient, free, direction)
      slope = inner(direction, gradient)
    }
    const length = pairs.size === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1

    // Weak Wolfe conditions by bisection; with bounds the path is projected and only the decrease is asked for.
    let low = 0
    let high = Number.POSITIVE_INFINITY
    let step = length
    let next = Number.NaN
    let found = false
    for (let attempt = 0; attempt < 40; attempt++) {
      let decrease = 0
      let hit = false
      for (let i = 0; i < n; i++) {
        const raw = x[i]! + step * direction[i]!
        trial[i] = Math.min(Math.max(raw, lower[i]!), upper[i]!)
        if (trial[i] !== raw) hit = true
        decrease += gradient[i]! * (trial[i]! - x[i]!)
      }
      next = evaluate(trial, trialGradient)
      evaluations++
      if (!Number.isFinite(next) || next > value + 1e-4 * decrease) high = step
      else {
        found = true
        if (bounded && hit) break
        if (inner(trialGradient, direction) >= 0.9 * slope) break
        low = step
      }
      const wider = high === Number.POSITIVE_INFINITY ? 2 * step : (low + high) / 2
      if (found && (attempt >= 20 || wider === step)) break
      step = wider
      found = false
    }
    if (!found || !(next <= value)) {
      if (pairs.size === 0) return end(iteration, 'line-search')
      pairs.clear()
      continue
    }
    const gain = value - next
    pairs.add(x, trial, gradient, trialGradient)
    const oldX = x
    const oldGradient = gradient
    x = trial
    gradient = trialGradient
    trial = oldX
    trialGradient = oldGradient
    value = next
    if (gain <= valueTolerance * Math.max(1, Math.abs(value))) return end(iteration + 1, 'value')
  }
  return end(maxIterations, 'limit')
}

/** The ring of correction pairs and the two-loop recursion over the free variables. */
class Pairs {
  size = 0
  readonly #n: number
  readonly #memory: number
  readonly #steps: Float64Array[] = []
  readonly #changes: Float64Array[] = []
  readonly #alpha: Float64Array
  #newest = -1

  constructor(n: number, memory: number) {
    this.#n = n
    this.#memory = memory
    this.#alpha = new Float64Array(memory)
    for (let k = 0; k < memory; k++) {
      this.#steps.push(new Float64Array(n))
      this.#changes.push(new Float64Array(n))
    }
  }

  clear(): void {
    this.size = 0
  }

  add(x: Float64Array, nextX: Float64Array, g: Float64Array, nextG: Float64Array): void {
    let curvature = 0
    let square = 0
    for (let i = 0; i < this.#n; i++) {
      const y = nextG[i]! - g[i]!
      curvature += (nextX[i]! - x[i]!) * y
      square += y * y
    }
    if (!(curvature > 1e-12 * square)) return
    this.#newest = (this.#newest + 1) % this.#memory
    this.size = Math.min(this.size + 1, this.#memory)
    const s = this.#steps[this.#newest]!
    const y = this.#changes[this.#newest]!
    for (let i = 0; i < this.#n; i++) {
      s[i] = nextX[i]! - x[i]!
      y[i] = nextG[i]! - g[i]!
    }
  }

  direction(gradient: Float64Array, free: Uint8Array, out: Float64Array): void {
    const n = this.#n
    for (let i = 0; i < n; i++) out[i] = free[i] ? -gradient[i]! : 0
    let scale = 0
    for (let age = 0; age < this.size; age++) {
      const k = (this.#newest - age + this.#memory) % this.#memory
      const s = this.#steps[k]!
      const y = this.#changes[k]!
      const sy = innerFree(s, y, free)
      // Restricted to the free variables a pair may lose its positive curvature; then it is left out.
      if (!(sy > 0)) {
        this.#alpha[k] = Number.NaN
        continue
      }
      if (scale === 0) scale = sy / innerFree(y, y, free)
      const alpha = innerFree(s, out, free) / sy
      this.#alpha[k] = alpha
      for (let i = 0; i < n; i++) if (free[i]) out[i]! -= alpha * y[i]!
    }
    if (scale > 0) for (let i = 0; i < n; i++) out[i]! *= scale
    for (let age = this.size - 1; age >= 0; age--) {
      const k = (this.#newest - age + this.#memory) % this.#memory
      const alpha = this.#alpha[k]!
      if (Number.isNaN(alpha)) continue
      const s = this.#steps[k]!
      const y = this.#changes[k]!
      const beta = innerFree(y, out, free) / innerFree(s, y, free)
      for (let i = 0; i < n; i++) if (free[i]) out[i]! += (alpha - beta) * s[i]!
    }
  }
}

function bound(given: VectorLike | undefined, n: number, none: number, name: string): Float64Array {
  if (given === undefined) return new Float64Array(n).fill(none)
  check(given.length === n, 'core/lbfgs', () => `${name} must have ${n} numbers, got ${given.length}.`)
  return Float64Array.from(given)
}

function inner(a: Float64Array, b: Float64Array): number {
  let total = 0
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!
  return total
}

function innerFree(a: Float64Array, b: Float64Array, free: Uint8Array): number {
  let total = 0
  for (let i = 0; i < a.length; i++) if (free[i]) total += a[i]! * b[i]!
  return total
}
