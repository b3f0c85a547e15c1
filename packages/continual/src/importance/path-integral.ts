import { check, describe } from '@regimen/core'

/** Options of {@link openPathIntegral}. */
export interface PathIntegralOptions {
  /** ξ, keeps the importance of parameters that hardly moved finite, > 0. @default 0.1 */
  damping?: number
}

/** The running sum of synaptic intelligence during one task. */
export interface PathIntegral {
  /** ω: how much of the loss each parameter has taken away so far in this task. */
  readonly path: Float64Array
  /** Takes one step: the gradient of the loss alone, without penalties, and the parameters before and after it. */
  step(gradient: ArrayLike<number>, before: ArrayLike<number>, after: ArrayLike<number>): void
  /** Ends the task: the importance max(0, ω) / (Δ² + ξ), and begins the next one at these parameters. */
  finish(params: ArrayLike<number>): Float64Array
}

/**
 * Opens synaptic intelligence: along the path of training it adds up what every parameter did for the loss,
 * ω ← ω − g · Δθ, and at the end of a task makes an importance of it, Ω = max(0, ω) / (Δ² + ξ), Δ being the whole way of the task.
 * It costs next to nothing and needs no pass over the data, unlike {@link fisherDiagonal}; it depends on how the training went.
 *
 * ```ts
 * import { openPathIntegral } from '@regimen/continual'
 *
 * const path = openPathIntegral([1], { damping: 0.25 })
 * path.step([2], [1], [0.5])
 * path.path // => [1]
 * path.finish([0.5]) // => [2]
 * ```
 *
 * Reference: Zenke, Poole and Ganguli 2017.
 */
export function openPathIntegral(params: ArrayLike<number>, options: PathIntegralOptions = {}): PathIntegral {
  const { damping = 0.1 } = options
  check(damping > 0, 'continual/path-integral', () => `damping must be above 0, got ${describe(damping)}.`)
  const start = Float64Array.from(params)
  const path = new Float64Array(start.length)
  return {
    path,
    step(gradient, before, after) {
      for (let i = 0; i < path.length; i++) path[i]! -= gradient[i]! * (after[i]! - before[i]!)
    },
    finish(end) {
      const importance = pathImportance(path, start, end, damping)
      path.fill(0)
      start.set(end)
      return importance
    },
  }
}

/** max(0, ω) / (Δ² + ξ). */
export function pathImportance(
  path: ArrayLike<number>,
  start: ArrayLike<number>,
  end: ArrayLike<number>,
  damping: number,
): Float64Array {
  return Float64Array.from(path, (work, i) => Math.max(0, work) / ((end[i]! - start[i]!) ** 2 + damping))
}
