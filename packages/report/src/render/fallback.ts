/** A chart as a small table, for readers who cannot see it. */
export interface Fallback {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}
