/** How far a long task has come. */
export interface Progress {
  readonly done: number
  /** Absent while the end is not known. */
  readonly total?: number
  readonly message?: string
}

/** Options of everything that can take longer than a second. */
export interface LongTaskOptions {
  /** Stops the task; its promise rejects with the signal's reason. */
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}
