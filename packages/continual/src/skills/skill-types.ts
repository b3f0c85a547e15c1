import type { EventSink, Snapshot } from '@regimen/core'
import type { TaskData } from '../rows.ts'
import type { SkillGraph } from './graph.ts'

/** Inputs row-major, and their labels. */
export type SkillSamples = Pick<TaskData, 'x' | 'y'>

/** Options of `openSkills`. */
export interface SkillsOptions {
  /** Numbers in an input, ≥ 1. */
  inputs: number
  /** Numbers in a label; a class is one number. @default 1 */
  targets?: number
  /** Numbers in a descriptor, ≥ 1. */
  features: number
  /**
   * The loss of every sample under a model, as `skillNet` measures it; one that is not finite counts as the worst. A function is
   * no data: a library opened from a snapshot needs it again.
   */
  losses(model: Snapshot, samples: SkillSamples): Promise<ArrayLike<number>>
  /** Most skills kept, ≥ 1; one more makes two into one or drives one out. @default 64 */
  capacity?: number
  /** Most held-back samples kept of each skill, ≥ 2. @default 256 */
  held?: number
  /** Chance that a skill that has not changed ever raises an alarm, above 0, below 1. @default 0.01 */
  falseAlarms?: number
  /** Most losses that new ones are compared with, ≥ 2. @default 256 */
  reference?: number
  /** Nearest skills that each is linked to in the graph, ≥ 0. @default 3 */
  links?: number
  /** Hears of skills added, replaced, merged, evicted and decayed. */
  events?: EventSink
  /** @default 0 */
  seed?: number | string
}

/** A stored regime or task. */
export interface Skill {
  readonly name: string
  readonly kind: 'regime' | 'task'
  readonly model: Snapshot
  readonly descriptor: Float64Array
  readonly metrics: { readonly [name: string]: number }
  /** The skill that its model was started from. */
  readonly parent: string | null
  /** Names of skills that were merged into it. */
  readonly absorbed: readonly string[]
  /** When it was added. */
  readonly added: number
  /** Held-back samples judged so far. */
  readonly judged: number
  /** Mean loss on the held-back samples of the last judgement. */
  readonly loss: number
  /** Evidence that its losses have grown: 1 at first; 1 / `falseAlarms` is an alarm. */
  readonly evidence: number
  /** When it raised an alarm. */
  readonly decayed: number | null
}

/** A skill as it is added. */
export interface NewSkill {
  /** Not empty, and not in the library yet. */
  name: string
  /** @default 'regime' */
  kind?: 'regime' | 'task'
  model: Snapshot
  /** `features` finite numbers, from `describeTask` or of your own. */
  descriptor: ArrayLike<number>
  /** Samples that the model has not learned from, ≥ 2: what it is held to. Hundreds see a decay sooner. */
  samples: SkillSamples
  /** What you know of it. @default {} */
  metrics?: { readonly [name: string]: number }
  /** The skill that its model was started from. @default none */
  parent?: string
  /** UTC epoch milliseconds. */
  time: number
}

/** A skill that may be a good start. */
export interface SkillMatch {
  readonly skill: Skill
  /** Root of the mean squared difference of the descriptors; undefined where none was given. */
  readonly distance: number | undefined
  /** Mean loss on the samples; undefined where none was measured. */
  readonly loss: number | undefined
}

/** How skills are looked for. */
export interface RetrieveOptions {
  /** Matches wanted, ≥ 1. @default 1 */
  count?: number
  /** Descriptor of the samples: only the nearest skills' losses are measured. @default none (all are measured) */
  descriptor?: ArrayLike<number>
  /** Skills that are measured where a descriptor is given, ≥ 1. @default 8 */
  shortlist?: number
  /** Leaves skills out that raised an alarm. @default false */
  healthy?: boolean
}

/** What judging a skill came to. */
export interface SkillVerdict {
  readonly name: string
  /** Samples judged. */
  readonly samples: number
  /** Their mean loss. */
  readonly loss: number
  readonly evidence: number
  /** True where the alarm was raised by these samples. */
  readonly alarm: boolean
}

/** What came of adding a skill. */
export interface Added {
  /** The skill that stands for it now: with another name where it was merged into one. */
  readonly skill: Skill
  /** What had to go. */
  readonly removed?: { readonly name: string; readonly into: string | null }
}

/** A bounded library of skills. */
export interface SkillLibrary {
  /** In the order in which they came. */
  readonly skills: readonly Skill[]
  /** The skill of a name, or the one that absorbed it. */
  get(name: string): Skill | undefined
  /** Adds a skill, and makes room where there is none. */
  add(skill: NewSkill): Promise<Added>
  /**
   * Gives a skill a model that has learned further, if that is no worse on its held-back samples; its watch begins anew. The
   * mean losses of both say how it went.
   */
  replace(
    name: string,
    model: Snapshot,
    time: number,
  ): Promise<{ readonly accepted: boolean; readonly before: number; readonly after: number }>
  /** Takes samples that nothing learned from; the oldest go where there are too many. Returns how many were not finite. */
  hold(name: string, samples: SkillSamples): number
  /** Judges every skill by the samples held back since the last time, and raises alarms. */
  validate(time: number): Promise<readonly SkillVerdict[]>
  /** The skills nearest by descriptor. */
  nearest(descriptor: ArrayLike<number>, count?: number): readonly SkillMatch[]
  /** The skills that answer the samples with the least loss: where to start from. Changes nothing. */
  retrieve(samples: SkillSamples, options?: RetrieveOptions): Promise<readonly SkillMatch[]>
  /** Drops a skill. */
  remove(name: string, time: number): void
  /** Skills and their likeness as nodes and edges: plain data, for JSON, `toGraphMl` and `skillsChart`. */
  graph(): SkillGraph
  snapshot(): Snapshot
}
