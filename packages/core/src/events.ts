import type { Tree } from './tree.ts'

/** A decision that changed a model or a position: what, why, and the hashes of what it was based on. */
export interface RegimenEvent<Data extends { readonly [key: string]: Tree } = { readonly [key: string]: Tree }> {
  /** `package/verb`, for example `regimes/switch` or `store/promote`. */
  readonly type: string
  /** UTC epoch milliseconds, from the injected clock or from the bar. */
  readonly time: number
  /** Why it happened, as a sentence. */
  readonly reason: string
  /** sha-256 of the inputs, by name. */
  readonly inputs?: { readonly [name: string]: string }
  readonly data: Data
}

/** Where events go. The store has one that keeps a hash-chained audit log. */
export interface EventSink {
  emit(event: RegimenEvent): void
}
