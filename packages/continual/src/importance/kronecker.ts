import { check, createRng, describe, type Rng } from '@regimen/core'
import {
  type ActivationName,
  activate,
  compile,
  type Fetched,
  flattenTree,
  type Net,
  type TensorLeaf,
  valueAndGradient,
} from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { type FlatNet, flatNet } from '../flat.ts'
import { gaussianScores, softmaxScores } from './fisher.ts'
import type { Samples } from './per-sample.ts'

/** Kronecker factors of the Fisher information of one dense layer, whose weights are the kernel's rows and then the bias. */
export interface KroneckerFactor {
  /** A, the mean of ã ãᵀ over the layer's inputs, a 1 behind them where there is a bias: rows × rows. */
  readonly inputs: Float64Array
  /** G, the mean of δ δᵀ over the slopes at its outputs: cols × cols. */
  readonly outputs: Float64Array
  /** Inputs of the layer, and the bias. */
  readonly rows: number
  /** Outputs of the layer. */
  readonly cols: number
}

/** Options of {@link kroneckerFisher}. */
export interface KroneckerOptions {
  /** Numbers that the net puts out, ≥ 1. */
  outputs: number
  /** What the outputs mean: logits of classes, or the mean of a normal distribution. @default 'softmax' */
  likelihood?: 'softmax' | 'gaussian'
  /** Variance of the normal distribution, > 0. @default 1 */
  variance?: number
  /** Added to the outputs of every sample; −1e9 switches a class off. @default zeros */
  offsets?: ArrayLike<number>
  /** Samples in one call, ≥ 1. @default 200 */
  chunk?: number
}

/** A {@link kroneckerFisher} that stays compiled. */
export interface KroneckerMeasure {
  factors(vector: ArrayLike<number>, samples: Samples, offsets?: ArrayLike<number>): Promise<KroneckerFactor[]>
  dispose(): Promise<void>
}

/** A dense layer's place in the vector of parameters; kernel and bias lie one after the other, so both are one matrix. */
export interface LayerPlace {
  readonly at: number
  readonly inputs: number
  readonly bias: boolean
  readonly rows: number
  readonly cols: number
}

const WHERE = 'continual/kronecker-fisher'
const NAMES: readonly ActivationName[] = [
  'relu',
  'tanh',
  'linear',
  'sigmoid',
  'elu',
  'selu',
  'gelu',
  'silu',
  'softplus',
  'softmax',
]

/**
 * Computes Kronecker factors of the Fisher information of a net of dense layers (`mlp`, `dense`): for each layer F ≈ A ⊗ G with
 * A = E[ã ãᵀ] of its inputs and G = E[δ δᵀ] of the slopes of log p at its outputs, over the model's own labels. It knows how the weights of
 * a layer hang together, which {@link fisherDiagonal} does not, at rows² + cols² numbers a layer instead of rows · cols. The product is exact
 * for one sample and wherever inputs and slopes are independent; layers do not see each other.
 *
 * As a penalty take `{ kind: 'ewc', fisher: 'kronecker' }` in `openTrainer`, or {@link kroneckerPenalty}. Gotchas: a backward pass an
 * output; wide inputs cost, 784 pixels make a factor of 5 MB; the activation between the layers is found by trying those that nets take.
 *
 * ```ts
 * import { kroneckerFisher } from '@regimen/continual'
 * import { dense } from '@regimen/tensor'
 *
 * // y ~ N(w · x, 1): A is the mean of x xᵀ, G is 1.
 * const net = dense({ inputs: 2, outputs: 1, bias: false })
 * const params = { kernel: { dtype: 'float32' as const, shape: [2, 1], data: Float32Array.of(0.5, 2) } }
 * const samples = { x: [1, 0, 1, 2], width: 2 }
 * const [layer] = await kroneckerFisher(net, { params, samples, outputs: 1, likelihood: 'gaussian' })
 * layer!.inputs // => [1, 1, 1, 2]
 * layer!.outputs // => [1]
 * ```
 *
 * References: Martens and Grosse 2015 (K-FAC); Ritter, Botev and Barber 2018 (against forgetting).
 */
