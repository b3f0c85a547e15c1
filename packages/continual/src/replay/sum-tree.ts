/** Priorities in a tree of sums: changing one, and finding the one under a point of the total, takes log₂ n steps. */
export interface SumTree {
  readonly length: number
  /** Sum of all priorities. */
  readonly total: number
  get(index: number): number
  set(index: number, priority: number): void
  /** The index whose stretch of the total holds the point, which lies from 0 to below the total. */
  find(point: number): number
}

/**
 * Opens a tree of zeros. Node i is the sum of nodes 2i and 2i + 1 and the leaves lie from n to 2n, for any n, so it takes
 * 16 bytes a leaf. A change sums anew on its way up instead of adding differences: rounding errors do not gather.
 */
export function openSumTree(length: number): SumTree {
  const nodes = new Float64Array(2 * length)
  return {
    length,
    get total() {
      return nodes[1]!
    },
    get: (index) => nodes[length + index]!,
    set(index, priority) {
      let i = length + index
      nodes[i] = priority
      for (i >>= 1; i >= 1; i >>= 1) nodes[i] = nodes[2 * i]! + nodes[2 * i + 1]!
    },
    find(point) {
      let rest = point
      let i = 1
      while (i < length) {
        i *= 2
        const left = nodes[i]!
        // An empty right side is never entered, even where rounding has left a little of the point.
        if (rest >= left && nodes[i + 1]! > 0) {
          rest -= left
          i++
        }
      }
      return i - length
    },
  }
}
