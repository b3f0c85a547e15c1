import { createRng } from '@regimen/core'
import {
  activation,
  attention,
  averagePool2d,
  batchNorm,
  bidirectional,
  branches,
  conv1d,
  conv2d,
  dense,
  flatten,
  flattenTree,
  gru,
  hierarchicalTimeframeNet,
  layerNorm,
  lstm,
  maxPool2d,
  mlp,
  type Net,
  type NetContext,
  residual,
  sequential,
  type TensorLeaf,
  tcn,
  transformerBlock,
  unflattenTree,
} from '../../src/index.ts'

/** A net on an input of odd sizes. */
export interface NetCase {
  readonly name: string
  readonly net: Net<unknown>
  /** Shape of the input without the task axis. */
  readonly input: readonly number[]
  readonly context?: NetContext
}

// Odd sizes on purpose: nothing divides anything. Smooth activations, so that derivatives can be compared everywhere.
export const NET_CASES: readonly NetCase[] = [
  { name: 'dense', net: dense({ inputs: 5, outputs: 3, activation: 'tanh' }), input: [7, 5] },
  { name: 'dense without bias', net: dense({ inputs: 5, outputs: 1, bias: false }), input: [3, 5] },
  { name: 'mlp', net: mlp({ sizes: [5, 7, 3], activation: 'silu' }), input: [3, 5] },
  {
    name: 'mlp, gelu, softmax',
    net: mlp({ sizes: [3, 4, 3], activation: 'gelu', outputActivation: 'softmax' }),
    input: [3, 3],
  },
  { name: 'conv1d, causal, dilated', net: conv1d({ inputs: 2, outputs: 3, window: 3, dilation: 2 }), input: [3, 7, 2] },
  {
    name: 'conv1d, strided',
    net: conv1d({ inputs: 2, outputs: 3, window: 3, stride: 2, padding: 'same' }),
    input: [3, 7, 2],
  },
  { name: 'tcn', net: tcn({ inputs: 2, channels: [3, 3], window: 2, activation: 'tanh' }), input: [2, 5, 2] },
  { name: 'conv2d, same', net: conv2d({ inputs: 2, outputs: 3, window: 3, activation: 'tanh' }), input: [2, 5, 4, 2] },
  {
    name: 'conv2d, strided, valid',
    net: conv2d({ inputs: 2, outputs: 3, window: [3, 2], stride: 2, padding: 'valid' }),
    input: [2, 5, 4, 2],
  },
  {
    name: 'image classifier',
    net: sequential([
      conv2d({ inputs: 1, outputs: 2, window: 3, activation: 'tanh' }),
      batchNorm({ features: 2, statistics: 'transductive' }),
      maxPool2d(),
      averagePool2d({ window: 2, stride: 1 }),
      flatten(),
      dense({ inputs: 4, outputs: 3 }),
    ]) as Net<unknown>,
    input: [2, 6, 5, 1],
  },
  { name: 'lstm', net: lstm({ inputs: 3, hidden: 4 }), input: [2, 3, 3] },
  { name: 'lstm, sequences', net: lstm({ inputs: 3, hidden: 2, sequences: true }), input: [2, 2, 3] },
  { name: 'gru', net: gru({ inputs: 3, hidden: 4 }), input: [2, 3, 3] },
  { name: 'gru, reset before', net: gru({ inputs: 3, hidden: 4, resetAfter: false }), input: [2, 2, 3] },
  { name: 'bidirectional', net: bidirectional(lstm({ inputs: 2, hidden: 3, sequences: true })), input: [2, 2, 2] },
  { name: 'attention', net: attention({ features: 6, heads: 2 }), input: [2, 4, 6] },
  { name: 'transformer block', net: transformerBlock({ features: 4, heads: 2, hidden: 5 }), input: [2, 3, 4] },
  { name: 'layer norm', net: layerNorm({ features: 5 }), input: [3, 5] },
  { name: 'batch norm, batch', net: batchNorm({ features: 4 }), input: [5, 4], context: { training: true } },
  { name: 'batch norm, running', net: batchNorm({ features: 4 }), input: [5, 4] },
  {
    name: 'batch norm, per step',
    net: batchNorm({ features: 4, statistics: 'perStep', steps: 3 }),
    input: [5, 4],
    context: { step: 2 },
  },
  { name: 'residual', net: residual(dense({ inputs: 3, outputs: 3, activation: 'tanh' })), input: [2, 3] },
  { name: 'branches', net: branches(dense({ inputs: 3, outputs: 2, activation: 'tanh' })), input: [2, 4, 3] },
  {
    name: 'activation',
    net: sequential([dense({ inputs: 3, outputs: 2 }), activation('softplus')]) as Net<unknown>,
    input: [2, 3],
  },
  {
    name: 'hierarchical timeframes',
    net: hierarchicalTimeframeNet({ timeframes: ['1d', '1h'], featuresPerTimeframe: 3, crossFeatures: 2, hidden: 6 }),
    input: [4, 8],
  },
]

/** Seeded normal numbers in a shape. */
export function leaf(shape: readonly number[], seed: string): TensorLeaf {
  const rng = createRng(seed)
  const size = shape.reduce((a, b) => a * b, 1)
  return { dtype: 'float32', shape: [...shape], data: Float32Array.from({ length: size }, () => rng.normal()) }
}

/** Fresh parameters, moved away from zeros and ones so that every leaf matters. */
export function parameters(
  net: Net<unknown>,
  seed: string,
): { tree: unknown; leaves: TensorLeaf[]; build: (leaves: readonly unknown[]) => unknown } {
  const { leaves, structure, paths } = flattenTree<TensorLeaf>(net.init(createRng(seed)))
  const moved = leaves.map(({ shape, data }, i): TensorLeaf => {
    const rng = createRng(`${seed}/${i}`)
    const keepPositive = paths[i]!.endsWith('variance')
    return {
      dtype: 'float32',
      shape,
      data: Float32Array.from(data, (x) => x + (keepPositive ? rng.uniform(0, 0.5) : 0.3 * rng.normal())),
    }
  })
  return { tree: unflattenTree(structure, moved), leaves: moved, build: (other) => unflattenTree(structure, other) }
}

/** Two tasks' arrays on a leading axis. */
export function stacked(a: TensorLeaf, b: TensorLeaf): TensorLeaf {
  return { dtype: 'float32', shape: [2, ...a.shape], data: Float32Array.of(...a.data, ...b.data) }
}

export const norm = (a: ArrayLike<number>) => Math.sqrt(Array.from(a).reduce((sum, x) => sum + x * x, 0))
export const distance = (a: ArrayLike<number>, b: ArrayLike<number>) => norm(Array.from(a, (x, i) => x - b[i]!))
