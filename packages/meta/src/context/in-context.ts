import { check, describe } from '@regimen/core'
import { type DenseParams, dense, type TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { MetaLearner, MetaNet, SetTensors, Weights } from '../learner.ts'
import { attentionBlock, type BlockParams, logWeights, type Remembered, rootMeanSquareNorm } from './attention.ts'
import { onePass, type ReadPass } from './one-pass.ts'
import { checkCounts, checkVectors, readAnswers, type TargetOptions, toldTargets, weightsOf } from './sets.ts'
import { encode, firstPass, laterPass, type Moments, type TaskPass } from './task-norm.ts'

/** Options of {@link inContext}. */
export interface InContextOptions extends TargetOptions {
  /** Features of a sample, ≥ 1; of the encoder's output where there is an encoder. */
  inputs: number
  /** Turns samples into vectors of `inputs` numbers, for windows or images. @default none: samples are vectors */
  encoder?: MetaNet
  /** Size of a token, a multiple of `heads`. @default 64 */
  width?: number
  /** Heads of attention, ≥ 1. @default 4 */
  heads?: number
  /** Transformer blocks, ≥ 1. @default 3 */
  layers?: number
  /** Width of the feed-forward part of a block, ≥ 1. @default 2 · width */
  hidden?: number
  /**
   * How classes are answered. `linear`: a layer on the last token, where class k means the same in every task, and in
   * regression. `vote`: the support samples vote for their labels by a last attention, where tasks number their classes at
   * random.
   * @default 'linear'
   */
  readout?: 'linear' | 'vote'
}

interface InContextParams {
  readonly encoder: TensorTree | undefined
  readonly sample: DenseParams
  readonly target: DenseParams
  readonly unknown: tf.Tensor
  readonly blocks: readonly BlockParams[]
  readonly head: DenseParams
}

/** What a task owns. */
interface Context {
  /** Keys and values of the support, block by block. */
  readonly layers: readonly Remembered[]
  /** Logarithms of the samples' weights, [T, 1, 1, n]. */
  readonly bias: tf.Tensor
  /** What the support measured for task normalization, where the encoder has it. */
  readonly moments?: readonly Moments[]
  /** For votes: last tokens as keys [T, n, width], and who votes for what [T, n, ways]. */
  readonly ballot?: { readonly keys: tf.Tensor; readonly labels: tf.Tensor }
}

/**
 * Makes an in-context learner: a transformer that reads the support as tokens (sample and target) and answers queries in
 * the same pass, without gradients. Trained on simulated tasks it approximates the posterior prediction under the prior that
 * they are drawn from ("prior-fitted"). Support tokens attend to the support; queries attend to the support alone, never to
 * each other, so an answer does not depend on its company. The order of the support has no say, samples of weight 0 have
 * none either, and a sample of weight 2 is the same as two samples.
 *
 * The keys and values of the support in every layer are what a task owns: adaptation is one pass and cannot diverge, and later queries
 * cost no more than a small net. It wants more training tasks than {@link maml} and knows no other tasks than those it was
 * fitted on, so {@link metaSgd} is safer where tasks may leave the simulator's range. Memory grows with the square of the support.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { adapt, evaluate, inContext, metaTrain, sampleFamily, sinusoids } from '@regimen/meta'
 * import { meanSquaredError } from '@regimen/tensor'
 *
 * const learner = inContext({ inputs: 1, targets: 1, width: 16, layers: 2, loss: meanSquaredError })
 * const tasks = sampleFamily(sinusoids({ shots: 10 }), { seed: 1 })
 * const { model, losses } = await metaTrain(learner, tasks, { iterations: 60, tasksPerBatch: 8, rate: 3e-3 })
 * losses.at(-1)! < losses[0]! // => true
 * const [task] = await tasks.batch(1_000_000, 1)
 * const adapted = await adapt(model, task!.support)
 * const answers = await adapted.predict(task!.query.x)
 * answers.shape // => [10, 1]
 * ```
 *
 * References: Müller, Hollmann, Pineda Arango, Grabocka and Hutter 2022 (prior-data fitted networks); Vinyals et al. 2016 for the vote.
 */
export function inContext(options: InContextOptions): MetaLearner {
  const where = 'meta/in-context'
  const answers = readAnswers(where, options)
  const { inputs, encoder, width = 64, heads = 4, layers = 3, hidden = 2 * width, readout = 'linear' } = options
  checkCounts(where, { inputs, width, heads, layers, hidden })
  check(width % heads === 0, where, () => `width must be a multiple of heads, got ${width} and ${heads}.`)
  check(readout === 'linear' || readout === 'vote', where, () => `readout must be "linear" or "vote", got ${readout}.`)
  const vote = readout === 'vote'
  check(
    !vote || answers.ways !== undefined,
    where,
    () => `readout "vote" needs classes, got ways ${describe(answers.ways)}.`,
    'Pass { ways }, or take "linear" for regression.',
  )
  const sample = dense({ inputs, outputs: width })
  const target = dense({ inputs: answers.told, outputs: width, bias: false })
  const head = dense({ inputs: width, outputs: vote ? width : answers.outputs })
  const block = attentionBlock(width, heads, hidden)

  /** Tokens as rows, [T · n, width]. */
  const embed = (params: InContextParams, x: tf.Tensor, pass: ReadPass, task: TaskPass): tf.Tensor => {
    const features = encoder && params.encoder ? encode(encoder, params.encoder, x, { ...pass, task }) : x
    checkVectors(where, features, inputs)
    return sample.apply(params.sample, tf.reshape(features, [-1, inputs]))
  }
  const read = (params: InContextParams, set: SetTensors, pass: ReadPass): Context => {
    const told = toldTargets(where, answers, set.y)
    const [tasks, n] = told.shape as [number, number]
    const bias = tf.expandDims(tf.expandDims(logWeights(weightsOf(set)), 1), 1)
    const task = firstPass(set)
    let tokens = tf.add(
      embed(params, set.x, pass, task),
      target.apply(params.target, tf.reshape(told, [-1, answers.told])),
    )
    const remembered: Remembered[] = []
    params.blocks.forEach((p, i) => {
      const memory = block.remember(p, tokens, tasks)
      remembered.push(memory)
      // Nothing looks at the tokens after the last block unless they vote.
      if (vote || i < layers - 1) tokens = block.look(p, tokens, memory, bias)
    })
    return {
      layers: remembered,
      bias,
      ...(task.taken.length > 0 ? { moments: task.taken } : {}),
      ...(vote ? { ballot: { keys: tf.reshape(rootMeanSquareNorm(tokens), [tasks, n, width]), labels: told } } : {}),
    }
  }
  const answer = (params: InContextParams, own: Context, x: tf.Tensor, pass: ReadPass): tf.Tensor => {
    let tokens = tf.add(embed(params, x, pass, laterPass(own.moments)), params.unknown)
    params.blocks.forEach((p, i) => {
      tokens = block.look(p, tokens, own.layers[i]!, own.bias)
    })
    const flat = head.apply(params.head, rootMeanSquareNorm(tokens))
    const last = tf.reshape(flat, [...x.shape.slice(0, 2), -1])
    if (!own.ballot) return last
    const scores = tf.mul(tf.matMul(last, own.ballot.keys, false, true), 1 / Math.sqrt(width))
    const ballots = tf.softmax(tf.add(scores, tf.squeeze(own.bias, [1])))
    return tf.log(tf.add(tf.matMul(ballots, own.ballot.labels), 1e-6))
  }
  return onePass({
    id: where,
    answers,
    config: { inputs, outputs: answers.outputs, width, heads, layers, hidden, readout },
    init: (rng): Weights => ({
      ...(encoder ? { encoder: encoder.init(rng.split('encoder')) as Weights } : {}),
      sample: sample.init(rng.split('sample')),
      target: target.init(rng.split('target')),
      unknown: { dtype: 'float32', shape: [width], data: new Float32Array(width) },
      blocks: Array.from({ length: layers }, (_, i) => block.init(rng.split('block').split(i))),
      head: head.init(rng.split('head')),
    }),
    read: (params, set, pass) => read(params as unknown as InContextParams, set, pass) as unknown as TensorTree,
    answer: (params, own, x, pass) => answer(params as unknown as InContextParams, own as unknown as Context, x, pass),
  })
}
