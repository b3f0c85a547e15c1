/** Sorts the same population again and again without allocating. */
export interface FrontSorter {
  /** Front of each member, 0 is the best. */
  readonly rank: Int32Array
  /** Members in the order of their fronts. */
  readonly order: Int32Array
  /** Where each front begins in `order`; one more entry than fronts. */
  readonly starts: Int32Array
  /** Sorts `count` members and returns the number of fronts. */
  sort(values: Float64Array, violations: Float64Array, count: number): number
}

/**
 * Sorts a population into fronts by constrained domination: feasible members by Pareto domination of their objectives, all
 * minimized; infeasible ones behind them by their violation. Two objectives take O(n log n), more O(m·n²).
 */
export function createFrontSorter(capacity: number, m: number): FrontSorter {
  const rank = new Int32Array(capacity)
  const order = new Int32Array(capacity)
  const starts = new Int32Array(capacity + 1)
  const list = new Int32Array(capacity)
  const tails = new Float64Array(capacity)
  const dominators = new Int32Array(capacity)

  const plane = (values: Float64Array, feasible: Int32Array): number => {
    feasible.sort((i, j) => {
      const a = values[2 * i]!
      const b = values[2 * j]!
      if (a !== b) return a < b ? -1 : 1
      const c = values[2 * i + 1]!
      const d = values[2 * j + 1]!
      return c === d ? i - j : c < d ? -1 : 1
    })
    let fronts = 0
    let beforeX = Number.NaN
    let beforeY = Number.NaN
    let before = 0
    for (const i of feasible) {
      const x = values[2 * i]!
      const y = values[2 * i + 1]!
      if (x === beforeX && y === beforeY) {
        rank[i] = before
        continue
      }
      // tails[k] is the lowest second objective in front k; it does not fall with k.
      let low = 0
      let high = fronts
      while (low < high) {
        const mid = (low + high) >> 1
        if (tails[mid]! > y) high = mid
        else low = mid + 1
      }
      if (low === fronts) fronts++
      tails[low] = y
      rank[i] = low
      beforeX = x
      beforeY = y
      before = low
    }
    return fronts
  }

  const general = (values: Float64Array, feasible: Int32Array): number => {
    const n = feasible.length
    for (const i of feasible) {
      dominators[i] = 0
      rank[i] = -1
    }
    for (let p = 0; p < n; p++) {
      const i = feasible[p]!
      for (let q = p + 1; q < n; q++) {
        const j = feasible[q]!
        const side = compare(values, i, j, m)
        if (side < 0) dominators[j]!++
        else if (side > 0) dominators[i]!++
      }
    }
    let left = n
    let front = 0
    while (left > 0) {
      for (const i of feasible) if (rank[i] === -1 && dominators[i] === 0) rank[i] = front
      for (const i of feasible) {
        if (rank[i] !== front) continue
        left--
        for (const j of feasible) if (rank[j] === -1 && compare(values, i, j, m) < 0) dominators[j]!--
      }
      front++
    }
    return front
  }

  return {
    rank,
    order,
    starts,
    sort(values, violations, count) {
      let good = 0
      for (let i = 0; i < count; i++) if (violations[i] === 0) list[good++] = i
      let bad = good
      for (let i = 0; i < count; i++) if (violations[i] !== 0) list[bad++] = i
      let fronts =
        good === 0 ? 0 : m === 2 ? plane(values, list.subarray(0, good)) : general(values, list.subarray(0, good))
      const infeasible = list.subarray(good, count).sort((i, j) => violations[i]! - violations[j]! || i - j)
      for (let k = 0; k < infeasible.length; k++) {
        const i = infeasible[k]!
        const same = k > 0 && violations[i] === violations[infeasible[k - 1]!]
        rank[i] = same ? fronts - 1 : fronts++
      }
      // Counting sort: members of a front in the order of their numbers.
      starts.fill(0, 0, fronts + 1)
      for (let i = 0; i < count; i++) starts[rank[i]! + 1]!++
      for (let f = 0; f < fronts; f++) starts[f + 1]! += starts[f]!
      const next = dominators
      for (let f = 0; f < fronts; f++) next[f] = starts[f]!
      for (let i = 0; i < count; i++) {
        const f = rank[i]!
        const at = next[f]!
        next[f] = at + 1
        order[at] = i
      }
      return fronts
    },
  }
}

/** −1 when i dominates j, 1 when j dominates i, else 0. */
function compare(values: Float64Array, i: number, j: number, m: number): number {
  let better = false
  let worse = false
  for (let k = 0; k < m; k++) {
    const a = values[i * m + k]!
    const b = values[j * m + k]!
    if (a < b) better = true
    else if (a > b) worse = true
    if (better && worse) return 0
  }
  return better ? -1 : worse ? 1 : 0
}

/** Writes the crowding distance of each of a front's members (numbers of the population) into `out`, by member. */
export function crowdingInto(
  values: Float64Array,
  front: Int32Array,
  m: number,
  sorted: Int32Array,
  out: Float64Array,
): void {
  const n = front.length
  for (const i of front) out[i] = 0
  const by = sorted.subarray(0, n)
  by.set(front)
  for (let k = 0; k < m; k++) {
    by.sort((i, j) => values[i * m + k]! - values[j * m + k]! || i - j)
    const first = by[0]!
    const last = by[n - 1]!
    const range = values[last * m + k]! - values[first * m + k]!
    out[first] = Number.POSITIVE_INFINITY
    out[last] = Number.POSITIVE_INFINITY
    if (!(range > 0)) continue
    for (let p = 1; p < n - 1; p++) {
      out[by[p]!]! += (values[by[p + 1]! * m + k]! - values[by[p - 1]! * m + k]!) / range
    }
  }
}
