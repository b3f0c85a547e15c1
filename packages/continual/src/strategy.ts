import { check, describe, RegimenError } from '@regimen/core'

/** Pulls important parameters back to where old tasks left them. λ / 2 stands before every penalty. */
export type PenaltyStrategy =
  | {
      readonly kind: 'ewc'
      /** λ, at least 0. */
      readonly lambda: number
      /** @default 'exact' */
      readonly fisher?: 'exact' | 'sampled' | 'empirical'
      /** `latest` with a decay is online EWC. @default 'separate' */
      readonly anchors?: 'separate' | 'latest'
      /** γ, 0 to 1. @default 1 */
      readonly decay?: number
      /** Samples of a task on which the Fisher information is measured. @default 1000 */
      readonly samples?: number
    }
  | {
      readonly kind: 'si'
      readonly lambda: number
      /** ξ, above 0. @default 0.1 */
      readonly damping?: number
    }
  | { readonly kind: 'mas'; readonly lambda: number; readonly samples?: number }

/** Keeps the outputs of the net as it was before the task, on the inputs of the new task (LwF). */
export interface DistillStrategy {
  /** Weight of the distillation beside the task's loss, at least 0. */
  readonly weight: number
  /** Softens both distributions, above 0. @default 2 */
  readonly temperature?: number
}

/** Learns remembered samples beside the new ones. Labels alone are ER, logits alone DER, both DER++. */
export interface ReplayStrategy {
  /** Memory of the buffer in bytes. */
  readonly bytes: number
  /** @default 'reservoir' */
  readonly buffer?: 'ring' | 'reservoir' | 'balanced'
  /** Remembered samples in an update. @default the batch size */
  readonly batch?: number
  /** Weight β of the remembered samples' loss. @default 1, or 0 where logits are given */
  readonly labels?: number
  /** Weight α of the squared distance to the logits at insertion. @default 0 */
  readonly logits?: number
}

/** Turns gradients so that remembered tasks are not made worse. */
export interface ConstraintStrategy {
  /** `gem`: one constraint a task; `a-gem`: one for their mean. */
  readonly kind: 'gem' | 'a-gem'
  /** Memory in bytes: for each task (`gem`), or in all (`a-gem`). */
  readonly bytes: number
  /** Remembered samples behind each constraint. @default the batch size */
  readonly batch?: number
  /** γ of `gem`. @default 0 */
  readonly margin?: number
}

/**
 * How forgetting is prevented, as data; parts combine. `{}` is plain fine-tuning.
 */
export interface Strategy {
  readonly penalty?: PenaltyStrategy
  readonly distill?: DistillStrategy
  readonly replay?: ReplayStrategy
  readonly constraint?: ConstraintStrategy
}

/** Refuses a strategy that cannot be followed. */
export function checkStrategy(strategy: Strategy): void {
  const where = 'continual/trainer'
  const atLeast = (name: string, value: number | undefined, least = 0): void =>
    check(
      value === undefined || (Number.isFinite(value) && value >= least),
      where,
      () => `${name} must be a number of at least ${least}, got ${describe(value)}.`,
    )
  const { penalty, distill, replay, constraint } = strategy
  const known = ['penalty', 'distill', 'replay', 'constraint']
  const unknown = Object.keys(strategy).find((key) => !known.includes(key))
  check(unknown === undefined, where, () => `strategy knows ${known.join(', ')}, got ${describe(unknown)}.`)
  if (penalty) {
    check(
      ['ewc', 'si', 'mas'].includes(penalty.kind),
      where,
      () => `penalty.kind must be ewc, si or mas, got ${describe(penalty.kind)}.`,
    )
    atLeast('penalty.lambda', penalty.lambda)
  }
  atLeast('distill.weight', distill?.weight)
  if (distill?.temperature !== undefined && !(distill.temperature > 0)) {
    throw new RegimenError(`distill.temperature must be above 0, got ${describe(distill.temperature)}.`, {
      code: 'INVALID_ARGUMENT',
      where,
    })
  }
  atLeast('replay.labels', replay?.labels)
  atLeast('replay.logits', replay?.logits)
  atLeast('replay.batch', replay?.batch, 1)
  atLeast('constraint.batch', constraint?.batch, 1)
  atLeast('constraint.margin', constraint?.margin)
  check(
    constraint === undefined || constraint.kind === 'gem' || constraint.kind === 'a-gem',
    where,
    () => `constraint.kind must be gem or a-gem, got ${describe(constraint?.kind)}.`,
  )
}
