import { check } from '@regimen/core'
import { createFrontSorter } from './fronts.ts'
import { defineMulti, type MultiFactory, type Survival } from './multi.ts'

/** Options of {@link nsga3}, beside those of {@link nsga2}. */
export interface Nsga3Options {
  /**
   * Divisions of each objective's axis, from 1: p divisions of m objectives give (p + m − 1 over p) reference directions.
   * @default 12 for up to three objectives, 6 for four and five, 3 above
   */
  readonly divisions?: number
}

/**
 * Optimizes three or more objectives at once by NSGA-III: like {@link nsga2}, but the last front is thinned by niches. Objectives
 * are scaled by the ideal point and the intercepts of the extreme points, each member belongs to the reference direction that
 * it is nearest to, and directions that have fewest members choose first.
 *
 * Take it from three objectives on, or where an evenly spread front is wanted; with two objectives {@link nsga2} is as good
 * and simpler.
 *
 * ```ts
 * import { nsga3 } from '@regimen/evolve'
 *
 * const optimizer = nsga3.open({
 *   space: { dimension: 3, lower: 0, upper: 1 },
 *   direction: ['minimize', 'minimize', 'minimize'],
 *   divisions: 4,
 * })
 * optimizer.populationSize // => 16
 * ```
 *
 * Reference: K. Deb & H. Jain, "An evolutionary many-objective optimization algorithm using reference-point-based nondominated
 * sorting approach, part I", 2014.
 */
export const nsga3: MultiFactory<Nsga3Options> = defineMulti<Nsga3Options>(
  'evolve/nsga3',
  1,
  (options, m, size) => nicheSurvival(m, size, referenceDirections(m, options.divisions ?? defaultDivisions(m))),
  (options, m) =>
    Math.max(4, Math.ceil(referenceDirections(m, options.divisions ?? defaultDivisions(m)).length / 4) * 4),
)

function defaultDivisions(m: number): number {
  return m <= 3 ? 12 : m <= 5 ? 6 : 3
}

/**
 * Lists the points of a regular grid on the simplex (Das & Dennis): all vectors of `m` shares that are multiples of
 * 1/divisions and sum to 1.
 *
 * ```ts
 * import { referenceDirections } from '@regimen/evolve'
 *
 * referenceDirections(3, 12).length // => 91
 * referenceDirections(2, 2).map((one) => Array.from(one)) // => [[0, 1], [0.5, 0.5], [1, 0]]
 * ```
 *
 * Reference: I. Das & J. Dennis, "Normal-boundary intersection", 1998.
 */
export function referenceDirections(m: number, divisions: number): Float64Array[] {
  check(Number.isInteger(m) && m >= 2, 'evolve/nsga3', () => `objectives must be an integer from 2, got ${m}.`)
  check(
    Number.isInteger(divisions) && divisions >= 1 && divisions <= 1000,
    'evolve/nsga3',
    () => `divisions must be an integer from 1 to 1000, got ${divisions}.`,
  )
  const out: Float64Array[] = []
  const current = new Float64Array(m)
  const fill = (k: number, left: number): void => {
    if (k === m - 1) {
      current[k] = left / divisions
      out.push(current.slice())
      return
    }
    for (let part = 0; part <= left; part++) {
      current[k] = part / divisions
      fill(k + 1, left - part)
    }
  }
  fill(0, divisions)
  return out
}

