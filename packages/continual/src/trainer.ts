import type { Snapshot } from '@regimen/core'
import { openTrainerCore } from './trainer-core.ts'
import type { Trainer, TrainerOptions } from './trainer-types.ts'

/**
 * Opens a trainer for a sequence of tasks. The strategies differ by data and combine: a penalty (EWC, online EWC, SI, MAS),
 * distillation (LwF), replay (ER, DER, DER++), constrained gradients (GEM, A-GEM); `{}` is fine-tuning. Each update is one
 * compiled graph on typed arrays. Time a task does not grow with the number of tasks, but for `gem`.
 *
 * ```ts
 * import { openTrainer } from '@regimen/continual'
 * import { mlp } from '@regimen/tensor'
 * import '@tensorflow/tfjs'
 *
 * const trainer = openTrainer({
 *   net: mlp({ sizes: [2, 8, 2] }),
 *   inputs: 2,
 *   outputs: 2,
 *   rate: 0.05,
 *   strategy: { replay: { bytes: 10_000 } },
 * })
 * // The label is the sign of one input in the first task, of the other one in the second.
 * const first = { x: [1, 0, -1, 0], y: [0, 1] }
 * await trainer.learn(first, { epochs: 60 })
 * await trainer.learn({ x: [0, 1, 0, -1], y: [0, 1] }, { epochs: 60 })
 * await trainer.accuracy(first) // => 1
 * await trainer.dispose()
 * ```
 *
 * References: Kirkpatrick et al. 2017 (EWC); Zenke et al. 2017 (SI); Aljundi et al. 2018 (MAS); Li and Hoiem 2016 (LwF); Chaudhry
 * et al. 2019 (ER, A-GEM); Buzzega et al. 2020 (DER, DER++); Lopez-Paz and Ranzato 2017 (GEM).
 */
export function openTrainer<P>(options: TrainerOptions<P>, from?: Snapshot): Trainer<P> {
  return openTrainerCore(options, from).trainer
}
