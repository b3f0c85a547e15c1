import { createFrontSorter, crowdingInto } from './fronts.ts'
import { defineMulti, type MultiFactory, type Survival } from './multi.ts'

/**
 * Optimizes two or three objectives at once by NSGA-II: parents and children compete, fronts of mutually undominated members
 * fill the next population from the best on, and within the last front that fits those stay that have most room around them
 * (crowding distance; with two objectives measured
 * anew whenever one has left). The answer is a front of trade-offs, for example return against drawdown.
 *
 * For more than three objectives crowding no longer tells neighbours apart: take {@link nsga3}. With one objective take
 * `cmaEs`. Constraints: a feasible member dominates any infeasible one. Whole numbers and choices are crossed as bins of the
 * unit interval. Cost per evaluation is below a microsecond and a half for populations of 100.
 *
 * ```ts
 * import { nsga2 } from '@regimen/evolve'
 *
 * const optimizer = nsga2.open({
 *   space: { dimension: 2, lower: 0, upper: 4 },
 *   direction: ['minimize', 'maximize'],
 *   populationSize: 20,
 *   seed: 1,
 * })
 * for (let generation = 0; generation < 50; generation++) {
 *   const asked = optimizer.ask()
 *   optimizer.tell(asked.map(({ id, point: [x, y] }) => ({ id, value: [x! + (y! - 1) ** 2, Math.sqrt(x!)] })))
 * }
 * const front = optimizer.front()
 * front.every(({ point }) => Math.abs(point[1]! - 1) < 0.1) // => true
 * ```
 *
 * Reference: K. Deb, A. Pratap, S. Agarwal & T. Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002.
 */
export const nsga2: MultiFactory<object> = defineMulti<object>(
  'evolve/nsga2',
  1,
  (_, m, size) => crowdingSurvival(m, size),
  () => 100,
)

function crowdingSurvival(m: number, size: number): Survival {
  const total = 2 * size
  const sorter = createFrontSorter(total, m)
  const sorted = new Int32Array(total)
  const crowding = new Float64Array(total)
  const before = new Int32Array(total)
  const after = new Int32Array(total)

  /** Moves the `room` members that stay to the head of a front of two objectives: the most crowded one leaves, its neighbours get its room, and so on. */
  const thin = (values: Float64Array, front: Int32Array, room: number): void => {
    front.sort((i, j) => values[2 * i]! - values[2 * j]! || values[2 * j + 1]! - values[2 * i + 1]! || i - j)
    const last = front.length - 1
    const width = values[2 * front[last]!]! - values[2 * front[0]!]! || 1
    const height = values[2 * front[0]! + 1]! - values[2 * front[last]! + 1]! || 1
    for (let k = 0; k <= last; k++) {
      before[k] = k - 1
      after[k] = k + 1
    }
    const measure = (k: number): void => {
      if (k <= 0 || k >= last) return
      const a = front[before[k]!]!
      const b = front[after[k]!]!
      crowding[front[k]!] =
        (values[2 * b]! - values[2 * a]!) / width + (values[2 * a + 1]! - values[2 * b + 1]!) / height
    }
    for (let left = front.length; left > Math.max(room, 2); left--) {
      let tightest = after[0]!
      for (let k = tightest; k < last; k = after[k]!)
        if (crowding[front[k]!]! < crowding[front[tightest]!]!) tightest = k
      after[before[tightest]!] = after[tightest]!
      before[after[tightest]!] = before[tightest]!
      measure(before[tightest]!)
      measure(after[tightest]!)
      crowding[front[tightest]!] = -1
    }
    front.sort((i, j) => crowding[j]! - crowding[i]! || i - j)
  }

  return {
    select(values, violations, count, keep, chosen, rank, tieBreak) {
      const fronts = sorter.sort(values, violations, count)
      const { order, starts } = sorter
      let taken = 0
      for (let f = 0; f < fronts && taken < keep; f++) {
        const front = order.subarray(starts[f]!, starts[f + 1]!)
        if (violations[front[0]!] === 0) crowdingInto(values, front, m, sorted, crowding)
        else for (const i of front) crowding[i] = 0
        if (taken + front.length > keep) {
          if (m === 2 && violations[front[0]!] === 0) thin(values, front, keep - taken)
          else front.sort((i, j) => crowding[j]! - crowding[i]! || i - j)
        }
        for (let k = 0; k < front.length && taken < keep; k++) {
          chosen[taken] = front[k]!
          rank[taken] = f
          tieBreak[taken++] = crowding[front[k]!]!
        }
      }
    },
  }
}
