import { createRng } from '@regimen/core'
import { maml, stackTasks, type Task } from '@regimen/meta'
import { type Compiled, compile, type DeviceName, mlp, type TensorTree } from '@regimen/tensor'
import type * as tf from '@tensorflow/tfjs-core'

export interface MetaGradient {
  readonly step: Pick<Compiled<never[], unknown>, 'explain' | 'dispose'>
  call(tasks: readonly Task[]): Promise<unknown>
}

/** The sinusoid's meta-gradient: MLP 1-40-40-1, ten shots, second order. */
export function metaGradient(steps: number, remat: boolean, device: DeviceName): MetaGradient {
  const learner = maml({
    net: mlp({ sizes: [1, 40, 40, 1] }),
    steps,
    rate: 0.01,
    bound: Number.POSITIVE_INFINITY,
    remat,
  })
  const step = compile(
    ((params: TensorTree, batch: never, innerRate: tf.Tensor, stepWeights: tf.Tensor) =>
      learner.metaGradient(params, batch, { innerRate, stepWeights, secondOrder: true }).gradient) as (
      ...args: readonly unknown[]
    ) => unknown,
    { device },
  )
  const params = learner.init(createRng(1))
  const { stepWeights } = learner.controls(0, 1)
  return {
    step,
    call: (tasks) => step(...([params, stackTasks(tasks), learner.innerRate, stepWeights] as never[])),
  }
}
