import { check, describe } from '@regimen/core'
import { solveSpd } from '@regimen/core/math'

/** Options of {@link projectGradient}. */
export interface ProjectOptions {
  /** γ: how much of every memory's gradient is added whatever the angle, at least 0; favours old tasks. @default 0 */
  margin?: number
}

/**
 * Projects a gradient so that a step along it raises the loss on no memory: the nearest g̃ with ⟨g̃, gₖ⟩ ≥ 0 for all k, by the dual
 * quadratic program min ½ vᵀ G Gᵀ v + (G g)ᵀ v over v ≥ γ, g̃ = Gᵀ v + g, solved exactly in float64. Work is k² n for k
 * memories of n parameters. With one mean memory gradient it is {@link averageProject}.
 *
 * ```ts
 * import { projectGradient } from '@regimen/continual'
 *
 * projectGradient([1, -1], [[0, 1]]) // => [1, 0]
 * projectGradient([1, 1], [[0, 1]]) // => [1, 1]
 * ```
 *
 * References: Lopez-Paz and Ranzato 2017 (GEM); Lawson and Hanson 1974 (the solver).
 */
export function projectGradient(
  gradient: ArrayLike<number>,
  memories: readonly ArrayLike<number>[],
  options: ProjectOptions = {},
): Float64Array {
  const { margin = 0 } = options
  const where = 'continual/project-gradient'
  check(margin >= 0, where, () => `margin must be at least 0, got ${describe(margin)}.`)
  const result = Float64Array.from(gradient)
  checkFinite(where, 'the gradient', result)
  const rows: Float64Array[] = []
  for (const [k, memory] of memories.entries()) {
    check(
      memory.length === result.length,
      where,
      () => `memory ${k} must hold ${result.length} numbers, got ${memory.length}.`,
    )
    const row = Float64Array.from(memory)
    checkFinite(where, `memory ${k}`, row)
    const size = Math.sqrt(inner(row, row))
    if (size === 0) continue
    if (margin > 0) addScaled(result, margin, row)
    // Unit rows change no constraint and make the program well scaled.
    for (let i = 0; i < row.length; i++) row[i]! /= size
    rows.push(row)
  }
  const slopes = rows.map((row) => inner(row, result))
  if (slopes.every((slope) => slope >= 0)) return result
  const gram = rows.map((row) => rows.map((other) => inner(row, other)))
  const multipliers = solveDual(gram, slopes)
  for (const [k, row] of rows.entries()) if (multipliers[k]! > 0) addScaled(result, multipliers[k]!, row)
  return result
}

/**
 * Projects a gradient away from raising the mean loss of the memory: g̃ = g − (g · m / m · m) m when g · m < 0, else g itself. One
 * memory gradient, whatever the number of tasks: a thousand of them cost what one does. {@link projectGradient} protects each.
 *
 * ```ts
 * import { averageProject } from '@regimen/continual'
 *
 * averageProject([1, -1], [0, 2]) // => [1, 0]
 * ```
 *
 * Reference: Chaudhry et al. 2019 (A-GEM).
 */
export function averageProject(gradient: ArrayLike<number>, memory: ArrayLike<number>): Float64Array {
  const where = 'continual/average-project'
  const result = Float64Array.from(gradient)
  const row = Float64Array.from(memory)
  check(row.length === result.length, where, () => `memory must hold ${result.length} numbers, got ${row.length}.`)
  checkFinite(where, 'the gradient', result)
  checkFinite(where, 'memory', row)
  const slope = inner(result, row)
  if (slope < 0) addScaled(result, -slope / inner(row, row), row)
  return result
}

/** min ½ uᵀ A u + bᵀ u over u ≥ 0 by the active-set method of Lawson and Hanson. */
function solveDual(gram: readonly (readonly number[])[], b: readonly number[]): Float64Array {
  const k = b.length
  const u = new Float64Array(k)
  const free = new Set<number>()
  const tolerance = 1e-13 * Math.max(...b.map(Math.abs))
  for (let round = 0; round < 10 * k + 10; round++) {
    let next = -1
    let steepest = tolerance
    for (let i = 0; i < k; i++) {
      if (free.has(i)) continue
      const slope = -b[i]! - gram[i]!.reduce((sum, value, j) => sum + value * u[j]!, 0)
      if (slope > steepest) {
        steepest = slope
        next = i
      }
    }
    if (next < 0) break
    free.add(next)
    for (;;) {
      const list = [...free]
      // A ridge far below the tolerance keeps rows that repeat another from stopping the factorization.
      const matrix = list.map((i) => list.map((j) => gram[i]![j]! * (i === j ? 1 + 1e-14 : 1)))
      const solution = solveSpd(
        matrix,
        list.map((i) => -b[i]!),
      )
      let share = 1
      let leaving = -1
      for (const [at, i] of list.entries()) {
        if (solution[at]! > 0) continue
        const part = u[i]! / (u[i]! - solution[at]!)
        if (part < share) {
          share = part
          leaving = i
        }
      }
      if (leaving < 0) {
        for (const [at, i] of list.entries()) u[i] = Math.max(0, solution[at]!)
        break
      }
      for (const [at, i] of list.entries()) u[i]! += share * (solution[at]! - u[i]!)
      u[leaving] = 0
      free.delete(leaving)
    }
  }
  return u
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function addScaled(to: Float64Array, factor: number, row: Float64Array): void {
  for (let i = 0; i < to.length; i++) to[i]! += factor * row[i]!
}

function checkFinite(where: string, name: string, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) {
    check(Number.isFinite(values[i]!), where, () => `${name} must be finite, got ${values[i]} at ${i}.`)
  }
}
