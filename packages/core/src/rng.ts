import alea from 'seedrandom/lib/alea.js'
import { check, describe } from './errors.ts'

/** A generator's complete state: plain data, for snapshots. */
export type RngState = {
  readonly key: string
  readonly c: number
  readonly s0: number
  readonly s1: number
  readonly s2: number
}

/**
 * A seeded stream of random numbers. Streams split by label: `rng.split('worker-3')` depends on the seed and the label
 * only, never on how many numbers were drawn before, so adding a consumer does not disturb the others.
 */
export class Rng {
  readonly #key: string
  readonly #next: ReturnType<typeof alea>

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

  /** A whole number from `low` up to but not including `high`, each equally likely. */
  int(low: number, high: number): number {
    return low + Math.floor((high - low) * this.#next.double())
  }

  /** Normal with the given mean and standard deviation. */
  normal(mean = 0, deviation = 1): number {
    // Marsaglia's polar method without keeping the second number, so that the state stays four numbers.
    let u = 0
    let s = 0
    do {
      u = 2 * this.#next() - 1
      const v = 2 * this.#next() - 1
      s = u * u + v * v
    } while (s >= 1 || s === 0)
    return mean + deviation * u * Math.sqrt((-2 * Math.log(s)) / s)
  }
}

/** Opens a seeded random stream: the same seed gives the same numbers on every machine. */
export function createRng(seed: number | string | RngState): Rng {
  return new Rng(seed)
}
