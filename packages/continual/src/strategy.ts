import { check, describe } from '@regimen/core'

/** What every penalty has. */
interface Masked {
  /**
   * Protects the parameters whose path begins so by a factor, at least 0: `{ '1': 0 }` leaves the last of two layers free. For a
   * factor of each parameter and task see `TaskData.mask`. @default all 1
   */
  readonly mask?: { readonly [path: string]: number }
}

/** Pulls important parameters back to where old tasks left them. λ / 2 stands before every penalty. */
export type PenaltyStrategy = Masked & (EwcStrategy | SiStrategy | MasStrategy)

interface EwcStrategy {
  readonly kind: 'ewc'
  /** λ, at least 0; `auto` suggests it before each task by `suggestLambda` (and is 1 in streams, where tasks have no beginning). */
  readonly lambda: number | 'auto'
  /** With `auto`: by how much a new task may raise the old loss, above 0. @default 0.02 */
  readonly tolerance?: number
  /**
   * `kronecker` knows how the weights of a dense layer hang together, the others each weight by itself. It is for nets made by `mlp`
   * or `dense`, has one anchor, the latest, and takes neither masks nor λ `auto`. @default 'exact'
   */
  readonly fisher?: 'exact' | 'sampled' | 'empirical' | 'kronecker'
  /** `latest` with a decay is online EWC. @default 'separate', or 'latest' with `kronecker` */
  readonly anchors?: 'separate' | 'latest'
  /** γ, 0 to 1. @default 1 */
  readonly decay?: number
  /** Samples of a task on which the Fisher information is measured, ≥ 1. @default 1000 */
  readonly samples?: number
}

interface SiStrategy {
  readonly kind: 'si'
  /** λ, at least 0. */
  readonly lambda: number
  /** ξ, above 0. @default 0.1 */
  readonly damping?: number
}

interface MasStrategy {
  readonly kind: 'mas'
  /** λ, at least 0. */
  readonly lambda: number
  /** @default 1000 */
  readonly samples?: number
}

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
  /**
   * What stays and what is drawn. `prioritized` draws by the last loss; `exemplars` are chosen by herding in the outputs when `learn`
   * ends a task; `diverse` keeps samples whose gradients point in different directions. @default 'reservoir'
   */
  readonly buffer?: 'ring' | 'reservoir' | 'balanced' | 'prioritized' | 'exemplars' | 'diverse'
  /** Remembered samples to which `diverse` compares the gradient of a new one, ≥ 1. @default 10 */
  readonly compare?: number
  /** What `balanced` and `exemplars` give the same room: classes, or the groups of the data (regimes, tasks). @default 'group' */
  readonly by?: 'class' | 'group'
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
export function checkStrategy(strategy: Strategy, likelihood: 'softmax' | 'gaussian'): void {
  const where = 'continual/trainer'
  const atLeast = (name: string, value: number | undefined, least = 0): void =>
    check(
      value === undefined || (Number.isFinite(value) && value >= least),
      where,
      () => `${name} must be a number of at least ${least}, got ${describe(value)}.`,
    )
  const above = (name: string, value: number | undefined): void =>
    check(
      value === undefined || (value > 0 && value < Number.POSITIVE_INFINITY),
      where,
      () => `${name} must be above 0, got ${describe(value)}.`,
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
    if (penalty.lambda !== 'auto' || penalty.kind !== 'ewc') atLeast('penalty.lambda', Number(penalty.lambda))
    else above('penalty.tolerance', penalty.tolerance)
    if (penalty.kind === 'si') above('penalty.damping', penalty.damping)
    else atLeast('penalty.samples', penalty.samples, 1)
    if (penalty.kind === 'ewc' && penalty.fisher === 'kronecker')
      check(
        penalty.lambda !== 'auto' && penalty.anchors !== 'separate' && penalty.mask === undefined,
        where,
        () => "penalty.fisher 'kronecker' has the latest anchor only, and neither a mask nor lambda 'auto'.",
      )
    for (const [path, factor] of Object.entries(penalty.mask ?? {})) atLeast(`penalty.mask ${path}`, factor)
  }
  atLeast('distill.weight', distill?.weight)
  above('distill.temperature', distill?.temperature)
  atLeast('replay.labels', replay?.labels)
  atLeast('replay.logits', replay?.logits)
  atLeast('replay.batch', replay?.batch, 1)
  atLeast('replay.compare', replay?.compare, 1)
  check(
    replay?.by === undefined || replay.by === 'group' || (replay.by === 'class' && likelihood === 'softmax'),
    where,
    () => `replay.by must be class (with softmax) or group, got ${describe(replay?.by)}.`,
  )
  atLeast('constraint.batch', constraint?.batch, 1)
  atLeast('constraint.margin', constraint?.margin)
  check(
    constraint === undefined || constraint.kind === 'gem' || constraint.kind === 'a-gem',
    where,
    () => `constraint.kind must be gem or a-gem, got ${describe(constraint?.kind)}.`,
  )
}
