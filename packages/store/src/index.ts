export { folderBlobs } from './blobs/folder.ts'
export { memoryBlobs } from './blobs/memory.ts'
export { s3Blobs } from './blobs/s3.ts'
export { fileMetadata } from './metadata/file.ts'
export { memoryMetadata } from './metadata/memory.ts'
export { postgresMetadata } from './metadata/postgres.ts'
export { sqliteMetadata } from './metadata/sqlite.ts'
export { importMlflow } from './mlflow.ts'
export { createGuard } from './promotion/guard.ts'
export { createSequentialTest } from './promotion/sequential.ts'
export { openStore } from './store.ts'

// Types.

export type { Aliases, AliasMoveRecord, MoveOptions } from './aliases.ts'
export type { BlobRef } from './blobs/blobs.ts'
export type { BlobDriver, BlobEntry } from './blobs/driver.ts'
export type { FolderBlobsOptions } from './blobs/folder.ts'
export type { S3BlobsOptions } from './blobs/s3.ts'
export type { BackupResult } from './care/backup.ts'
export type { FsckOptions, FsckProblem, FsckResult, Verification, VerifyOptions } from './care/fsck.ts'
export type { GcOptions, GcResult } from './care/gc.ts'
export type { RetentionPolicy } from './care/retain.ts'
export type {
  CheckResult,
  Metrics,
  ModelSignature,
  RunStatus,
  SplitArm,
  TensorSignature,
  TrainingData,
  Version,
} from './catalogue.ts'
export type { FileOperations } from './files.ts'
export type { LogHead, LogLine, LogRecord } from './log.ts'
export type { LogNote, MetadataDriver } from './metadata/driver.ts'
export type { FileMetadataOptions } from './metadata/file.ts'
export type { PostgresMetadataOptions } from './metadata/postgres.ts'
export type { SqliteMetadataOptions } from './metadata/sqlite.ts'
export type { MlflowImport } from './mlflow.ts'
export type { ListOptions, Model, WatchOptions } from './model.ts'
export type { Guard, GuardOptions, GuardVerdict } from './promotion/guard.ts'
export type { Promotion, PromotionPolicy, RuleResult, Threshold } from './promotion/policy.ts'
export type {
  SequentialResult,
  SequentialState,
  SequentialTest,
  SequentialTestOptions,
} from './promotion/sequential.ts'
export type { Assignment } from './promotion/split.ts'
export type { PublishOptions } from './publish.ts'
export type { VersionReference } from './reference.ts'
export type { Run, RunInfo, RunOptions, StepMetrics } from './runs.ts'
export type { SampleArrays } from './samples.ts'
export type { Store, StoreDrivers, StoreOptions } from './store.ts'