function nicheSurvival(m: number, size: number, directions: readonly Float64Array[]): Survival {
  const total = 2 * size
  const sorter = createFrontSorter(total, m)
  const niche = new Int32Array(total)
  const distance = new Float64Array(total)
  const crowd = new Int32Array(directions.length)
  const scaled = new Float64Array(m)
  const norms = directions.map((w) => w.reduce((sum, v) => sum + v * v, 0))
  const ideal = new Float64Array(m)
  const span = new Float64Array(m)

  /** Writes the ideal point and the intercepts of the hyperplane through the extreme points (eqs. 4 and 5). */
  const normalize = (values: Float64Array, members: Int32Array): void => {
    ideal.fill(Number.POSITIVE_INFINITY)
    for (const i of members) for (let k = 0; k < m; k++) ideal[k] = Math.min(ideal[k]!, values[i * m + k]!)
    const extremes: number[] = []
    for (let axis = 0; axis < m; axis++) {
      let best = members[0]!
      let least = Number.POSITIVE_INFINITY
      for (const i of members) {
        let reach = 0
        for (let k = 0; k < m; k++) {
          reach = Math.max(reach, (values[i * m + k]! - ideal[k]!) / (k === axis ? 1 : 1e-6))
        }
        if (reach < least) {
          least = reach
          best = i
        }
      }
      extremes.push(best)
    }
    const plane = solve(extremes.map((i) => Array.from({ length: m }, (_, k) => values[i * m + k]! - ideal[k]!)))
    for (let k = 0; k < m; k++) {
      const intercept = plane === undefined ? Number.NaN : 1 / plane[k]!
      if (intercept > 1e-10 && intercept < 1e300) span[k] = intercept
      else {
        let worst = ideal[k]!
        for (const i of members) worst = Math.max(worst, values[i * m + k]!)
        span[k] = Math.max(worst - ideal[k]!, 1e-10)
      }
    }
  }

  const associate = (values: Float64Array, i: number): void => {
    let squared = 0
    for (let k = 0; k < m; k++) {
      scaled[k] = (values[i * m + k]! - ideal[k]!) / span[k]!
      squared += scaled[k]! ** 2
    }
    distance[i] = Number.POSITIVE_INFINITY
    for (let d = 0; d < directions.length; d++) {
      const w = directions[d]!
      let along = 0
      for (let k = 0; k < m; k++) along += w[k]! * scaled[k]!
      const away = squared - (along * along) / norms[d]!
      if (away < distance[i]!) {
        distance[i] = away
        niche[i] = d
      }
    }
  }

  return {
    select(values, violations, count, keep, chosen, rank, tieBreak) {
      const fronts = sorter.sort(values, violations, count)
      const { order, starts } = sorter
      let whole = 0
      while (whole < fronts && starts[whole + 1]! <= keep) whole++
      let taken = starts[whole]!
      const feasible = violations[order[0]!] === 0
      const last =
        whole < fronts && taken < keep ? order.subarray(starts[whole]!, starts[whole + 1]!) : new Int32Array(0)
      for (let k = 0; k < taken; k++) {
        chosen[k] = order[k]!
        rank[k] = sorter.rank[order[k]!]!
      }
      if (feasible) {
        const first = order.subarray(0, starts[1]!)
        normalize(values, first)
        crowd.fill(0)
        for (let k = 0; k < taken; k++) {
          if (violations[chosen[k]!] !== 0) continue
          associate(values, chosen[k]!)
          crowd[niche[chosen[k]!]!]!++
        }
      }
      if (last.length > 0 && violations[last[0]!] !== 0) {
        for (let k = 0; taken < keep; k++) {
          rank[taken] = whole
          chosen[taken++] = last[k]!
        }
      } else if (last.length > 0) {
        for (const i of last) associate(values, i)
        // The emptiest direction that still has somebody takes the one nearest to it.
        const waiting = Array.from(last)
        while (taken < keep) {
          let pick = 0
          for (let k = 1; k < waiting.length; k++) {
            const [a, b] = [waiting[k]!, waiting[pick]!]
            const [ca, cb] = [crowd[niche[a]!]!, crowd[niche[b]!]!]
            if (ca < cb || (ca === cb && distance[a]! < distance[b]!)) pick = k
          }
          const i = waiting[pick]!
          waiting[pick] = waiting[waiting.length - 1]!
          waiting.pop()
          crowd[niche[i]!]!++
          rank[taken] = whole
          chosen[taken++] = i
        }
      }
      for (let k = 0; k < keep; k++) {
        const i = chosen[k]!
        tieBreak[k] = violations[i] === 0 ? -crowd[niche[i]!]! : 0
      }
    },
  }
}

/** Solves E·a = 1 by elimination with pivots; undefined when E is singular. */
function solve(rows: number[][]): number[] | undefined {
  const n = rows.length
  const a = rows.map((row) => [...row, 1])
  for (let col = 0; col < n; col++) {
    let pivot = col
    for (let r = col + 1; r < n; r++) if (Math.abs(a[r]![col]!) > Math.abs(a[pivot]![col]!)) pivot = r
    if (Math.abs(a[pivot]![col]!) < 1e-12) return undefined
    const held = a[col]!
    a[col] = a[pivot]!
    a[pivot] = held
    for (let r = 0; r < n; r++) {
      if (r === col) continue
      const factor = a[r]![col]! / a[col]![col]!
      for (let k = col; k <= n; k++) a[r]![k]! -= factor * a[col]![k]!
    }
  }
  return a.map((row, i) => row[n]! / row[i]!)
}
