import * as tf from '@tensorflow/tfjs-core'
import { type GradientTable, kernel, mask, unbroadcast, zeros } from './common.ts'

const SELU_SCALE_ALPHA = 1.7580993408473768
const SELU_SCALE = 1.0507009873554805

// tfjs saves the output of these. A saved clone enters the tape before the op that made it, so a second pass takes it
// for a constant; computing the output again from the saved input keeps the connection, and the first-order bits.
const savedOutputs: GradientTable = {
  Sigmoid: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => ({
      x: () => {
        const y = tf.sigmoid(x!)
        return tf.mul(dy, tf.mul(y, tf.sub(tf.scalar(1), y)))
      },
    }),
  },
  Tanh: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => ({ x: () => tf.mul(tf.sub(tf.scalar(1), tf.square(tf.tanh(x!))), dy) }),
  },
  Exp: { inputsToSave: ['x'], gradFunc: (dy, [x]) => ({ x: () => tf.mul(dy, tf.exp(x!)) }) },
  Elu: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => ({ x: () => kernel('EluGrad', { dy, y: tf.elu(x!) }) }),
  },
  // EluGrad(dy, y) = dy · (y ≥ 0 ? 1 : y + 1)
  EluGrad: {
    inputsToSave: ['dy', 'y'],
    gradFunc: (ddx, [dy, y]) => ({
      dy: () => kernel('EluGrad', { dy: ddx, y: y! }),
      y: () => tf.mul(tf.mul(ddx, dy!), mask(tf.less(y!, 0))),
    }),
  },
  Softmax: {
    inputsToSave: ['logits'],
    gradFunc: (dy, [logits], { dim }) => ({
      logits: () => {
        const y = tf.softmax(logits!, dim as number)
        const weighted = tf.mul(dy, y)
        return tf.sub(weighted, tf.mul(tf.sum(weighted, [dim as number], true), y))
      },
    }),
  },
  LogSoftmax: {
    inputsToSave: ['logits'],
    gradFunc: (dy, [logits], { axis }) => ({
      logits: () => {
        const y = kernel('LogSoftmax', { logits: logits! }, { axis })
        return tf.sub(dy, tf.mul(tf.sum(dy, axis as number, true), tf.exp(y)))
      },
    }),
  },
}

// Piecewise ops and those that tfjs forgets to sum over broadcast axes.
const piecewise: GradientTable = {
  Abs: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => ({
      x: () => tf.mul(dy, tf.step(tf.cast(x!, 'float32'), -1)),
    }),
  },
  Relu: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => ({
      x: () => tf.mul(dy, mask(tf.step(x!))),
    }),
  },
  Relu6: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => ({
      x: () => tf.mul(dy, mask(tf.mul(tf.lessEqual(x!, 6), tf.step(x!)))),
    }),
  },
  LeakyRelu: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], { alpha }) => ({
      x: () => tf.where(tf.greater(x!, 0), dy, tf.mul(dy, alpha as number)),
    }),
  },
  Prelu: {
    inputsToSave: ['x', 'alpha'],
    gradFunc: (dy, [x, alpha]) => {
      const positive = () => tf.greater(x!, 0)
      return {
        x: () => tf.where(positive(), dy, tf.mul(dy, alpha!)),
        alpha: () => unbroadcast(tf.where(positive(), tf.zerosLike(dy), tf.mul(dy, x!)), alpha!.shape),
      }
    },
  },
  Selu: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => ({
      x: () => {
        const left = tf.mul(tf.mul(dy, tf.scalar(SELU_SCALE_ALPHA)), tf.exp(tf.cast(x!, 'float32')))
        return tf.where(tf.greater(x!, tf.scalar(0)), tf.mul(dy, tf.scalar(SELU_SCALE)), left)
      },
    }),
  },
  ClipByValue: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], { clipValueMin, clipValueMax }) => ({
      x: () => {
        const inside = tf.logicalAnd(
          tf.greaterEqual(x!, clipValueMin as number),
          tf.lessEqual(x!, clipValueMax as number),
        )
        return tf.where(inside, dy, tf.zerosLike(dy))
      },
    }),
  },
  Select: {
    inputsToSave: ['condition'],
    gradFunc: (dy, [condition]) => ({
      condition: () => zeros(condition!.shape),
      t: () => tf.mul(dy, tf.cast(condition!, dy.dtype)),
      e: () => tf.mul(dy, tf.cast(tf.logicalNot(condition as tf.Tensor<tf.Rank>), dy.dtype)),
    }),
  },
  // tfjs forgets to sum over broadcast axes in the next three and throws.
  Maximum: {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({
      a: () => unbroadcast(tf.mul(dy, mask(tf.greaterEqual(a!, b!))), a!.shape),
      b: () => unbroadcast(tf.mul(dy, mask(tf.less(a!, b!))), b!.shape),
    }),
  },
  Minimum: {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({
      a: () => unbroadcast(tf.mul(dy, mask(tf.lessEqual(a!, b!))), a!.shape),
      b: () => unbroadcast(tf.mul(dy, mask(tf.greater(a!, b!))), b!.shape),
    }),
  },
  SquaredDifference: {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({
      a: () => unbroadcast(tf.mul(dy, tf.mul(tf.scalar(2), tf.sub(a!, b!))), a!.shape),
      b: () => unbroadcast(tf.mul(dy, tf.mul(tf.scalar(2), tf.sub(b!, a!))), b!.shape),
    }),
  },
  Mod: {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({
      a: () => unbroadcast(dy, a!.shape),
      b: () => unbroadcast(tf.mul(dy, tf.neg(tf.floor(tf.div(a!, b!)))), b!.shape),
    }),
  },
}

/** Elementwise kernels whose tfjs gradients fail or lie in the second pass. */
export const elementwise: GradientTable = { ...savedOutputs, ...piecewise, ...zeroGradients() }

// Comparisons and logic are flat almost everywhere; tfjs has no gradient for most of them.
function zeroGradients(): GradientTable {
  const pair = ['Greater', 'GreaterEqual', 'Less', 'LessEqual', 'Equal', 'NotEqual', 'LogicalAnd', 'LogicalOr']
  const binary = {
    inputsToSave: ['a', 'b'],
    gradFunc: (_: tf.Tensor, [a, b]: tf.Tensor[]) => ({
      a: () => zeros(a!.shape),
      b: () => zeros(b!.shape),
    }),
  }
  const unary = {
    inputsToSave: ['x'],
    gradFunc: (_: tf.Tensor, [x]: tf.Tensor[]) => ({ x: () => zeros(x!.shape) }),
  }
  const single = ['LogicalNot', 'Step', 'Sign', 'Floor', 'Ceil', 'Round', 'IsNan', 'IsInf', 'IsFinite']
  return Object.fromEntries([
    ...pair.map((name) => [name, binary] as const),
    ...[...single, 'ArgMax', 'ArgMin', 'ZerosLike', 'OnesLike', 'Any', 'All'].map((name) => [name, unary] as const),
  ])
}
