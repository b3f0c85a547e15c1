import { check, describe, RegimenError } from '@regimen/core'
import type { LoadedBars } from './raw.ts'
import { type LoadRowsOptions, loadRows } from './rows.ts'

/** Options of {@link loadParquet}. */
export interface LoadParquetOptions extends LoadRowsOptions {
  /**
   * Decompressors for codecs beyond Snappy and uncompressed, by name: pass `compressors` of `hyparquet-compressors`.
   * @default only what hyparquet brings
   */
  compressors?: { readonly [codec: string]: (input: Uint8Array, outputLength: number) => Uint8Array } | undefined
}

/**
 * Loads bars from a Parquet file's bytes through hyparquet, which is imported on the first call. Columns are found by
 * name as in {@link loadRows}; int64 and decimal columns become numbers.
 *
 * ```ts
 * import { loadParquet } from '@regimen/market'
 *
 * const load = async (file: ArrayBuffer) => (await loadParquet(file)).bars
 * ```
 */
export async function loadParquet(
  file: ArrayBuffer | Uint8Array,
  options: LoadParquetOptions = {},
): Promise<LoadedBars> {
  check(
    file instanceof ArrayBuffer || file instanceof Uint8Array,
    'market/load-parquet',
    () => `file must be an ArrayBuffer or a Uint8Array, got ${describe(file)}.`,
  )
  const { parquetReadObjects } = await import('hyparquet')
  // hyparquet wants a buffer of its own, not a window into a larger one.
  const buffer = file instanceof ArrayBuffer ? file : new Uint8Array(file).buffer
  let rows: { [name: string]: unknown }[]
  try {
    rows = await parquetReadObjects({
      file: buffer,
      ...(options.compressors ? { compressors: { ...options.compressors } } : {}),
    })
  } catch (cause) {
    throw new RegimenError(`the Parquet file cannot be read: ${cause instanceof Error ? cause.message : cause}.`, {
      code: 'UNREADABLE_FILE',
      where: 'market/load-parquet',
      hint: 'For zstd, gzip or brotli pass { compressors } from hyparquet-compressors.',
      cause,
    })
  }
  return loadRows(rows, options)
}
