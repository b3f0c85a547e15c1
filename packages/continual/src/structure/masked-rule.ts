import { check } from '@regimen/core'
import type { UpdateInputs, UpdateRule } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'

/**
 * Holds parameters still: wraps a rule so that those whose mask is 0 keep their value bit for bit, whatever gradients, penalties
 * or weight decay ask for; those with 1 move as the rule says. The next value is p + m (rule(p, m g) − p). Give it to
 * `openTrainer` after `pruneByMagnitude`, or to fine-tune a part of a net; the mask lies in the rule's state, so snapshots keep it.
 * The mask follows the trainer's one vector of parameters, in the order of their leaves.
 *
 * ```ts
 * import { maskedRule } from '@regimen/continual'
 * import { sgd } from '@regimen/tensor'
 * import * as tf from '@tensorflow/tfjs'
 *
 * const rule = maskedRule(sgd(), [1, 0])
 * const params = tf.tensor1d([5, 5])
 * const { state } = { state: { frozen: tf.tensor1d([1, 0]) } }
 * const next = rule.apply(params, { gradients: tf.tensor1d([2, 2]), state, rate: 1 })
 * Array.from(next.params.dataSync()) // => [3, 5]
 * ```
 */
export function maskedRule(rule: UpdateRule, mask: ArrayLike<number>): UpdateRule {
  const data = Float32Array.from(mask)
  const where = 'continual/masked-rule'
  for (let i = 0; i < data.length; i++)
    check(data[i] === 0 || data[i] === 1, where, () => `the mask must hold zeros and ones, got ${mask[i]} at ${i}.`)
  return {
    init(params) {
      const size = (params as { readonly shape?: readonly number[] }).shape?.[0]
      check(
        size === data.length,
        where,
        () => `the mask holds ${data.length} numbers, but the parameters are a vector of ${size}.`,
        'Give a number for each parameter.',
      )
      return { ...rule.init(params), frozen: { dtype: 'float32', shape: [data.length], data: data.slice() } }
    },
    apply(params, inputs) {
      const { frozen, ...state } = inputs.state
      const next = maskedMove(
        rule,
        params as tf.Tensor,
        { ...inputs, gradients: inputs.gradients as tf.Tensor, state },
        frozen!,
      )
      return { params: next.params as typeof params, state: { ...next.state, frozen: frozen! } }
    },
  }
}

/** One move of a rule over a vector, of which the parameters with mask 0 stay. Without a mask it is the rule's own. */
export function maskedMove(
  rule: UpdateRule,
  vector: tf.Tensor,
  inputs: UpdateInputs<tf.Tensor>,
  mask: tf.Tensor | null,
): { params: tf.Tensor; state: { readonly [slot: string]: tf.Tensor } } {
  if (!mask) return rule.apply(vector, inputs)
  const next = rule.apply(vector, { ...inputs, gradients: tf.mul(inputs.gradients, mask) })
  return { params: tf.add(vector, tf.mul(mask, tf.sub(next.params, vector))), state: next.state }
}