export async function kroneckerFisher<P>(
  net: Net<P>,
  options: KroneckerOptions & { params: Fetched<P>; samples: Samples },
): Promise<KroneckerFactor[]> {
  const flat = flatNet(net)
  const measure = openKronecker(flat, options)
  try {
    return await measure.factors(flat.toVector(options.params), options.samples, options.offsets)
  } finally {
    await measure.dispose()
  }
}

/** Opens Kronecker factors that are compiled once and measured after many tasks. */
export function openKronecker<P>(flat: FlatNet<P>, options: KroneckerOptions): KroneckerMeasure {
  const { outputs, likelihood = 'softmax', variance = 1, chunk = 200 } = options
  for (const [name, value] of Object.entries({ outputs, chunk }))
    check(
      Number.isInteger(value) && value >= 1,
      WHERE,
      () => `${name} must be an integer from 1, got ${describe(value)}.`,
    )
  check(variance > 0, WHERE, () => `variance must be above 0, got ${describe(variance)}.`)
  const layers = denseLayers(flat)
  const scores = (likelihood === 'softmax' ? softmaxScores : gaussianScores(variance)).exact(outputs)
  /** The net by hand, with room for a slope at the outputs of every layer. */
  const forward = (vector: tf.Tensor, x: tf.Tensor, name: ActivationName, nudges?: readonly tf.Tensor[]) => {
    const inputs: tf.Tensor[] = []
    let h: tf.Tensor = tf.reshape(x, [x.shape[0]!, -1])
    for (const [l, { at, rows, cols, bias }] of layers.entries()) {
      const wide = bias ? tf.concat([h, tf.ones([h.shape[0]!, 1])], 1) : h
      inputs.push(wide)
      const product = tf.matMul(wide as tf.Tensor2D, tf.reshape(tf.slice(vector, [at], [rows * cols]), [rows, cols]))
      const z = nudges ? tf.add(product, nudges[l]!) : product
      h = l < layers.length - 1 ? activate(name, z) : z
    }
    return { inputs, output: h }
  }
  const open = (name: ActivationName) =>
    compile((vector: tf.Tensor, x: tf.Tensor, offsets: tf.Tensor, weights: tf.Tensor) => {
      const n = x.shape[0]!
      const share = tf.reshape(weights, [n, 1])
      const { inputs } = forward(vector, x, name)
      const product = (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D, true)
      let slopes: tf.Tensor[] | undefined
      for (const score of scores) {
        const { gradient } = valueAndGradient(
          (nudges: tf.Tensor[]) => {
            const { output } = forward(vector, x, name, nudges)
            const logits = tf.expandDims(tf.add(output, offsets), 1)
            return tf.sum(tf.mul(score(logits, logits), weights))
          },
          layers.map(({ cols }) => tf.zeros([n, cols])),
        )
        const parts = gradient.map((slope) => product(slope, slope))
        slopes = slopes ? slopes.map((sum, l) => tf.add(sum, parts[l]!)) : parts
      }
      return { inputs: inputs.map((a) => product(tf.mul(a, share), a)), outputs: slopes! }
    })
  let compiled: ReturnType<typeof open> | undefined
  return {
    async factors(vector, samples, offsets = new Float32Array(outputs)) {
      const shape = typeof samples.width === 'number' ? [samples.width] : [...samples.width]
      const width = shape.reduce((product, side) => product * side, 1)
      const n = samples.x.length / width
      check(
        Number.isInteger(n) && n >= 1,
        WHERE,
        () => `x must hold rows of ${width}, got ${samples.x.length} numbers.`,
      )
      check(offsets.length === outputs, WHERE, () => `offsets must hold ${outputs} numbers, got ${offsets.length}.`)
      const params = Float32Array.from(vector)
      compiled ??= open(await activationOf(flat, { layers, shape, forward }))
      const made = layers.map(({ rows, cols }) => ({
        rows,
        cols,
        inputs: new Float64Array(rows * rows),
        outputs: new Float64Array(cols * cols),
      }))
      const x = new Float32Array(chunk * width)
      const weights = new Float32Array(chunk)
      for (let start = 0; start < n; start += chunk) {
        const count = Math.min(chunk, n - start)
        for (let i = 0; i < count * width; i++) x[i] = samples.x[start * width + i]!
        x.fill(0, count * width)
        weights.fill(0).fill(1, 0, count)
        const rows = { dtype: 'float32' as const, shape: [chunk, ...shape], data: x }
        const part = await compiled(params, rows, Float32Array.from(offsets), weights)
        for (const [l, factor] of made.entries()) {
          addTo(factor.inputs, part.inputs[l]!.data, 1 / n)
          addTo(factor.outputs, part.outputs[l]!.data, 1 / n)
        }
      }
      for (const { inputs, outputs: slopes } of made)
        check(
          [inputs, slopes].every((all) => all.every((value) => Number.isFinite(value))),
          WHERE,
          () => 'a factor holds numbers that are not finite.',
          'Pass finite samples and parameters.',
        )
      return made
    },
    async dispose() {
      await compiled?.dispose()
    },
  }
}

