import alea from 'seedrandom/lib/alea.js'
import { check, describe } from './errors.ts'
import { drawBeta, drawDirichlet, drawGamma, drawPoisson } from './random/distributions.ts'
import { type BitSource, drawNormal } from './random/normal.ts'

/** A generator's complete state: plain data, for snapshots. */
export type RngState = {
  readonly key: string
  readonly c: number
  readonly s0: number
  readonly s1: number
  readonly s2: number
}

/**
 * Draws a seeded stream of random numbers. Streams split by label: `rng.split('worker-3')` depends on the seed and the
 * label only, never on how many numbers were drawn before, so adding a consumer does not disturb the others. Every
 * distribution is drawn from the stream alone (nothing is cached between calls), so `state()` is the whole state.
 *
 * ```ts
 * import { Rng } from '@regimen/core'
 *
 * const rng = new Rng('demo')
 * rng.gamma(3)
 * const copy = new Rng(rng.state())
 * copy.normal() === rng.normal() // => true
 * ```
 *
 * Reference: the underlying generator is Alea by J. Baagøe, period about 2^116, from the `seedrandom` package.
 */
export class Rng {
  readonly #key: string
  readonly #next: ReturnType<typeof alea>
  readonly #bits: BitSource

  constructor(seed: number | string | RngState) {
    if (typeof seed === 'object') {
      this.#key = seed.key
      this.#next = alea(seed.key, { state: { c: seed.c, s0: seed.s0, s1: seed.s1, s2: seed.s2 } })
    } else {
      check(
        typeof seed === 'string' || Number.isFinite(seed),
        'core/rng',
        () => `seed must be a finite number or a string, got ${describe(seed)}.`,
      )
      this.#key = String(seed)
      this.#next = alea(this.#key, { state: true })
    }
    this.#bits = { fraction: this.#next, bits: this.#next.int32 }
  }

  /** A stream of its own, determined by this stream's seed and the label. */
  split(label: string | number): Rng {
    return new Rng(`${this.#key}/${label}`)
  }

  /** The state from which `new Rng(state)` continues identically. */
  state(): RngState {
    return { key: this.#key, ...this.#next.state() }
  }

  /** Uniform on [low, high), 53 bits. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * this.#next.double()
  }

  /** A whole number from `low` up to but not including `high`, each exactly equally likely (by rejection). */
  int(low: number, high: number): number {
    const n = high - low
    if (!(n >= 1 && n <= Number.MAX_SAFE_INTEGER && Number.isInteger(n))) {
      check(false, 'core/rng', () => `int needs whole numbers low < high, got ${describe(low)} and ${describe(high)}.`)
    }
    if (n <= 0x100000000) {
      const limit = 0x100000000 - (0x100000000 % n)
      let bits = this.#next.int32() >>> 0
      while (bits >= limit) bits = this.#next.int32() >>> 0
      return low + (bits % n)
    }
    const limit = 2 ** 53 - (2 ** 53 % n)
    let bits = Math.floor(this.#next.double() * 2 ** 53)
    while (bits >= limit) bits = Math.floor(this.#next.double() * 2 ** 53)
    return low + (bits % n)
  }

  /** Normal with the given mean and standard deviation. */
  normal(mean = 0, deviation = 1): number {
    return mean + deviation * drawNormal(this.#bits)
  }

  /** Exponential with the given mean. */
  exponential(mean = 1): number {
    return -mean * Math.log1p(-this.#next.double())
  }

  /** Gamma with the given shape and scale; the mean is shape × scale. */
  gamma(shape: number, scale = 1): number {
    positive('gamma', 'shape', shape)
    return scale * drawGamma(this, shape)
  }

  /** Beta on [0, 1] with mean a / (a + b). */
  beta(a: number, b: number): number {
    positive('beta', 'a', a)
    positive('beta', 'b', b)
    return drawBeta(this, a, b)
  }

  /** Student's t with the given degrees of freedom, zero mean and unit scale (variance df / (df − 2) above 2). */
  studentT(df: number): number {
    positive('studentT', 'df', df)
    return this.normal() / Math.sqrt((2 * drawGamma(this, df / 2)) / df)
  }

  /** A Poisson count with the given mean. */
  poisson(mean: number): number {
    if (!(mean >= 0 && mean < 2 ** 53)) {
      check(false, 'core/rng', () => `poisson needs a mean of at least 0, got ${describe(mean)}.`)
    }
    return drawPoisson(this, mean)
  }

  /** Weights on the simplex with mean alpha / Σ alpha. */
  dirichlet(alpha: ArrayLike<number>, out: Float64Array = new Float64Array(alpha.length)): Float64Array {
    for (let i = 0; i < alpha.length; i++) positive('dirichlet', `alpha[${i}]`, alpha[i]!)
    return drawDirichlet(this, alpha, out)
  }

  /** An index drawn in proportion to the weights, which need not sum to 1. For many draws see `aliasTable`. */
  categorical(weights: ArrayLike<number>): number {
    let total = 0
    for (let i = 0; i < weights.length; i++) total += weights[i]!
    if (!(total > 0 && total < Number.POSITIVE_INFINITY)) {
      check(false, 'core/rng', () => `categorical needs weights with a positive, finite sum, got a sum of ${total}.`)
    }
    let rest = this.#next.double() * total
    let last = -1
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i]!
      if (weight <= 0) continue
      if (rest < weight) return i
      rest -= weight
      last = i
    }
    return last
  }

  /** Shuffles in place (Fisher–Yates) and returns the same array. */
  shuffle<List extends { readonly length: number; [index: number]: unknown }>(list: List): List {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.int(0, i + 1)
      const held = list[i]
      list[i] = list[j]
      list[j] = held
    }
    return list
  }

  /** The numbers 0 … n − 1 in random order. */
  permutation(n: number): Int32Array {
    const order = new Int32Array(n)
    for (let i = 0; i < n; i++) order[i] = i
    return this.shuffle(order)
  }

  /** `count` different numbers out of 0 … n − 1, in random order. */
  sample(n: number, count: number): Int32Array {
    check(
      Number.isInteger(count) && count >= 0 && count <= n,
      'core/rng',
      () => `sample needs 0 ≤ count ≤ n, got count ${describe(count)} of n ${describe(n)}.`,
    )
    if (count * 4 > n) return this.permutation(n).slice(0, count)
    const out = new Int32Array(count)
    const taken = new Set<number>()
    while (taken.size < count) {
      const i = this.int(0, n)
      if (taken.has(i)) continue
      out[taken.size] = i
      taken.add(i)
    }
    return out
  }

  /** Fills with uniform numbers on [low, high) and returns the same array. */
  fillUniform(out: Float64Array, low = 0, high = 1): Float64Array {
    for (let i = 0; i < out.length; i++) out[i] = low + (high - low) * this.#next.double()
    return out
  }

  /** Fills with normal numbers and returns the same array. */
  fillNormal(out: Float64Array, mean = 0, deviation = 1): Float64Array {
    const bits = this.#bits
    for (let i = 0; i < out.length; i++) out[i] = mean + deviation * drawNormal(bits)
    return out
  }
}

function positive(method: string, name: string, value: number): void {
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) {
    check(false, 'core/rng', () => `${method} needs a finite ${name} above 0, got ${describe(value)}.`)
  }
}

/**
 * Opens a seeded random stream: the same seed gives the same numbers on every machine.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 *
 * createRng(7).uniform() === createRng(7).uniform() // => true
 * ```
 */
export function createRng(seed: number | string | RngState): Rng {
  return new Rng(seed)
}
