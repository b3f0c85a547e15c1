/**
 * Keeps sealed bytes under a name, which is always 64 hexadecimal digits. `read`, `write` and `list` must be there; without the
 * others the store buffers streams and cannot collect garbage.
 */
export interface BlobDriver {
  /** What it is, for messages: `folder`, `s3`, … */
  readonly name: string
  /** The bytes, or undefined where there are none under the name. */
  read(name: string): Promise<Uint8Array | undefined>
  /** Stores all bytes or none and returns once they are durable. Writing the same name twice is no error. */
  write(name: string, bytes: Uint8Array): Promise<void>
  list(): AsyncIterable<BlobEntry>
  /** Size and age, or undefined where there is nothing under the name. */
  stat?(name: string): Promise<BlobEntry | undefined>
  remove?(name: string): Promise<void>
  /** Makes the blob look new, so that garbage collection spares it for another grace period. */
  touch?(name: string): Promise<void>
  /** Stores a stream whose name is known only at its end; undefined as a name leaves nothing behind. */
  writeStream?(
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    nameAtEnd: () => Promise<string | undefined>,
  ): Promise<void>
  readStream?(name: string): Promise<AsyncIterable<Uint8Array> | undefined>
  /** Puts a damaged blob aside, where nobody reads it and a person can look at it. */
  quarantine?(name: string): Promise<void>
  /** Removes what kills left behind; gives the number of removed temporary files older than `before`. */
  sweep?(before: number): Promise<number>
  close?(): Promise<void>
}

/** One stored blob. */
export interface BlobEntry {
  readonly name: string
  /** Stored bytes. */
  readonly size: number
  /** UTC epoch milliseconds of the last write or touch. */
  readonly modified: number
}