/** The dense layers of a net, in the order of its vector; any other parameter is an error. */
export function denseLayers<P>(flat: FlatNet<P>): LayerPlace[] {
  const { leaves } = flattenTree<TensorLeaf>(flat.net.init(createRng(0)))
  const layers: LayerPlace[] = []
  let at = 0
  for (let i = 0; i < leaves.length; ) {
    const path = flat.paths[i]!
    const [inputs, cols] = leaves[i]!.shape
    check(
      (path === 'kernel' || path.endsWith('.kernel')) && leaves[i]!.shape.length === 2,
      WHERE,
      () => `every parameter must be a kernel or bias of a dense layer, got ${path} of shape [${leaves[i]!.shape}].`,
      'Take fisherDiagonal for other nets.',
    )
    const bias = flat.paths[i + 1] === `${path.slice(0, -'kernel'.length)}bias`
    const rows = inputs! + (bias ? 1 : 0)
    layers.push({ at, inputs: inputs!, bias, rows, cols: cols! })
    at += rows * cols!
    i += bias ? 2 : 1
  }
  return layers
}

/** The activation with which the net by hand is the net. */
async function activationOf<P>(
  flat: FlatNet<P>,
  options: {
    readonly layers: readonly LayerPlace[]
    readonly shape: readonly number[]
    readonly forward: (vector: tf.Tensor, x: tf.Tensor, name: ActivationName) => { readonly output: tf.Tensor }
  },
): Promise<ActivationName> {
  const { layers, shape, forward } = options
  const trial = compile((vector: tf.Tensor, x: tf.Tensor) => ({
    wanted: flat.net.apply(flat.tree(vector), x),
    tried: NAMES.map((name) => forward(vector, x, name).output),
  }))
  const rng = createRng('activation')
  check(
    layers[0]!.inputs === shape.reduce((a, b) => a * b, 1),
    WHERE,
    () => `the first layer takes ${layers[0]!.inputs} numbers, the inputs have [${shape}].`,
  )
  try {
    const x = { dtype: 'float32' as const, shape: [8, ...shape], data: normals(8 * layers[0]!.inputs, rng, 1) }
    const { wanted, tried } = await trial(normals(flat.size, rng, 0.5), x)
    const scale = 1 + Math.max(...Array.from(wanted.data, Math.abs))
    const at = tried.findIndex(({ data }) => data.every((value, i) => Math.abs(value - wanted.data[i]!) < 1e-4 * scale))
    check(
      at >= 0,
      WHERE,
      () => 'the net is not dense layers one after the other with the same activation between them.',
      'Make it by mlp, with linear outputs, or take another fisher.',
    )
    return NAMES[at]!
  } finally {
    await trial.dispose()
  }
}

function normals(count: number, rng: Rng, deviation: number): Float32Array {
  return Float32Array.from({ length: count }, () => rng.normal(0, deviation))
}

function addTo(sum: Float64Array, part: ArrayLike<number>, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += factor * part[i]!
}
