import { type DenseParams, mlp, type Net, type TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { MetaLearner, MetaNet, Weights } from '../learner.ts'
import { logWeights } from './full-context.ts'
import { applyEmbedding, awayFrom, checkSizes, defineMetric, membersOf } from './metric.ts'

/** Options of {@link graphNet}. */
export interface GraphNetOptions {
  /** Embeds a sample as a vector. */
  net: MetaNet
  /** Classes of a task, ≥ 2; labels are 0 … ways − 1. */
  ways: number
  /** Length of the net's output, ≥ 1. */
  embedding: number
  /** Rounds in which nodes hear of each other, ≥ 1. @default 2 */
  rounds?: number
  /** Numbers that a round but the last adds to every node, ≥ 1. @default 16 */
  growth?: number
  /** Width of the nets that judge edges, ≥ 1. @default 16 */
  edge?: number
}

interface Round {
  readonly edge: DenseParams[]
  readonly update: DenseParams[]
}

interface GraphParams {
  readonly net: TensorTree
  readonly rounds: readonly Round[]
}

/** What a task owns: nodes of its support, [n, embedding + ways], log weights, [n], and the weight of each class. */
type Graph = { readonly nodes: tf.Tensor; readonly logWeights: tf.Tensor; readonly counts: tf.Tensor }

const read = (params: TensorTree): GraphParams => params as unknown as GraphParams

/**
 * Makes a graph net: a query and the support are nodes that hold their embedding and label (all labels alike for the query), edges are
 * judged by a net, A = softmax over j ≠ i of φ(|xᵢ − xⱼ|), and in each round a node takes in its neighbours,
 * x ← [x, ρ(x Θ₁ + A x Θ₂ + b)]; the last round's output at the query are its logits, ρ the leaky ReLU.
 *
 * Support samples speak with each other as with full context in {@link matching}, and their order does not matter. Costs grow with the
 * square of the support, for each query: for tasks of up to some dozens of samples; else take {@link prototypical}.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { createRng } from '@regimen/core'
 * import { adapt, graphNet } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = graphNet({ net: mlp({ sizes: [2, 8, 4] }), ways: 2, embedding: 4 })
 * const x = { dtype: 'float32' as const, shape: [3, 2], data: new Float32Array([0, 1, 0, 2, 5, 0]) }
 * const y = { dtype: 'int32' as const, shape: [3], data: new Int32Array([0, 0, 1]) }
 * const adapted = await adapt({ learner, params: learner.init(createRng(1)) }, { x, y })
 * const logits = await adapted.predict(x)
 * logits.shape // => [3, 2]
 * ```
 *
 * Reference: Garcia and Bruna 2018, "Few-shot learning with graph neural networks".
 */
export function graphNet(options: GraphNetOptions): MetaLearner {
  const where = 'meta/graph-net'
  const { net, ways, embedding, rounds = 2, growth = 16, edge = 16 } = options
  checkSizes(where, { ways, embedding, rounds, growth, edge })
  const layers = Array.from({ length: rounds }, (_, k) => {
    const width = embedding + ways + k * growth
    return {
      edge: mlp({ sizes: [width, edge, 1] }),
      update: mlp({ sizes: [2 * width, k === rounds - 1 ? ways : growth] }),
    }
  })
  return defineMetric<tf.Tensor>({
    id: where,
    ways,
    config: { ways, embedding, rounds, growth, edge },
    init: (rng) => ({
      net: net.init(rng) as Weights,
      rounds: layers.map((layer, k) => ({
        edge: layer.edge.init(rng.split(`edge${k}`)) as Weights,
        update: layer.update.init(rng.split(`update${k}`)) as Weights,
      })),
    }),
    embed: (params, x, pass) => applyEmbedding(where, options, read(params).net, x, pass),
    own(_, z, set): Graph {
      const members = membersOf(set, ways)
      const hot = tf.cast(tf.oneHot(tf.cast(set.y, 'int32'), ways), 'float32')
      return {
        nodes: tf.concat([z, hot], z.rank - 1),
        logWeights: logWeights(tf.sum(members, -1)),
        counts: tf.sum(members, members.rank - 2),
      }
    },
    score(params, own, z, { tasks }) {
      const graph = own as Graph
      const tasked = (one: tf.Tensor): tf.Tensor => (tasks ? one : tf.expandDims(one, 0))
      let nodes = join(tasked(z), tasked(graph.nodes), ways)
      const shift = neighbours(tasked(graph.logWeights))
      for (const [k, { edge: judge, update }] of layers.entries()) {
        const round = read(params).rounds[k]!
        const heard = tf.matMul(adjacency(nodes, shift, judge, round.edge), nodes)
        const fresh = tf.leakyRelu(flat(update, round.update, tf.concat([nodes, heard], 3)), 0.2)
        nodes = k === rounds - 1 ? fresh : tf.concat([nodes, fresh], 3)
      }
      const [count, queries] = nodes.shape as [number, number]
      const logits = tf.reshape(tf.slice(nodes, [0, 0, 0, 0], [count, queries, 1, ways]), [count, queries, ways])
      const answers = tf.add(logits, tf.expandDims(awayFrom(tasked(graph.counts)), 1))
      return tasks ? answers : tf.squeeze(answers, [0])
    },
  })
}

/** A graph for each query, [T, q, 1 + n, d]: the query first, all labels alike. */
function join(z: tf.Tensor, support: tf.Tensor, ways: number): tf.Tensor {
  const [tasks, queries] = z.shape as [number, number]
  const [, n, width] = support.shape as [number, number, number]
  const asked = tf.concat([z, tf.fill([tasks, queries, ways], 1 / ways)], 2)
  const shared = tf.add(tf.expandDims(support, 1), tf.zeros([tasks, queries, n, width]))
  return tf.concat([tf.expandDims(asked, 2), shared], 2)
}

/** What is added to the edge from j to i, [T, 1, 1 + n, 1 + n]: the log weight of j, and no edge to oneself. */
function neighbours(weights: tf.Tensor): tf.Tensor {
  const [tasks, n] = weights.shape as [number, number]
  const all = tf.concat([tf.zeros([tasks, 1]), weights], 1)
  const own = tf.mul(tf.eye(n + 1), -1e9)
  return tf.add(tf.reshape(all, [tasks, 1, 1, n + 1]), own)
}

function adjacency(nodes: tf.Tensor, shift: tf.Tensor, net: Net<DenseParams[]>, params: DenseParams[]): tf.Tensor {
  const apart = tf.abs(tf.sub(tf.expandDims(nodes, 3), tf.expandDims(nodes, 2)))
  return tf.softmax(tf.add(tf.squeeze(flat(net, params, apart), [4]), shift))
}

/** Applies a net to rows of any arrangement. */
function flat(net: Net<DenseParams[]>, params: DenseParams[], x: tf.Tensor): tf.Tensor {
  const y = net.apply(params, tf.reshape(x, [-1, x.shape.at(-1)!]))
  return tf.reshape(y, [...x.shape.slice(0, -1), y.shape.at(-1)!])
}
