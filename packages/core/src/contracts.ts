import type { Snapshot } from './snapshot.ts'

/** A running algorithm. It may reuse its buffers between calls; `snapshot` copies what it needs. */
export interface Live<X, Y = undefined, P = unknown> {
  /** Learns from one observation, and from its label where there is one. */
  update(x: X, y?: Y): void
  /** Answers for `x` from what was learned so far; never learns. */
  predict(x: X): P
  /** Copies the whole state. `open(snapshot)` continues to the identical next state. */
  snapshot(): Snapshot
  /** Frees what the garbage collector cannot. Using a disposed object is an error. */
  dispose(): void
}

/** The same for algorithms whose work is asynchronous: neural nets on a runtime. */
export interface AsyncLive<X, Y = undefined, P = unknown> {
  update(x: X, y?: Y): Promise<void>
  predict(x: X): Promise<P>
  snapshot(): Promise<Snapshot>
  dispose(): void
}

/** What an algorithm exports to be opened from a configuration or continued from a snapshot. */
export interface LiveFactory<Config, X, Y = undefined, P = unknown> {
  /** Registered name, `package/algorithm`. */
  readonly id: string
  /** Version of the state's layout; a change needs a migration. */
  readonly version: number
  open(from: Config | Snapshot): Live<X, Y, P>
}

/** The asynchronous counterpart of {@link LiveFactory}. */
export interface AsyncLiveFactory<Config, X, Y = undefined, P = unknown> {
  readonly id: string
  readonly version: number
  open(from: Config | Snapshot): Promise<AsyncLive<X, Y, P>>
}

/** The pure face that `core` derives from a {@link LiveFactory}: states go in and come out, nothing is mutated. */
export interface Learner<Config, X, Y = undefined, P = unknown> {
  init(config: Config): Snapshot
  update(state: Snapshot, x: X, y?: Y): Snapshot
  predict(state: Snapshot, x: X): P
}

/** Something that watches a stream and says when it has changed. */
export interface Detector<X = number> {
  /** Takes one observation; true when a change is detected at this very observation. */
  update(x: X): boolean
  snapshot(): Snapshot
}

/** A prediction with its own uncertainty. */
export interface Probabilistic<X, P = unknown> {
  /** Natural logarithm of the predictive density (or mass) of `y` given `x`. */
  logProb(x: X, y: P): number
}

/** Whether smaller or larger objective values are better. Always said explicitly. */
export type Direction = 'minimize' | 'maximize'

/** A point to evaluate, numbered by the optimizer that asked for it. */
export interface Candidate<Point> {
  readonly id: number
  readonly point: Point
}

/** What came of a {@link Candidate}. A failed evaluation says why and carries no value. */
export type Evaluation =
  | { readonly id: number; readonly value: number | readonly number[]; readonly violations?: readonly number[] }
  | { readonly id: number; readonly failed: string }

/** The best point known so far. */
export interface Incumbent<Point> extends Candidate<Point> {
  readonly value: number
}

/**
 * Ask/tell optimization: every optimizer of `evolve` and `bayes` is one, and everything that tunes accepts one.
 * Evaluations may come back in any order and in part; `tell` for an unknown id is an error that changes nothing.
 */
export interface Optimizer<Point> {
  readonly direction: Direction | readonly Direction[]
  /** Proposes `n` points (a population's size when omitted). */
  ask(n?: number): Candidate<Point>[]
  tell(evaluations: readonly Evaluation[]): void
  /** The best point told so far; undefined before the first success and for several objectives (see `front`). */
  readonly best: Incumbent<Point> | undefined
  /** Why the optimizer has stopped by itself; undefined while it would go on. */
  readonly stopped: string | undefined
  snapshot(): Snapshot
}
