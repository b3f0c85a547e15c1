import { check } from '@regimen/core'
import {
  type DenseParams,
  dense,
  flattenTree,
  mlp,
  type TensorLeaf,
  type TensorTree,
  unflattenTree,
} from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { onePass, type ReadPass } from '../context/one-pass.ts'
import { checkCounts, checkVectors, readAnswers, type TargetOptions, toldTargets, weightsOf } from '../context/sets.ts'
import { encode, firstPass } from '../context/task-norm.ts'
import type { MetaLearner, MetaNet, SetTensors, Weights } from '../learner.ts'
import type { StatisticUpdates } from '../statistics.ts'

/** Options of {@link hypernetwork}. */
export interface HypernetworkOptions extends TargetOptions {
  /** The net whose weights are generated; answers with `ways`, or with `outputs` numbers. */
  net: MetaNet
  /** Features of a sample as the support's reader sees it, ≥ 1. */
  inputs: number
  /** Turns samples into vectors of `inputs` numbers for the reader. @default none: samples are vectors */
  encoder?: MetaNet
  /** Numbers that sum up a support, ≥ 1. @default 32 */
  embedding?: number
  /** Hidden units of the reader, ≥ 1. @default 64 */
  hidden?: number
  /** Start of the paths of the parameters that are generated, for example `'2'`; the others are shared. @default all */
  generates?: string
}

interface HyperParams {
  /** The net's own parameters: what is generated is added to them. */
  readonly net: TensorTree
  readonly encoder: TensorTree | undefined
  readonly reader: DenseParams[]
  readonly summary: DenseParams[]
  readonly generator: DenseParams
}

/**
 * Makes a hypernetwork: a reader sums up the support, z = f(Σ w g(x, y) / Σ w), and a linear layer turns the sum into the weights
 * of the net that answers, θ = θ₀ + G z. No gradient is needed to adapt, and the answer costs what the small net costs: the
 * choice where many answers follow one adaptation, or where the adapted net is to be handed out (`adapted.own`).
 * {@link inContext} looks at single samples while it answers and is usually more accurate; {@link cavia} finds its few
 * numbers by gradients and so stays useful off the beaten track. G has `embedding` numbers for each generated weight: generate the head
 * alone (`generates`) for large nets. G starts small, so training starts near a plain net.
 *
 * The order of the support has no say, samples of weight 0 have none either.
 *
 * ```ts
 * import { hypernetwork } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = hypernetwork({ net: mlp({ sizes: [13, 32, 6] }), inputs: 13, ways: 6, generates: '1' })
 * learner.steps // => 1
 * ```
 *
 * References: Ha, Dai and Le 2017; Zaheer et al. 2017 for the sum.
 */
export function hypernetwork(options: HypernetworkOptions): MetaLearner {
  const where = 'meta/hypernetwork'
  const answers = readAnswers(where, options)
  const { net, encoder, inputs, embedding = 32, hidden = 64, generates = '' } = options
  checkCounts(where, { inputs, embedding, hidden })
  const reader = mlp({ sizes: [inputs + answers.told, hidden, hidden], outputActivation: 'relu' })
  const summary = mlp({ sizes: [hidden, hidden, embedding], outputActivation: 'tanh' })
  const chosen = (path: string): boolean => generates === '' || path === generates || path.startsWith(`${generates}.`)
  const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

  const read = (params: HyperParams, set: SetTensors, pass: ReadPass): { [path: string]: tf.Tensor } => {
    const x =
      encoder && params.encoder ? encode(encoder, params.encoder, set.x, { ...pass, task: firstPass(set) }) : set.x
    checkVectors(where, x, inputs)
    const seen = reader.apply(params.reader, tf.concat([x, toldTargets(where, answers, set.y)], -1))
    const weights = tf.expandDims(weightsOf(set), 1)
    const mean = tf.div(tf.squeeze(tf.matMul(weights, seen), [1]), tf.sum(weights, 2))
    const z = summary.apply(params.summary, mean)
    const { leaves, paths } = flattenTree<tf.Tensor>(params.net)
    const wanted = leaves.map((leaf, i) => ({ leaf, path: paths[i]! })).filter(({ path }) => chosen(path))
    const flat = tf.matMul(z, params.generator.kernel)
    const parts = tf.split(
      flat,
      wanted.map(({ leaf }) => leaf.size),
      1,
    )
    return Object.fromEntries(
      wanted.map(({ leaf, path }, i) => [path, tf.add(tf.reshape(parts[i]!, [-1, ...leaf.shape]), leaf)]),
    )
  }
  const answer = (
    params: HyperParams,
    own: { readonly [path: string]: tf.Tensor },
    x: tf.Tensor,
    { updates }: ReadPass,
  ): tf.Tensor => {
    const { leaves, paths, structure } = flattenTree<tf.Tensor>(params.net)
    const tasks = x.shape[0]!
    // Nets want either all parameters with the task axis or none.
    const all = leaves.map(
      (leaf, i) => own[paths[i]!] ?? tf.add(tf.expandDims(leaf, 0), tf.zeros([tasks, ...leaf.shape.map(() => 1)])),
    )
    const changes: StatisticUpdates = []
    const y = net.apply(unflattenTree(structure, all) as TensorTree, x, {
      tasks: true,
      training: updates !== undefined,
      updates: changes,
    })
    // Statistics are those of the shared parameters, mean over the tasks.
    for (const [old, next] of changes) updates?.push([leaves[all.indexOf(old)]!, tf.mean(next, 0)])
    return y
  }
  return onePass({
    id: where,
    answers,
    config: { inputs, outputs: answers.outputs, embedding, hidden, generates },
    init(rng) {
      const base = net.init(rng.split('net')) as Weights
      const { leaves, paths } = flattenTree<TensorLeaf>(base)
      const outputs = leaves.reduce((sum, { shape }, i) => sum + (chosen(paths[i]!) ? sizeOf(shape) : 0), 0)
      check(outputs > 0, where, () => `no parameter starts with "${generates}", the paths are ${paths.join(', ')}.`)
      const { kernel } = dense({ inputs: embedding, outputs, bias: false }).init(rng.split('generator'))
      return {
        net: base,
        ...(encoder ? { encoder: encoder.init(rng.split('encoder')) as Weights } : {}),
        reader: reader.init(rng.split('reader')),
        summary: summary.init(rng.split('summary')),
        generator: { kernel },
      }
    },
    read: (params, set, pass) => read(params as unknown as HyperParams, set, pass),
    answer: (params, own, x, pass) =>
      answer(params as unknown as HyperParams, own as { readonly [path: string]: tf.Tensor }, x, pass),
  })
}
