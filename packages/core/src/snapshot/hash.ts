import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Snapshot } from '../snapshot.ts'
import { type ArrayLeaf, rawBytes, type Tree } from '../tree.ts'
import { toTagged } from './tagged.ts'

/**
 * Hashes bytes with sha-256, as 64 lower-case hexadecimal digits.
 *
 * ```ts
 * import { hashBytes } from '@regimen/core'
 *
 * hashBytes(new Uint8Array()) // => 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
 * ```
 */
export function hashBytes(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes))
}

/**
 * Hashes a tree's canonical bytes with sha-256: equal trees give equal hashes whatever the order of their keys, and any
 * difference of a bit (−0 and 0, two NaNs inside an array leaf, a dtype, a shape) gives another.
 *
 * The canonical bytes are the UTF-8 text of the tree as JSON with keys sorted (whole numbers ascending first, as
 * ECMAScript orders them, then the others by UTF-16 code unit), numbers in
 * ECMAScript's shortest form, every array leaf standing as its dtype and shape; then a zero byte; then the leaves'
 * little-endian bytes in the order in which the text names them.
 *
 * ```ts
 * import { hashTree } from '@regimen/core'
 *
 * hashTree({ a: 1, b: 2 }) === hashTree({ b: 2, a: 1 }) // => true
 * hashTree({ a: 0 }) === hashTree({ a: -0 }) // => false
 * ```
 */
export function hashTree(tree: Tree): string {
  const leaves: ArrayLeaf[] = []
  const json = toTagged(tree, '', {
    sort: true,
    leaf: (leaf) => {
      leaves.push(leaf)
      return { $array: leaf.dtype, shape: leaf.shape }
    },
  })
  const hash = sha256.create()
  hash.update(new TextEncoder().encode(`${JSON.stringify(json)}\0`))
  for (const leaf of leaves) hash.update(rawBytes(leaf.data))
  return bytesToHex(hash.digest())
}

/**
 * Hashes everything in a snapshot but `library`, in the children too: two snapshots with one hash are the same model,
 * whichever release wrote them.
 *
 * ```ts
 * import { createSnapshot, hashSnapshot } from '@regimen/core'
 *
 * const snapshot = createSnapshot({ id: 'example/count', version: 1, config: {}, state: { count: 3 } })
 * hashSnapshot(snapshot) === hashSnapshot({ ...snapshot, library: '9.9.9' }) // => true
 * hashSnapshot(snapshot).length // => 64
 * ```
 */
export function hashSnapshot(snapshot: Snapshot): string {
  return hashTree(withoutLibrary(snapshot))
}

function withoutLibrary({ id, version, config, state, children }: Snapshot): Tree {
  const inner: [string, Tree][] = Object.entries(children).map(([name, child]) => [name, withoutLibrary(child)])
  return { id, version, config, state, children: Object.fromEntries(inner) }
}
