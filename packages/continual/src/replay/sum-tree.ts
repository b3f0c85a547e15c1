/** Priorities in a tree of sums: changing one, and finding the one under a point of the total, takes log₈ n steps. */
export interface SumTree {
  readonly length: number
  /** Sum of all priorities. */
  readonly total: number
  get(index: number): number
  set(index: number, priority: number): void
  /**
   * Finds the index whose stretch of the total holds each point, from 0 to below the total. Uses up the points. All go down a level
   * together, so that the next ones are looked up while the first wait for memory.
   */
  find(points: Float64Array, found: Int32Array): void
}

/** Children of a node: eight float64 are one line of the cache. */
const WIDE = 8

/**
 * Opens a tree of zeros, level after level in one array, the leaves first. Node j of a level is the sum of the eight nodes from 8j
 * of the level below, so a search reads one cache line a level: seven for a million leaves, where a binary tree reads twenty. It
 * takes at most 16 bytes a leaf. A change sums its line anew on its way up instead of adding a difference: rounding errors do not
 * gather.
 */
export function openSumTree(length: number): SumTree {
  // starts[k] is where level k begins and level k − 1 ends; the top level has at most eight nodes.
  const ends: number[] = [0, length]
  for (let size = length; size > WIDE; ) {
    size = Math.ceil(size / WIDE)
    ends.push(ends.at(-1)! + size)
  }
  const starts = Int32Array.from(ends)
  const levels = starts.length - 1
  const nodes = new Float64Array(starts[levels]!)
  let total = 0
  return {
    length,
    get total() {
      return total
    },
    get: (index) => nodes[index]!,
    set(index, priority) {
      nodes[index] = priority
      let j = index
      for (let level = 0; ; level++) {
        j >>= 3
        const first = starts[level]! + (j << 3)
        const end = Math.min(first + WIDE, starts[level + 1]!)
        let sum = 0
        if (end - first === WIDE) {
          // In pairs, so that the additions need not wait for each other.
          const left = nodes[first]! + nodes[first + 1]! + (nodes[first + 2]! + nodes[first + 3]!)
          sum = left + (nodes[first + 4]! + nodes[first + 5]! + (nodes[first + 6]! + nodes[first + 7]!))
        } else for (let at = first; at < end; at++) sum += nodes[at]!
        if (level === levels - 1) {
          total = sum
          return
        }
        nodes[starts[level + 1]! + j] = sum
      }
    },
    find(points, found) {
      found.fill(0)
      for (let level = levels - 1; level >= 0; level--) {
        const begin = starts[level]!
        const limit = starts[level + 1]!
        for (let i = 0; i < points.length; i++) {
          let rest = points[i]!
          const first = begin + (found[i]! << 3)
          const last = Math.min(first + WIDE, limit) - 1
          let chosen = first
          let value = nodes[chosen]!
          while (chosen < last && rest >= value) {
            rest -= value
            value = nodes[++chosen]!
          }
          // Nothing is found under a zero, even where rounding has left a little of the point behind the last sum.
          while (value === 0 && chosen > first) {
            value = nodes[--chosen]!
            rest += value
          }
          points[i] = rest
          found[i] = chosen - begin
        }
      }
    },
  }
}
