import { check, describe } from '@regimen/core'
import { type Net, type NetContext, random } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { checkSizes } from './metric.ts'

/** Options of {@link featureWise}. */
export interface FeatureWiseOptions {
  /** Size of the last axis, ≥ 1. */
  features: number
  /** Deviation of the factors, before softplus. @default 0.3 */
  gamma?: number
  /** Deviation of the shifts, before softplus. @default 0.5 */
  beta?: number
}

/**
 * Makes a layer that imitates other domains while training: z ← γ ∘ z + β with γ ~ N(1, softplus(γ₀)²) and β ~ N(0, softplus(β₀)²),
 * one draw a feature. Otherwise it passes z on. Put it behind the normalization of an embedding whose tasks will come from
 * markets that training has not seen; where they come from the same ones it costs accuracy.
 *
 * Support and query of one meta-iteration see the same draw. A run that resumes from a checkpoint draws anew, so it does not end in
 * the same bytes.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { featureWise, relation } from '@regimen/meta'
 * import { dense, layerNorm, mlp, sequential } from '@regimen/tensor'
 *
 * const net = sequential([dense({ inputs: 64, outputs: 16 }), layerNorm({ features: 16 }), featureWise({ features: 16 })])
 * const learner = relation({ ways: 5, scales: [{ net, relation: mlp({ sizes: [32, 16, 1] }) }] })
 * learner.id // => 'meta/relation'
 * ```
 *
 * Reference: Tseng, Lee, Huang and Yang 2020, "Cross-domain few-shot classification via learned feature-wise transformation", with
 * its fixed hyper-parameters.
 */
export function featureWise(options: FeatureWiseOptions): Net<[]> {
  const where = 'meta/feature-wise'
  const { features, gamma = 0.3, beta = 0.5 } = options
  checkSizes(where, { features })
  for (const [name, value] of Object.entries({ gamma, beta })) {
    check(Number.isFinite(value), where, () => `${name} must be finite, got ${describe(value)}.`)
  }
  const [spread, shift] = [softplus(gamma), softplus(beta)]
  const draws = new WeakMap<object, readonly [factor: tf.Tensor, term: tf.Tensor]>()
  return {
    init: () => [],
    taskAxis: () => undefined,
    apply(_, x, context: NetContext = {}) {
      if (!context.training) return x
      check(
        x.shape.at(-1) === features,
        where,
        () => `the input's last axis must be ${features}, got shape [${x.shape.join(', ')}].`,
      )
      // The list of updates is one for all passes of a meta-iteration.
      const pass = context.updates
      const [factor, term] = (pass && draws.get(pass)) ?? [
        random.normal([features], { mean: 1, deviation: spread }),
        random.normal([features], { deviation: shift }),
      ]
      if (pass) draws.set(pass, [factor, term])
      return tf.add(tf.mul(x, factor), term)
    },
  }
}

const softplus = (x: number): number => Math.log1p(Math.exp(x))
