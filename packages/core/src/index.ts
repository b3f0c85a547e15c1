export { type Clock, manualClock, systemClock } from './clock.ts'
export type {
  AsyncLive,
  AsyncLiveFactory,
  Candidate,
  Detector,
  Direction,
  Evaluation,
  Incumbent,
  Learner,
  Live,
  LiveFactory,
  Optimizer,
  Probabilistic,
} from './contracts.ts'
export { check, describe, RegimenError, type RegimenErrorOptions } from './errors.ts'
export type { EventSink, RegimenEvent } from './events.ts'
export type { LongTaskOptions, Progress } from './progress.ts'
export { type AliasTable, aliasTable, drawAlias } from './random/alias.ts'
export { createReservoir, offer, type Reservoir } from './random/reservoir.ts'
export { createRng, Rng, type RngState } from './rng.ts'
export type { Segment } from './segments.ts'
export type { Snapshot } from './snapshot.ts'
export type { CategoricalDimension, Dimension, FloatDimension, IntDimension, PointOf, Space } from './space.ts'
export type { ArrayLeaf, Dtype, DtypeArrays, Tree, TypedArray } from './tree.ts'
