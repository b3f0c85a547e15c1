import { check, type Direction, describe } from '@regimen/core'

/** How {@link createSequentialTest} decides. */
export interface SequentialTestOptions {
  /** A typical difference worth finding, in the metric's unit: the spread τ of the mixture. It costs power when far off, never validity. */
  effect: number
  /** Which arm is better: the one with the larger or the smaller mean. @default 'maximize' */
  direction?: Direction
  /** Chance of calling a winner where there is no difference, however often one looks. @default 0.05 */
  alpha?: number
  /** Observations of each arm before anything is decided: the variances are estimated. @default 50 */
  minSamples?: number
}

/** State of a sequential test, plain data. */
export interface SequentialState {
  /** Count, mean and sum of squared deviations of arms a and b. */
  readonly a: readonly [count: number, mean: number, squares: number]
  readonly b: readonly [count: number, mean: number, squares: number]
  /** Largest mixture likelihood ratio so far. */
  readonly ratio: number
  /** The winner, once there is one; it stays. */
  readonly winner: 'a' | 'b' | null
}

/** A running comparison of two arms. */
export interface SequentialTest {
  /** Takes one observation and tells where the test stands. */
  observe(arm: 'a' | 'b', value: number): SequentialResult
  readonly result: SequentialResult
  state(): SequentialState
}

/** Where a sequential test stands. */
export interface SequentialResult {
  /** Always-valid p-value: it may be looked at after every observation. */
  readonly pValue: number
  /** Mean of b minus mean of a. */
  readonly difference: number
  readonly winner: 'a' | 'b' | null
}

/**
 * Compares two arms while the data come in, by the mixture sequential probability ratio test: with d the difference of means
 * and V = s²ₐ/nₐ + s²ᵦ/nᵦ its variance, the likelihood ratio mixed over effects of N(0, τ²) is
 * Λ = √(V / (V + τ²)) · exp(τ²d² / (2V(V + τ²))), and p = min(1, 1 / max Λ). Unlike a t-test one may look after every
 * observation and stop at will. Choose it for A/B tests of live models; for one look at paired validation samples a policy's
 * `paired` rule has more power. The variances are estimated, so validity is asymptotic (hence `minSamples`), and
 * observations should be independent: feed daily sums rather than overlapping returns.
 *
 * ```ts
 * import { createSequentialTest } from '@regimen/store'
 *
 * const test = createSequentialTest({ effect: 1, minSamples: 2 })
 * for (const value of [0, 1, 0, 1]) test.observe('a', value)
 * for (const value of [9, 8, 9, 8]) test.observe('b', value)
 * test.result.winner // => 'b'
 * test.result.difference // => 8
 * ```
 *
 * Reference: R. Johari, P. Koomen, L. Pekelis, D. Walsh, "Peeking at A/B tests", 2017.
 */
export function createSequentialTest(options: SequentialTestOptions, from?: SequentialState): SequentialTest {
  const { effect, direction = 'maximize', alpha = 0.05, minSamples = 50 } = options
  const where = 'store/sequential'
  check(Number.isFinite(effect) && effect > 0, where, () => `effect must be above 0, got ${describe(effect)}.`)
  check(alpha > 0 && alpha < 1, where, () => `alpha must lie between 0 and 1, got ${describe(alpha)}.`)
  check(
    Number.isInteger(minSamples) && minSamples >= 2,
    where,
    () => `minSamples must be a whole number from 2, got ${describe(minSamples)}.`,
  )
  const arms = { a: [...(from?.a ?? [0, 0, 0])], b: [...(from?.b ?? [0, 0, 0])] } as { a: Arm; b: Arm }
  let ratio = from?.ratio ?? 0
  let winner = from?.winner ?? null
  const tau2 = effect * effect

  const result = (): SequentialResult => ({
    pValue: ratio > 1 ? 1 / ratio : 1,
    difference: arms.b[1] - arms.a[1],
    winner,
  })
  return {
    observe(name, value) {
      check(Number.isFinite(value), where, () => `an observation must be finite, got ${describe(value)}.`)
      const arm = arms[name]
      arm[0]++
      const delta = value - arm[1]
      arm[1] += delta / arm[0]
      arm[2] += delta * (value - arm[1])
      const { a, b } = arms
      if (a[0] >= minSamples && b[0] >= minSamples) {
        const v = a[2] / (a[0] - 1) / a[0] + b[2] / (b[0] - 1) / b[0]
        const d = b[1] - a[1]
        // Without any spread a difference is certain, and its absence says nothing.
        const now =
          v === 0
            ? d === 0
              ? 0
              : Number.MAX_VALUE
            : Math.sqrt(v / (v + tau2)) * Math.exp(Math.min(700, (tau2 * d * d) / (2 * v * (v + tau2))))
        ratio = Math.max(ratio, now)
        if (winner === null && ratio >= 1 / alpha) winner = d > 0 === (direction === 'maximize') ? 'b' : 'a'
      }
      return result()
    },
    get result() {
      return result()
    },
    state: () => ({ a: [...arms.a], b: [...arms.b], ratio, winner }),
  }
}

type Arm = [count: number, mean: number, squares: number]
