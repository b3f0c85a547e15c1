import { check, describe } from '@regimen/core'

/** A learning rate for each update, counted from 0. Pass its value into the compiled step as an input. */
export type Schedule = (step: number) => number

/** Options of {@link cosineDecay}. */
export interface CosineDecayOptions {
  /** Rate at step 0, ≥ 0. */
  from: number
  /** Rate from the last step on. @default 0 */
  to?: number
  /** Steps until `to` is reached, ≥ 1. */
  steps: number
}

/**
 * Makes a rate that falls along half a cosine: to + (from − to) (1 + cos(π t / steps)) / 2.
 *
 * ```ts
 * import { cosineDecay } from '@regimen/tensor'
 *
 * const rate = cosineDecay({ from: 1, steps: 100 })
 * rate(50) // ≈ 0.5
 * rate(500) // => 0
 * ```
 *
 * Reference: Loshchilov and Hutter 2017.
 */
export function cosineDecay({ from, to = 0, steps }: CosineDecayOptions): Schedule {
  checkRate('cosine-decay', 'from', from)
  checkRate('cosine-decay', 'to', to)
  checkSteps('cosine-decay', steps)
  return (step) => to + ((from - to) * (1 + Math.cos(Math.PI * Math.min(step / steps, 1)))) / 2
}

/** Options of {@link stepDecay}. */
export interface StepDecayOptions {
  /** Rate at step 0, ≥ 0. */
  from: number
  /** Factor at each fall, > 0. @default 0.1 */
  factor?: number
  /** Steps between falls, ≥ 1. */
  every: number
}

/**
 * Makes a rate that falls by a factor every so many steps: from · factor^⌊t / every⌋.
 *
 * ```ts
 * import { stepDecay } from '@regimen/tensor'
 *
 * stepDecay({ from: 1, factor: 0.5, every: 10 })(25) // => 0.25
 * ```
 */
export function stepDecay({ from, factor = 0.1, every }: StepDecayOptions): Schedule {
  checkRate('step-decay', 'from', from)
  checkRate('step-decay', 'factor', factor)
  checkSteps('step-decay', every)
  return (step) => from * factor ** Math.floor(step / every)
}

/** Options of {@link exponentialDecay}. */
export interface ExponentialDecayOptions {
  /** Rate at step 0, ≥ 0. */
  from: number
  /** Factor over `steps`, > 0. */
  factor: number
  /** Steps in which the rate falls by the factor, ≥ 1. @default 1 */
  steps?: number
}

/**
 * Makes a rate that falls evenly on a logarithmic scale: from · factor^(t / steps).
 *
 * ```ts
 * import { exponentialDecay } from '@regimen/tensor'
 *
 * exponentialDecay({ from: 8, factor: 0.25, steps: 10 })(5) // => 4
 * ```
 */
export function exponentialDecay({ from, factor, steps = 1 }: ExponentialDecayOptions): Schedule {
  checkRate('exponential-decay', 'from', from)
  checkRate('exponential-decay', 'factor', factor)
  checkSteps('exponential-decay', steps)
  return (step) => from * factor ** (step / steps)
}

/** Options of {@link warmup}. */
export interface WarmupOptions {
  /** Steps until the full rate is reached, ≥ 1. */
  steps: number
  /** What follows; it counts its steps from the end of the warm-up. */
  after: Schedule
}

/**
 * Makes a rate that rises in a straight line to a schedule's first value and then follows the schedule.
 *
 * ```ts
 * import { constantRate, warmup } from '@regimen/tensor'
 *
 * const rate = warmup({ steps: 4, after: constantRate(1) })
 * Array.from({ length: 5 }, (_, step) => rate(step)) // => [0.25, 0.5, 0.75, 1, 1]
 * ```
 */
export function warmup({ steps, after }: WarmupOptions): Schedule {
  checkSteps('warmup', steps)
  return (step) => (step < steps ? (after(0) * (step + 1)) / steps : after(step - steps))
}

/**
 * Makes a rate that never changes.
 *
 * ```ts
 * import { constantRate } from '@regimen/tensor'
 *
 * constantRate(0.01)(1000) // => 0.01
 * ```
 */
export function constantRate(rate: number): Schedule {
  checkRate('constant-rate', 'rate', rate)
  return () => rate
}

function checkRate(name: string, option: string, value: number): void {
  check(Number.isFinite(value) && value >= 0, `tensor/${name}`, () => `${option} must be ≥ 0, got ${describe(value)}.`)
}

function checkSteps(name: string, value: number): void {
  check(Number.isFinite(value) && value >= 1, `tensor/${name}`, () => `steps must be ≥ 1, got ${describe(value)}.`)
}
