import type { TensorTree } from '@regimen/tensor'
import type { Tensor } from '@tensorflow/tfjs-core'
import type { MetaLearner, MetaNet, Weights } from '../learner.ts'
import {
  applyEmbedding,
  type ClassMeans,
  checkSizes,
  classMeans,
  defineMetric,
  membersOf,
  mergeMeans,
  nearness,
  toUnit,
} from './metric.ts'

/** Options of {@link zeroShot}. */
export interface ZeroShotOptions {
  /** Embeds a sample as a vector. */
  net: MetaNet
  /** Embeds the description of a class as a vector of the same length. */
  describe: MetaNet
  /** Classes of a task, ≥ 2; labels are 0 … ways − 1. */
  ways: number
  /** Length of both outputs, ≥ 1. */
  embedding: number
  /** Bring prototypes to length 1, which keeps the two spaces from drifting apart. @default true */
  unit?: boolean
}

interface ZeroShotParams {
  readonly net: TensorTree
  readonly describe: TensorTree
}

/**
 * Makes a learner that knows classes by description alone: the prototype of a class is the embedding of its description (its attributes,
 * the knots of a pattern), P(class | x) ∝ exp(−|f(x) − g(v)|²). The support of a task holds a row for each class with
 * `described: true`; no sample of a class is ever needed. Several descriptions of one class are averaged.
 *
 * For a learned score instead of the distance take {@link relation} with `describe`; where samples can be had take
 * {@link prototypical}.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { chartPatterns, evaluate, metaTrain, sampleFamily, zeroShot } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const tasks = sampleFamily(chartPatterns({ shots: 1, ways: 3, queries: 5, described: true }), { seed: 1 })
 * const nets = { net: mlp({ sizes: [64, 32, 8] }), describe: mlp({ sizes: [16, 32, 8] }) }
 * const { model } = await metaTrain(zeroShot({ ...nets, ways: 3, embedding: 8 }), tasks, { iterations: 50, tasksPerBatch: 4 })
 * const { accuracies } = await evaluate(model, await tasks.batch(1_000_000, 20))
 * accuracies!.length // => 2
 * ```
 *
 * Reference: Snell, Swersky and Zemel 2017, section 2.7.
 */
export function zeroShot(options: ZeroShotOptions): MetaLearner {
  const where = 'meta/zero-shot'
  const { net, describe, ways, embedding, unit = true } = options
  checkSizes(where, { ways, embedding })
  const read = (params: TensorTree): ZeroShotParams => params as unknown as ZeroShotParams
  return defineMetric<Tensor>({
    id: where,
    ways,
    config: { ways, embedding, unit },
    init: (rng) => ({
      net: net.init(rng.split('net')) as Weights,
      describe: describe.init(rng.split('describe')) as Weights,
    }),
    embed: (params, x, pass) => applyEmbedding(where, { net, embedding }, read(params).net, x, pass),
    describe(params, x, pass) {
      const z = applyEmbedding(where, { net: describe, embedding }, read(params).describe, x, pass)
      return unit ? toUnit(z) : z
    },
    own(_, z, set) {
      const { centres, counts } = classMeans(z, membersOf(set, ways))
      return { centres: unit ? toUnit(centres) : centres, counts }
    },
    score: (_, own, z) => nearness(z, own as ClassMeans),
    merge(old, fresh, keep) {
      const { centres, counts } = mergeMeans(old as ClassMeans, fresh as ClassMeans, keep)
      return { centres: unit ? toUnit(centres) : centres, counts }
    },
  })
}
