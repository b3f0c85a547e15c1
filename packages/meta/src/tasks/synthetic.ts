import { check, describe, type Rng } from '@regimen/core'
import type { TaskFamily } from './sampler.ts'
import type { TaskSet } from './task.ts'

/** Options of the families of functions of one variable. */
export interface FunctionFamilyOptions {
  /** Support samples, ≥ 1. */
  shots: number
  /** Query samples, ≥ 1. @default shots */
  queries?: number
  /** Standard deviation of the noise on y, ≥ 0. @default 0 */
  noise?: number
}

/** A sine wave: amplitude · sin(x + phase). */
export interface Sinusoid {
  readonly amplitude: number
  readonly phase: number
}

/**
 * Makes the family of sine waves, the standard test of meta-learned regression: amplitude U[0.1, 5], phase U[0, π], x
 * U[−5, 5]. The amplitude is the difficulty.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { sinusoids } from '@regimen/meta'
 *
 * const { support } = sinusoids({ shots: 1 }).task({ amplitude: 2, phase: 0 }, createRng(1))
 * support.y.data[0]! - 2 * Math.sin(support.x.data[0]!) // ≈ 0.00000
 * ```
 *
 * Reference: Finn, Abbeel and Levine 2017.
 */
export function sinusoids(options: FunctionFamilyOptions): TaskFamily<Sinusoid> {
  const sets = readSets('meta/sinusoids', options)
  return {
    draw: (rng) => ({ amplitude: rng.uniform(0.1, 5), phase: rng.uniform(0, Math.PI) }),
    task: ({ amplitude, phase }, rng) => ({
      ...sets((x) => amplitude * Math.sin(x + phase), 5, rng),
      difficulty: amplitude,
    }),
  }
}

/** A sum of two sine waves: Σ amplitudes[i] · sin(frequency (i + 1) x + phases[i]). */
export interface Harmonic {
  readonly frequency: number
  readonly amplitudes: readonly [number, number]
  readonly phases: readonly [number, number]
}

/**
 * Makes the family of sums of a sine wave and its first overtone: frequency U[0.5, 1.5], amplitudes N(0, 1), phases
 * U[0, 2π], x U[−4, 4]. Harder than {@link sinusoids}, because a task has five unknowns.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { harmonics } from '@regimen/meta'
 *
 * const spec = { frequency: 1, amplitudes: [1, 0], phases: [0, 0] } as const
 * const { query } = harmonics({ shots: 5, queries: 1 }).task(spec, createRng(1))
 * query.y.data[0]! - Math.sin(query.x.data[0]!) // ≈ 0.00000
 * ```
 */
export function harmonics(options: FunctionFamilyOptions): TaskFamily<Harmonic> {
  const sets = readSets('meta/harmonics', options)
  return {
    draw: (rng) => ({
      frequency: rng.uniform(0.5, 1.5),
      amplitudes: [rng.normal(), rng.normal()],
      phases: [rng.uniform(0, 2 * Math.PI), rng.uniform(0, 2 * Math.PI)],
    }),
    task: ({ frequency, amplitudes: [a, b], phases: [p, q] }, rng) => ({
      ...sets((x) => a * Math.sin(frequency * x + p) + b * Math.sin(2 * frequency * x + q), 4, rng),
      difficulty: frequency * Math.hypot(a, b),
    }),
  }
}

/** A sine wave or a line: slope · x + intercept. */
export type SinusoidOrLine = Sinusoid | { readonly slope: number; readonly intercept: number }

/**
 * Makes the family that is half sine waves and half lines (slope and intercept U[−3, 3]): two kinds of tasks that want
 * different adaptations, as regimes do.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { sinusoidsAndLines } from '@regimen/meta'
 *
 * const { support, label } = sinusoidsAndLines({ shots: 1 }).task({ slope: 2, intercept: 1 }, createRng(1))
 * label // => 'line'
 * support.y.data[0]! - (2 * support.x.data[0]! + 1) // ≈ 0.00000
 * ```
 *
 * Reference: Finn, Xu and Levine 2018.
 */
export function sinusoidsAndLines(options: FunctionFamilyOptions): TaskFamily<SinusoidOrLine> {
  const sets = readSets('meta/sinusoids-and-lines', options)
  const waves = sinusoids(options)
  return {
    draw: (rng) =>
      rng.uniform() < 0.5 ? waves.draw(rng) : { slope: rng.uniform(-3, 3), intercept: rng.uniform(-3, 3) },
    task(spec, rng) {
      if (!('slope' in spec)) return { ...waves.task(spec, rng), label: 'sinusoid' }
      const { slope, intercept } = spec
      return { ...sets((x) => slope * x + intercept, 5, rng), label: 'line', difficulty: Math.abs(slope) }
    },
  }
}

type Sets = (fn: (x: number) => number, reach: number, rng: Rng) => { support: TaskSet; query: TaskSet }

function readSets(where: string, options: FunctionFamilyOptions): Sets {
  const { shots, queries = shots, noise = 0 } = options
  checkCount(where, 'shots', shots)
  checkCount(where, 'queries', queries)
  check(noise >= 0 && noise < Number.POSITIVE_INFINITY, where, () => `noise must be ≥ 0, got ${describe(noise)}.`)
  const draw = (fn: (x: number) => number, reach: number, n: number, rng: Rng): TaskSet => {
    const x = new Float32Array(n)
    const y = new Float32Array(n)
    for (let i = 0; i < n; i++) {
      x[i] = rng.uniform(-reach, reach)
      y[i] = fn(x[i]!) + (noise > 0 ? rng.normal(0, noise) : 0)
    }
    return { x: { dtype: 'float32', shape: [n, 1], data: x }, y: { dtype: 'float32', shape: [n, 1], data: y } }
  }
  return (fn, reach, rng) => ({ support: draw(fn, reach, shots, rng), query: draw(fn, reach, queries, rng) })
}

/** Fails unless a count is a whole number of at least one. */
export function checkCount(where: string, name: string, value: number): void {
  check(Number.isInteger(value) && value >= 1, where, () => `${name} must be an integer ≥ 1, got ${describe(value)}.`)
}
