import { type ArrayLeaf, check, createLifetime, createRng, type Snapshot } from '@regimen/core'
import { compile, type Fetched, type Net, paramsFromSnapshot, paramsToSnapshot } from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'
import { flatNet } from '../flat.ts'
import { lossOf, outputsFor } from '../net-calls.ts'
import { checkRows, type RowShape, slice, type TaskData } from '../rows.ts'

/** Options of {@link skillNet}. */
export interface SkillNetOptions<P> {
  net: Net<P>
  /** Numbers in an input, or its shape. */
  inputs: number | readonly number[]
  /** Numbers that the net puts out: classes, or targets. */
  outputs: number
  /** Classes with cross-entropy, or numbers with squared error. @default 'softmax' */
  likelihood?: 'softmax' | 'gaussian'
}

/** One compiled net for all skills: its parameters are their models. */
export interface SkillNet<P> {
  /** A model for `openSkills` of parameters. */
  save(params: Fetched<P>): Snapshot
  /** The parameters of a model, to start from. */
  load(model: Snapshot): Fetched<P>
  /** The loss of every sample: what `openSkills` asks for. */
  losses(model: Snapshot, samples: Pick<TaskData, 'x' | 'y'>): Promise<Float64Array>
  /** Outputs of a model, row-major. */
  predict(model: Snapshot, x: ArrayLike<number>): Promise<Float32Array>
  dispose(): Promise<void>
}

/**
 * Makes a net's parameters models of a library of skills (`openSkills`): stores them as snapshots, loads them to start from, and
 * measures losses by one graph for all of them.
 *
 * ```ts
 * import { skillNet } from '@regimen/continual'
 * import { dense } from '@regimen/tensor'
 * import '@tensorflow/tfjs'
 *
 * const nets = skillNet({ net: dense({ inputs: 1, outputs: 1, bias: false }), inputs: 1, outputs: 1, likelihood: 'gaussian' })
 * const model = nets.save({ kernel: { dtype: 'float32', shape: [1, 1], data: new Float32Array([2]) } })
 * // half of (2 · 1 − 3)²
 * await nets.losses(model, { x: [1], y: [3] }) // => [0.5]
 * await nets.dispose()
 * ```
 */
export function skillNet<P>({ net, inputs, outputs, likelihood = 'softmax' }: SkillNetOptions<P>): SkillNet<P> {
  const where = 'continual/skill-net'
  const shape = typeof inputs === 'number' ? [inputs] : [...inputs]
  const width = shape.reduce((a, b) => a * b, 1)
  for (const [name, value] of Object.entries({ inputs: width, outputs }))
    check(Number.isInteger(value) && value >= 1, where, () => `${name} must be an integer from 1, got ${value}.`)
  const shapes: RowShape = { shape, width, outputs, likelihood, targets: likelihood === 'softmax' ? 1 : outputs }
  const flat = flatNet(net)
  const form = net.init(createRng(0))
  const run = compile((vector: tf.Tensor, x: tf.Tensor) => net.apply(flat.tree(vector), x), { maxSignatures: 64 })
  const lifetime = createLifetime(where)
  const id = 'continual/skill-net'
  const load = (model: Snapshot): Fetched<P> => {
    check(model.id === id, where, () => `the model is a snapshot of ${model.id}.`, 'Pass what save returned.')
    return paramsFromSnapshot(model, form)
  }
  const self: SkillNet<P> = {
    save: (params) => paramsToSnapshot(flat.toParams(flat.toVector(params)), { id }),
    load,
    async predict(model, x) {
      lifetime.check()
      const vector = flat.toVector(load(model))
      return outputsFor((rows: ArrayLeaf<'float32'>) => run(vector, rows), x, shapes, where)
    },
    async losses(model, samples) {
      const n = checkRows(samples, shapes, where)
      const made = await self.predict(model, samples.x)
      return Float64Array.from({ length: n }, (_, i) =>
        lossOf(
          made.subarray(i * outputs, (i + 1) * outputs),
          slice(samples.y, i * shapes.targets, shapes.targets),
          shapes,
        ),
      )
    },
    async dispose() {
      if (lifetime.end()) await run.dispose()
    },
  }
  return self
}
