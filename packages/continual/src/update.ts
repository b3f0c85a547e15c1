import type { TensorLeaf } from '@regimen/tensor'
import { averageProject, projectGradient } from './constraint/gem.ts'
import type { Memories } from './memories.ts'
import type { Protection } from './protection.ts'
import { allFinite } from './replay/store.ts'
import { type Batch, finiteVector } from './rows.ts'
import { floats, type Steps } from './steps.ts'
import type { Strategy } from './strategy.ts'

/** The parts of a trainer that an update needs. */
export interface Parts {
  readonly steps: Steps
  readonly protection: Protection
  readonly memories: Memories
}

/** What an update changes. */
export interface Learned {
  vector: Float32Array
  rule: { readonly [slot: string]: TensorLeaf }
  /** The net before the task, of LwF. */
  teacher: Float32Array | undefined
  /** Which outputs of the teacher belong together: [outputs, outputs], ones within a head. */
  taught: Float32Array | undefined
  updates: number
  samples: number
}

/** What came of it, with the outputs on the batch from before. */
export interface Updated {
  readonly loss: number
  /** False where a number was not finite: nothing was changed. */
  readonly accepted: boolean
  readonly made: Float32Array
}

/** Nothing stands beside the batch. */
export const NOTHING = { labels: null, logits: null, teacher: null }

/**
 * Opens the one update of all strategies: the loss of a batch and of what stands beside it, the pull of the penalty, the
 * projection where gradients are constrained, and the rule.
 */
export function openUpdate(
  { steps, protection, memories }: Parts,
  now: Learned,
  options: { readonly strategy: Strategy; readonly rate: number; readonly batchSize: number; readonly outputs: number },
): (batch: Batch, count: number, task: number | undefined) => Promise<Updated> {
  const { rate, outputs, batchSize } = options
  const { replay, distill, constraint } = options.strategy
  const logitWeight = replay?.logits ?? 0
  const labelWeight = replay?.labels ?? (logitWeight > 0 ? 0 : 1)
  const errors = replay?.buffer === 'prioritized'

  const besideNow = () => {
    const logits = logitWeight > 0 ? memories.draw('logits') : undefined
    const labels = labelWeight > 0 ? memories.draw('labels') : undefined
    const { teacher, taught } = now
    now.samples += (logits?.batch.size ?? 0) + (labels?.batch.size ?? 0) + (teacher ? batchSize : 0)
    return {
      labels: labels ? { ...labels.batch, weight: labelWeight, errors } : null,
      logits: logits
        ? {
            ...logits.batch,
            weight: logitWeight,
            wanted: { dtype: 'float32' as const, shape: [logits.batch.size, outputs], data: logits.draw.extra },
          }
        : null,
      teacher:
        teacher && taught && distill
          ? {
              vector: teacher,
              weight: distill.weight,
              temperature: distill.temperature ?? 2,
              heads: { dtype: 'float32' as const, shape: [outputs, outputs], data: taught },
            }
          : null,
    }
  }
  const settle = (vector: Float32Array, rule: Learned['rule'], path: Float32Array | undefined): void => {
    now.vector = vector
    now.rule = rule
    if (path) protection.path = path
  }
  const free = async (batch: Batch): Promise<Updated> => {
    const { vector, rule } = now
    const path = protection.path ?? null
    const result = await steps.train(vector, rule, batch, besideNow(), protection.pull ?? null, path, rate)
    const [loss, made, after] = [floats(result.loss)[0]!, floats(result.outputs), floats(result.vector)]
    if (!Number.isFinite(loss) || !finiteVector(after)) return { loss, accepted: false, made }
    settle(after, result.state, result.path ? floats(result.path) : undefined)
    if (result.errors) memories.prioritize(floats(result.errors))
    return { loss, accepted: true, made }
  }
  const constrained = async (batch: Batch, task: number | undefined): Promise<Updated> => {
    const { vector, rule } = now
    const result = await steps.slope(vector, batch, besideNow())
    const [loss, made, slope] = [floats(result.loss)[0]!, floats(result.outputs), floats(result.gradient)]
    const gradient = Float64Array.from(slope)
    protection.addPull(gradient, vector)
    if (!Number.isFinite(loss) || !allFinite(gradient)) return { loss, accepted: false, made }
    const guards: Float32Array[] = []
    for (const guard of memories.guard(task)) {
      now.samples += guard.size
      guards.push(floats((await steps.slope(vector, guard, NOTHING)).gradient))
    }
    const turned = turn(gradient, guards)
    const applied = await steps.apply(vector, rule, Float32Array.from(turned), rate)
    const after = floats(applied.vector)
    if (!finiteVector(after)) return { loss, accepted: false, made }
    const path = protection.path?.map((work, i) => work - slope[i]! * (after[i]! - vector[i]!))
    settle(after, applied.state, path)
    if (result.errors) memories.prioritize(floats(result.errors))
    return { loss, accepted: true, made }
  }
  const turn = (gradient: Float64Array, guards: readonly Float32Array[]): Float64Array => {
    if (guards.length === 0) return gradient
    return constraint?.kind === 'gem'
      ? projectGradient(gradient, guards, { margin: constraint.margin ?? 0 })
      : averageProject(gradient, guards[0]!)
  }
  return async (batch, count, task) => {
    const result = await (constraint ? constrained(batch, task) : free(batch))
    if (result.accepted) now.updates++
    now.samples += count
    return result
  }
}
