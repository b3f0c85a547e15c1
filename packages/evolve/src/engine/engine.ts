import type { Direction, Optimizer, Snapshot } from '@regimen/core'

/** The numbers that an engine carries from one generation to the next: scalars and flat arrays, nothing else. */
export interface EngineState {
  [key: string]: number | string | boolean | Float64Array | Int32Array
}

/** A generation's results in the order of their ids, every objective to be minimized. */
export interface Batch {
  readonly count: number
  /** count × width, row-major: the rows that `propose` wrote. */
  readonly rows: Float64Array
  /** count × objectives; +Infinity where the evaluation failed. */
  readonly values: Float64Array
  /** Sum of the positive violations: 0 is feasible, +Infinity a failed evaluation. */
  readonly violations: Float64Array
  /** count × behaviours, for engines that ask for them. */
  readonly behaviours: Float64Array
}

/** The algorithm proper. Creating one draws no random numbers, so that a restored one continues on the same stream. */
export interface Engine<Point> {
  /** Numbers that describe one candidate: its genome and whatever the engine wants back with the result. */
  readonly width: number
  /** Results that make a generation, now. */
  readonly size: number
  readonly stopped: string | undefined
  readonly state: EngineState
  /** Keys of `state` whose arrays change their length. */
  readonly grows?: readonly string[]
  /** Objectives per candidate; 1 when absent. */
  readonly objectives?: number
  /** Behaviour numbers per candidate; 0 when absent. */
  readonly behaviours?: number
  /** Writes a new candidate at `rows[at…]`. */
  propose(rows: Float64Array, at: number): void
  learn(batch: Batch): void
  decode(rows: Float64Array, at: number): Point
  /** Called once `state` has been filled from a snapshot. */
  restored?(): void
}

/** What every optimizer of this package offers beyond the common contract. */
export interface EvolutionOptimizer<Point> extends Optimizer<Point> {
  readonly direction: Direction
  /** Results told so far, failed ones included. */
  readonly evaluations: number
  /** Generations learned from so far. */
  readonly generations: number
  /** Candidates that make one generation: what `ask()` gives. */
  readonly populationSize: number
  snapshot(): Snapshot
}

/** Whether the first candidate is better by the feasibility rules: feasible first, then less violation, then value. */
export function isBetter(violationA: number, valueA: number, violationB: number, valueB: number): boolean {
  return violationA === violationB ? valueA < valueB : violationA < violationB
}

/** Orders a generation best first by the feasibility rules; ties keep the order of the ids. */
export function rankBatch(batch: Batch, order: Int32Array): Int32Array {
  const { values, violations, count } = batch
  for (let i = 0; i < count; i++) order[i] = i
  const used = order.length === count ? order : order.subarray(0, count)
  return used.sort((a, b) => {
    const va = violations[a]!
    const vb = violations[b]!
    if (va !== vb) return va < vb ? -1 : 1
    const fa = values[a]!
    const fb = values[b]!
    return fa === fb ? a - b : fa < fb ? -1 : 1
  })
}
