import * as tf from '@tensorflow/tfjs-core'
import { type GradientTable, spread, unbroadcast } from './common.ts'

/** Products of matrices and tensors. */
export const linear: GradientTable = {
  BatchMatMul: {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b], { transposeA, transposeB }) => {
      const [x, w] = [a!, b!]
      // tfjs forgets to sum over broadcast batch axes and throws.
      const left = (gradient: tf.Tensor) => (sameShape(gradient, x) ? gradient : unbroadcast(gradient, x.shape))
      const right = (gradient: tf.Tensor) => (sameShape(gradient, w) ? gradient : unbroadcast(gradient, w.shape))
      if (transposeA) {
        return transposeB
          ? { a: () => left(tf.matMul(w, dy, true, true)), b: () => right(tf.matMul(dy, x, true, true)) }
          : { a: () => left(tf.matMul(w, dy, false, true)), b: () => right(tf.matMul(x, dy, false, false)) }
      }
      return transposeB
        ? { a: () => left(tf.matMul(dy, w, false, false)), b: () => right(tf.matMul(dy, x, true, false)) }
        : { a: () => left(tf.matMul(dy, w, false, true)), b: () => right(tf.matMul(x, dy, true, false)) }
    },
  },
  Einsum: {
    saveAllInputs: true,
    gradFunc: (dy, saved, { equation }) => {
      const [terms, output] = parseEquation(String(equation))
      return Object.fromEntries(
        saved.map((input, i) => [i, () => einsumGradient(dy, saved, terms, output, i, input.shape)]),
      )
    },
  },
}

function sameShape(a: tf.Tensor, b: tf.Tensor): boolean {
  return tf.util.arraysEqual(a.shape, b.shape)
}

function parseEquation(equation: string): [terms: string[], output: string] {
  const [left, right] = equation.replace(/\s/g, '').split('->')
  return [left!.split(','), right ?? '']
}

// The gradient of one operand is the einsum of the output's gradient with the other operands; letters that occur in
// this operand alone were summed away, so their gradient is constant along them.
function einsumGradient(
  dy: tf.Tensor,
  operands: tf.Tensor[],
  terms: string[],
  output: string,
  at: number,
  shape: number[],
): tf.Tensor {
  const others = operands.filter((_, i) => i !== at)
  const otherTerms = terms.filter((_, i) => i !== at)
  const mine = terms[at]!
  const reachable = [...mine].filter((letter) => output.includes(letter) || otherTerms.join('').includes(letter))
  const gradient = tf.einsum(`${[output, ...otherTerms].join(',')}->${reachable.join('')}`, dy, ...others)
  const expanded = tf.reshape(
    gradient,
    [...mine].map((letter, axis) => (reachable.includes(letter) ? shape[axis]! : 1)),
  )
  return spread(expanded, shape)
}
