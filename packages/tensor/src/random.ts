import { check, createRng, describe, RegimenError, type Rng } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'

/** What one draw inside a compiled function asks for; the host makes the numbers at each call. */
export interface NoiseSpec {
  readonly kind: 'normal' | 'uniform' | 'mask'
  readonly shape: readonly number[]
  /** Mean (normal), low end (uniform) or rate of dropping (mask). */
  readonly a: number
  /** Standard deviation (normal), high end (uniform), unused (mask). */
  readonly b: number
}

type Draw = (spec: NoiseSpec) => tf.Tensor

let current: Draw | undefined

/** Runs `fn` while draws of {@link random} go to `draw`. */
export function withNoise<T>(draw: Draw, fn: () => T): T {
  const before = current
  current = draw
  try {
    return fn()
  } finally {
    current = before
  }
}

/** Fills an array with one draw. Both ways of running use this, so they see the same numbers. */
export function makeNoise(spec: NoiseSpec, rng: Rng): Float32Array {
  let size = 1
  for (const dim of spec.shape) size *= dim
  const data = new Float32Array(size)
  const { kind, a, b } = spec
  if (kind === 'normal') for (let i = 0; i < size; i++) data[i] = rng.normal(a, b)
  else if (kind === 'uniform') for (let i = 0; i < size; i++) data[i] = rng.uniform(a, b)
  else for (let i = 0; i < size; i++) data[i] = rng.uniform() < a ? 0 : 1 / (1 - a)
  return data
}

/**
 * Runs a function eagerly with the draws of {@link random} taken from a seeded stream: the same numbers, in the same
 * order, as a compiled function with that seed sees at its first call.
 *
 * ```ts
 * import { random, withRandom } from '@regimen/tensor'
 *
 * const noise = withRandom(7, () => random.normal([3]))
 * noise.shape // => [3]
 * ```
 */
export function withRandom<T>(seed: number | string | Rng, fn: () => T): T {
  const rng = typeof seed === 'object' ? seed : createRng(seed)
  return withNoise((spec) => tf.tensor(makeNoise(spec, rng), [...spec.shape], 'float32'), fn)
}

/**
 * Draws random tensors inside a compiled function (or inside {@link withRandom}). Each draw becomes an input of the graph
 * that is filled at every call from the seeded stream of `compile(fn, { seed })`, so nothing is frozen and the compiled
 * function sees exactly the numbers that the eager one would. Parameters of the draw (mean, rate) are fixed when the
 * function is recorded; scale the result by a tensor where they vary.
 *
 * ```ts
 * import { compile, random } from '@regimen/tensor'
 * import * as tf from '@tensorflow/tfjs-core'
 *
 * const jitter = compile((x: tf.Tensor) => tf.add(x, random.normal([2], { deviation: 0.1 })), { seed: 3 })
 * const first = await jitter(new Float32Array([1, 2]))
 * const second = await jitter(new Float32Array([1, 2]))
 * first.data[0] === second.data[0] // => false
 * ```
 */
export const random: {
  /** Normal numbers; `mean` 0 and `deviation` 1 by default. */
  normal(shape: readonly number[], options?: { mean?: number; deviation?: number }): tf.Tensor
  /** Uniform numbers on [low, high); 0 and 1 by default. */
  uniform(shape: readonly number[], options?: { low?: number; high?: number }): tf.Tensor
  /** Zeros at the given rate, `1 / (1 - rate)` elsewhere: multiply by it. */
  mask(shape: readonly number[], rate: number): tf.Tensor
  /** Drops elements of `x` at the given rate and scales the rest up; `x` itself at rate 0. */
  dropout<T extends tf.Tensor>(x: T, rate: number): T
} = {
  normal: (shape, { mean = 0, deviation = 1 } = {}) => draw({ kind: 'normal', shape, a: mean, b: deviation }),
  uniform: (shape, { low = 0, high = 1 } = {}) => draw({ kind: 'uniform', shape, a: low, b: high }),
  mask: (shape, rate) => {
    check(rate >= 0 && rate < 1, 'tensor/random', () => `rate must be from 0 up to 1, got ${describe(rate)}.`)
    return draw({ kind: 'mask', shape, a: rate, b: 0 })
  },
  dropout: (x, rate) => (rate === 0 ? x : tf.mul(x, random.mask(x.shape, rate))),
}

function draw(spec: NoiseSpec): tf.Tensor {
  if (!current) {
    throw new RegimenError('random numbers were drawn outside of a compiled function.', {
      code: 'NO_RANDOM_STREAM',
      where: 'tensor/random',
      hint: 'Draw inside a function given to compile, or wrap the call in withRandom(seed, fn).',
    })
  }
  return current(spec)
}
