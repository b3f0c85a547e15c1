import { createFrontSorter, crowdingInto } from './fronts.ts'
import { defineMulti, type MultiFactory, type Survival } from './multi.ts'

/**
 * Optimizes two or three objectives at once by NSGA-II: parents and children compete, fronts of mutually undominated members
 * fill the next population from the best on, and within the last front that fits those stay that have most room around them
 * (crowding distance). The answer is a front of trade-offs, for example return against drawdown.
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
  return {
    select(values, violations, count, keep, chosen, rank, tieBreak) {
      const fronts = sorter.sort(values, violations, count)
      const { order, starts } = sorter
      let taken = 0
      for (let f = 0; f < fronts && taken < keep; f++) {
        const front = order.subarray(starts[f]!, starts[f + 1]!)
        if (violations[front[0]!] === 0) crowdingInto(values, front, m, sorted, crowding)
        else for (const i of front) crowding[i] = 0
        if (taken + front.length > keep) front.sort((i, j) => crowding[j]! - crowding[i]! || i - j)
        for (let k = 0; k < front.length && taken < keep; k++) {
          chosen[taken] = front[k]!
          rank[taken] = f
          tieBreak[taken++] = crowding[front[k]!]!
        }
      }
    },
  }
}
