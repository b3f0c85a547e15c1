import * as tf from '@tensorflow/tfjs-core'
import { safeRoot } from './descent.ts'
import { checkFactor, checkShare, defineRule, type UpdateRule } from './rule.ts'

/** Options of {@link adam}. */
export interface AdamOptions {
  /** Share of the mean kept at each update, [0, 1). @default 0.9 */
  beta1?: number
  /** Share of the mean square kept at each update, [0, 1). @default 0.999 */
  beta2?: number
  /** Added to the root, > 0. @default 1e-8 */
  epsilon?: number
  /** λ of the penalty λ p² / 2, added to the gradient as λ p. @default 0 */
  l2?: number
}

/**
 * Makes Adam: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², p ← p − rate · m̂ / (√v̂ + ε) with m̂ = m / (1 − β₁ᵗ),
 * v̂ = v / (1 − β₂ᵗ). Its `l2` is scaled by 1 / √v̂ like any gradient; for a decay that is not, take {@link adamW}.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { adam, toTensors } from '@regimen/tensor'
 *
 * const rule = adam()
 * const state = toTensors(rule.init({ w: tf.scalar(1) }))
 * const next = rule.apply({ w: tf.scalar(1) }, { gradients: { w: tf.scalar(-5) }, state, rate: 0.1 })
 * // the first move is the rate, whatever the gradient's size
 * next.params.w.dataSync()[0] // ≈ 1.1
 * ```
 *
 * Reference: Kingma and Ba 2015.
 */
export function adam(options: AdamOptions = {}): UpdateRule {
  return adamRule('adam', options, options.l2 ?? 0, 0)
}

/** Options of {@link adamW}. */
export interface AdamWOptions extends Omit<AdamOptions, 'l2'> {
  /** λ of the decoupled decay p (1 − rate λ). @default 0.01 */
  weightDecay?: number
}

/**
 * Makes AdamW: Adam with the weight decay applied to the parameters directly, p ← p (1 − rate λ) − rate · m̂ / (√v̂ + ε),
 * so that every weight decays at the same speed, whatever its gradients.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { adamW, toTensors } from '@regimen/tensor'
 *
 * const rule = adamW({ weightDecay: 0.5 })
 * const still = { gradients: { w: tf.scalar(0) }, state: toTensors(rule.init({ w: tf.scalar(1) })), rate: 0.1 }
 * rule.apply({ w: tf.scalar(1) }, still).params.w.dataSync()[0] // ≈ 0.95
 * ```
 *
 * Reference: Loshchilov and Hutter 2019.
 */
export function adamW(options: AdamWOptions = {}): UpdateRule {
  return adamRule('adam-w', options, 0, options.weightDecay ?? 0.01)
}

function adamRule(name: string, options: AdamOptions, l2: number, decay: number): UpdateRule {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options
  checkShare(name, 'beta1', beta1)
  checkShare(name, 'beta2', beta2)
  checkFactor(name, 'epsilon', epsilon)
  return defineRule(name, {
    slots: ['mean', 'square'],
    scalars: ['meanWeight', 'squareWeight'],
    l2,
    decay,
    move(g, old, rate) {
      const mean = average(old.mean!, g, beta1)
      const square = average(old.square!, tf.square(g), beta2)
      // 1 − βᵗ is the same average of ones. As a difference it would lose four digits in float32.
      const meanWeight = average(old.meanWeight!, tf.scalar(1), beta1)
      const squareWeight = average(old.squareWeight!, tf.scalar(1), beta2)
      // Both corrections are scalars: m̂ / (√v̂ + ε) = m √c₂ / c₁ / (√v + ε √c₂), two vector operations fewer.
      const root = tf.sqrt(squareWeight)
      const scale = tf.div(tf.mul(rate, root), meanWeight)
      const ratio = tf.div(mean, tf.add(safeRoot(square), tf.mul(root, epsilon)))
      return { move: tf.mul(ratio, scale), state: { mean, square, meanWeight, squareWeight } }
    },
  })
}

function average(old: tf.Tensor, fresh: tf.Tensor, kept: number): tf.Tensor {
  return tf.add(tf.mul(old, kept), tf.mul(fresh, 1 - kept))
}
