export { manualClock, systemClock } from './clock.ts'
export { check, describe, RegimenError } from './errors.ts'
export { collectEvents, createEvent, filterEvents, teeEvents } from './events.ts'
export { toAsyncFactory, toAsyncLive, toLearner } from './learner.ts'
export { createLifetime } from './lifetime.ts'
export { createPacer, reportProgress, throwIfAborted, yieldToEventLoop } from './progress.ts'
export { aliasTable, drawAlias } from './random/alias.ts'
export { createReservoir, offer } from './random/reservoir.ts'
export { defineRegistry } from './registry.ts'
export { createRng, Rng } from './rng.ts'
export { decodeSafetensors, encodeSafetensors } from './safetensors.ts'
export { changePoints, toLabels, toSegments } from './segments.ts'
export { decodeSnapshot, encodeSnapshot } from './snapshot/binary.ts'
export { hashBytes, hashSnapshot, hashTree } from './snapshot/hash.ts'
export { snapshotFromJson, snapshotToJson } from './snapshot/json.ts'
export { restore } from './snapshot/restore.ts'
export { schema } from './snapshot/schema.ts'
export { createSnapshot, isSnapshot } from './snapshot.ts'
export { checkPoint, checkSpace, decode, encode, encodeOneHot, samplePoint } from './space.ts'
export { arrayLeaf, cloneTree, isArrayLeaf } from './tree.ts'

// Types.

export type { Clock } from './clock.ts'
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
export type { RegimenErrorOptions } from './errors.ts'
export type { EventCollector, EventSink, RegimenEvent } from './events.ts'
export type { Lifetime } from './lifetime.ts'
export type { LongTaskOptions, PacerOptions, Progress, ReportProgressOptions } from './progress.ts'
export type { AliasTable } from './random/alias.ts'
export type { Reservoir } from './random/reservoir.ts'
export type { Registry } from './registry.ts'
export type { RngState } from './rng.ts'
export type { Safetensors } from './safetensors.ts'
export type { Segment } from './segments.ts'
export type { MigratedParts, Migrations, RestoreOptions } from './snapshot/restore.ts'
export type { Infer, OptionalSchema, Schema } from './snapshot/schema.ts'
export type { Snapshot, SnapshotParts } from './snapshot.ts'
export type { CategoricalDimension, Dimension, FloatDimension, IntDimension, PointOf, Space } from './space.ts'
export type { ArrayLeaf, Dtype, DtypeArrays, Tree, TypedArray } from './tree.ts'
