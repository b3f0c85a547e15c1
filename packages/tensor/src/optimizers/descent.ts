import * as tf from '@tensorflow/tfjs-core'
import { checkFactor, checkShare, defineRule, type UpdateRule } from './rule.ts'

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** λ of the penalty λ p² / 2, added to the gradient as λ p. @default 0 */
  l2?: number
}

/**
 * Makes plain gradient descent, p ← p − rate · g. It has no state: the rule for inner loops.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { sgd } from '@regimen/tensor'
 *
 * const { params } = sgd().apply({ w: tf.scalar(1) }, { gradients: { w: tf.scalar(2) }, state: {}, rate: 0.25 })
 * params.w.dataSync()[0] // => 0.5
 * ```
 */
export function sgd({ l2 = 0 }: SgdOptions = {}): UpdateRule {
  return defineRule('sgd', { slots: [], l2, move: (g, _, rate) => ({ move: tf.mul(g, rate), state: {} }) })
}

/** Options of {@link momentum}. */
export interface MomentumOptions extends SgdOptions {
  /** Share μ of the velocity kept at each update, [0, 1). @default 0.9 */
  momentum?: number
  /** Look ahead along the velocity (Nesterov). @default false */
  nesterov?: boolean
}

/**
 * Makes gradient descent with momentum as PyTorch has it: v ← μ v + g, p ← p − rate · v (Nesterov: rate · (g + μ v)).
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { momentum } from '@regimen/tensor'
 *
 * const rule = momentum({ momentum: 0.5 })
 * const state = { velocity: tf.tensor1d([4]) }
 * const next = rule.apply({ w: tf.scalar(1) }, { gradients: { w: tf.scalar(1) }, state, rate: 0.5 })
 * // v = 0.5 · 4 + 1
 * next.params.w.dataSync()[0] // => -0.5
 * ```
 *
 * References: Polyak 1964; Sutskever et al. 2013.
 */
export function momentum(options: MomentumOptions = {}): UpdateRule {
  const { momentum: kept = 0.9, nesterov = false, l2 = 0 } = options
  checkShare('momentum', 'momentum', kept)
  return defineRule('momentum', {
    slots: ['velocity'],
    l2,
    move(g, { velocity: old }, rate) {
      const velocity = tf.add(tf.mul(old!, kept), g)
      const direction = nesterov ? tf.add(g, tf.mul(velocity, kept)) : velocity
      return { move: tf.mul(direction, rate), state: { velocity } }
    },
  })
}

/** Options of {@link rmsProp}. */
export interface RmsPropOptions extends SgdOptions {
  /** Share of the mean square kept at each update, [0, 1). @default 0.9 */
  decay?: number
  /** Added to the root, > 0. @default 1e-8 */
  epsilon?: number
}

/**
 * Makes RMSProp: s ← ρ s + (1 − ρ) g², p ← p − rate · g / (√s + ε).
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { rmsProp } from '@regimen/tensor'
 *
 * const rule = rmsProp({ decay: 0.75, epsilon: 0 })
 * const start = { gradients: { w: tf.scalar(2) }, state: { square: tf.tensor1d([0]) }, rate: 1 }
 * // s = 0.25 · 4, the move is 2 / √1
 * rule.apply({ w: tf.scalar(0) }, start).params.w.dataSync()[0] // => -2
 * ```
 *
 * Reference: Tieleman and Hinton 2012.
 */
export function rmsProp(options: RmsPropOptions = {}): UpdateRule {
  const { decay = 0.9, epsilon = 1e-8, l2 = 0 } = options
  checkShare('rms-prop', 'decay', decay)
  checkFactor('rms-prop', 'epsilon', epsilon)
  return defineRule('rms-prop', {
    slots: ['square'],
    l2,
    move(g, { square: old }, rate) {
      const square = tf.add(tf.mul(old!, decay), tf.mul(tf.square(g), 1 - decay))
      return { move: tf.mul(tf.div(g, tf.add(safeRoot(square), epsilon)), rate), state: { square } }
    },
  })
}

/** Options of {@link lion}. */
export interface LionOptions {
  /** Share of the momentum in the direction, [0, 1). @default 0.9 */
  beta1?: number
  /** Share of the momentum kept, [0, 1). @default 0.99 */
  beta2?: number
  /** λ of the decoupled decay p (1 − rate λ). @default 0 */
  weightDecay?: number
}

/**
 * Makes Lion: every parameter moves by the rate, in the direction sign(β₁ m + (1 − β₁) g); m ← β₂ m + (1 − β₂) g. Half of
 * Adam's memory; wants a rate three to ten times smaller and a weight decay as much larger.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { lion } from '@regimen/tensor'
 *
 * const start = { gradients: { w: tf.scalar(-7) }, state: { momentum: tf.tensor1d([0]) }, rate: 0.5 }
 * lion().apply({ w: tf.scalar(1) }, start).params.w.dataSync()[0] // => 1.5
 * ```
 *
 * Reference: Chen et al. 2023, "Symbolic discovery of optimization algorithms".
 */
export function lion(options: LionOptions = {}): UpdateRule {
  const { beta1 = 0.9, beta2 = 0.99, weightDecay = 0 } = options
  checkShare('lion', 'beta1', beta1)
  checkShare('lion', 'beta2', beta2)
  return defineRule('lion', {
    slots: ['momentum'],
    decay: weightDecay,
    move(g, { momentum: old }, rate) {
      const direction = tf.sign(tf.add(tf.mul(old!, beta1), tf.mul(g, 1 - beta1)))
      const next = tf.add(tf.mul(old!, beta2), tf.mul(g, 1 - beta2))
      return { move: tf.mul(direction, rate), state: { momentum: next } }
    },
  })
}

/**
 * √x whose derivative at 0 is finite: dead units have gradients of exactly zero, and a meta-gradient through Adam or
 * RMSProp would be 0 · ∞ there.
 */
export function safeRoot(x: tf.Tensor): tf.Tensor {
  return tf.sqrt(tf.add(x, 1e-30))
}
