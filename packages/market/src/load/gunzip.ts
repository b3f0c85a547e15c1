import { check } from '@regimen/core'

/**
 * Unpacks gzip bytes with the platform's `DecompressionStream` (browsers, Node 18 and later), so that
 * `loadCsv(await gunzip(bytes))` reads a `.csv.gz`. Bytes that are not gzip are returned as they are.
 *
 * ```ts
 * import { gunzip } from '@regimen/market'
 *
 * const plain = await gunzip(new Uint8Array([49, 50]))
 * plain.length // => 2
 * ```
 */
export async function gunzip(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  check(
    typeof DecompressionStream === 'function',
    'market/gunzip',
    () => 'this platform has no DecompressionStream.',
    'Unpack the file before loading it.',
  )
  const packed = new Blob([new Uint8Array(bytes)]).stream()
  const plain = packed.pipeThrough(new DecompressionStream('gzip'))
  return new Uint8Array(await new Response(plain).arrayBuffer())
}
