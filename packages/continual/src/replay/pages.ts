/** Samples in rows: their numbers, then their groups, as they lie in a page's bytes. */
export interface Page {
  readonly floats: Float32Array
  readonly groups: Int32Array
  count: number
}

/** Makes room for a page. */
export function emptyPage(page: number, floats: number): Page {
  return { floats: new Float32Array(page * floats), groups: new Int32Array(page), count: 0 }
}

/** The bytes of a page. */
export function encodePage({ floats, groups }: Page): Uint8Array {
  const bytes = new Uint8Array(floats.byteLength + groups.byteLength)
  bytes.set(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength))
  bytes.set(new Uint8Array(groups.buffer, groups.byteOffset, groups.byteLength), floats.byteLength)
  return bytes
}

/** A full page of its bytes. */
export function decodePage(bytes: Uint8Array, page: number, floats: number): Page {
  const one = emptyPage(page, floats)
  new Uint8Array(one.floats.buffer).set(bytes.subarray(0, one.floats.byteLength))
  new Uint8Array(one.groups.buffer).set(bytes.subarray(one.floats.byteLength))
  return { ...one, count: page }
}
