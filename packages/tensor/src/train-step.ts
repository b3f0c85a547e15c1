import type { RngState } from '@regimen/core'
import type * as tf from '@tensorflow/tfjs-core'
import { averageTrees } from './average.ts'
import { type CompileOptions, compile } from './compile/compile.ts'
import { valueAndGradient } from './differentiate.ts'
import type { Net, NetContext } from './nets/net.ts'
import { withUpdates } from './nets/normalization.ts'
import { clipByGlobalNorm } from './optimizers/clip.ts'
import type { RuleState, UpdateRule } from './optimizers/rule.ts'
import type { Fetched, TensorLeaf } from './tree.ts'
import { flattenTree } from './tree.ts'

/** As many samples as the graph was compiled for; those that only fill it up have weight 0. */
export interface Batch {
  readonly x: TensorLeaf
  readonly y: TensorLeaf
  readonly weights: Float32Array
}

/** What one update gives. */
export interface Updated<P> {
  readonly loss: number
  readonly params: Fetched<P>
  readonly state: RuleState
}

/** Makes updates from batches that are given in one part or several. */
export interface TrainStep<P> {
  run(params: Fetched<P>, state: RuleState, parts: readonly Batch[], rate: number): Promise<Updated<P>>
  /** State of the stream from which dropout draws. */
  randomState(): RngState
  restoreRandom(state: RngState): void
  dispose(): Promise<void>
}

interface StepOptions extends CompileOptions {
  readonly loss: (prediction: tf.Tensor, target: tf.Tensor, options: { weights: tf.Tensor }) => tf.Tensor
  readonly rule: UpdateRule
  readonly clip: number | undefined
  readonly accumulate: number
}

/** What a part of a batch says. */
interface Found<P> {
  readonly gradient: P
  /** What batch norm's running averages should become, by the number of the leaf. */
  readonly averages: { readonly [leaf: string]: tf.Tensor }
}

/**
 * Compiles an update. Of one part, loss, gradient and rule are one graph. Of several, one graph finds each part's gradient and
 * another applies their mean, so that memory is that of one part; dropout and batch norm see each part by itself.
 */
export function openStep<P>(net: Net<P>, options: StepOptions): TrainStep<P> {
  const { loss, rule, clip, accumulate, ...compiled } = options
  const find = (params: P, x: tf.Tensor, y: tf.Tensor, weights: tf.Tensor): Found<P> & { loss: tf.Tensor } => {
    const olds: tf.Tensor[] = []
    const { value, gradient, aux } = valueAndGradient((p: P) => {
      const updates: NonNullable<NetContext['updates']> = []
      const prediction = net.apply(p, x, { training: true, updates })
      olds.push(...updates.map(([old]) => old))
      return [loss(prediction, y, { weights }), updates.map(([, next]) => next)] as const
    }, params)
    const { leaves } = flattenTree<tf.Tensor>(params)
    const averages = Object.fromEntries(olds.map((old, i) => [String(leaves.indexOf(old)), aux[i]!]))
    return { loss: value, gradient, averages }
  }
  const apply = (params: P, state: RuleState<tf.Tensor>, { gradient, averages }: Found<P>, rate: tf.Tensor) => {
    const gradients = clip === undefined ? gradient : clipByGlobalNorm(gradient, clip)
    const moved = rule.apply(params, { gradients, state, rate })
    // Running averages are set by batch norm, not moved by the rule.
    const after = flattenTree<tf.Tensor>(moved.params).leaves
    const set = Object.entries(averages).map(([leaf, next]) => [after[Number(leaf)]!, next] as const)
    return { params: withUpdates(moved.params, set), state: moved.state }
  }
  if (accumulate === 1) {
    const whole = compile(
      (params: P, state: RuleState<tf.Tensor>, x: tf.Tensor, y: tf.Tensor, weights: tf.Tensor, rate: tf.Tensor) => {
        const { loss, ...found } = find(params, x, y, weights)
        return { loss, ...apply(params, state, found, rate) }
      },
      compiled,
    )
    return {
      async run(params, state, parts, rate) {
        const { x, y, weights } = parts[0]!
        const next = await whole(params as never, state, x, y, weights, rate)
        return { loss: next.loss.data[0]!, params: next.params as Fetched<P>, state: next.state }
      },
      randomState: () => whole.randomState(),
      restoreRandom: (state) => whole.restoreRandom(state),
      dispose: () => whole.dispose(),
    }
  }
  const part = compile(find, compiled)
  const finish = compile(apply, compiled)
  return {
    async run(params, state, parts, rate) {
      const found: Awaited<ReturnType<typeof part>>[] = []
      const counted = weigh(parts)
      for (const [{ x, y, weights }] of counted) found.push(await part(params as never, x, y, weights))
      const { loss, ...mean } = averageTrees(
        found,
        counted.map(([, weight]) => weight),
      )
      const next = await finish(params as never, state, mean as never, rate)
      return { loss: loss.data[0]!, params: next.params as Fetched<P>, state: next.state }
    },
    randomState: () => part.randomState(),
    restoreRandom: (state) => part.restoreRandom(state),
    async dispose() {
      await Promise.all([part.dispose(), finish.dispose()])
    },
  }
}

/** The parts that count, with the weight of their samples; where no sample has any, all count alike. */
function weigh(parts: readonly Batch[]): (readonly [Batch, number])[] {
  const weighed = parts.map((part) => [part, part.weights.reduce((a, b) => a + b, 0)] as const)
  const counted = weighed.filter(([, weight]) => weight > 0)
  return counted.length > 0 ? counted : parts.map((part) => [part, 1] as const)
}
