import {
  check,
  describe,
  type FloatDimension,
  type LongTaskOptions,
  type PointOf,
  Rng,
  throwIfAborted,
} from '@regimen/core'
import { checkCount, type SearchFactory } from '../engine/factory.ts'
import { minimize, type OptimizeResult } from '../minimize.ts'

type Real = FloatDimension

/**
 * The genome of a learning rule: how much of each classical term its step takes. Any optimizer searches it; {@link createLearningRule}
 * turns a point into a rule. SGD, momentum, sign descent, Lion-like and Adam-like rules are all points of this space.
 */
export const learningRuleSpace: {
  readonly rate: Real
  readonly gradient: Real
  readonly momentum: Real
  readonly sign: Real
  readonly normalized: Real
  readonly decay: Real
  readonly memory: Real
  readonly squareMemory: Real
} = {
  /** Length of a step, η. */
  rate: { type: 'float', low: 1e-4, high: 1, log: true },
  /** Weight of the gradient, a. */
  gradient: { type: 'float', low: -1, high: 1 },
  /** Weight of the gradient's moving average, b. */
  momentum: { type: 'float', low: -1, high: 1 },
  /** Weight of the moving average's sign, c. */
  sign: { type: 'float', low: -1, high: 1 },
  /** Weight of the moving average over the root of the squares', d. */
  normalized: { type: 'float', low: -1, high: 1 },
  /** Share by which every step shrinks the parameters, λ. */
  decay: { type: 'float', low: 0, high: 0.1 },
  /** Memory of the moving average, β₁. */
  memory: { type: 'float', low: 0, high: 0.99 },
  /** Memory of the squares' moving average, β₂. */
  squareMemory: { type: 'float', low: 0.5, high: 0.999 },
}

/** A point of {@link learningRuleSpace}. */
export type LearningRuleGenome = PointOf<typeof learningRuleSpace>

/** A learning rule at work on one parameter vector. */
export interface LearningRule {
  /** Moves the parameters in place, one step along what the rule makes of the gradient. */
  step(parameters: Float64Array, gradient: ArrayLike<number>): void
}

/**
 * Makes a learning rule from its genome, for a vector of `size` parameters:
 *
 *     m ← β₁·m + (1 − β₁)·g,  v ← β₂·v + (1 − β₂)·g²
 *     θ ← θ − η·(a·g + b·m̂ + c·sign(m̂) + d·m̂/√v̂) − η·λ·θ
 *
 * with m̂ and v̂ corrected for their start at 0.
 *
 * ```ts
 * import { createLearningRule } from '@regimen/evolve'
 *
 * const plain = { rate: 0.1, gradient: 1, momentum: 0, sign: 0, normalized: 0, decay: 0, memory: 0, squareMemory: 0.9 }
 * const theta = Float64Array.of(1, -2)
 * createLearningRule(plain, 2).step(theta, [2, -4])
 * Array.from(theta) // => [0.8, -1.6]
 * ```
 */
export function createLearningRule(genome: LearningRuleGenome, size: number): LearningRule {
  const { rate, gradient: a, momentum: b, sign: c, normalized: d, decay, memory, squareMemory } = genome
  checkCount('evolve/learning-rule', 'size', size, 1)
  for (const [name, value] of Object.entries(genome)) {
    check(
      Number.isFinite(value),
      'evolve/learning-rule',
      () => `${name} must be a finite number, got ${describe(value)}.`,
    )
  }
  for (const [name, value] of Object.entries({ memory, squareMemory })) {
    check(
      value >= 0 && value < 1,
      'evolve/learning-rule',
      () => `${name} must be at least 0 and below 1, got ${value}.`,
    )
  }
  const m = new Float64Array(size)
  const v = new Float64Array(size)
  let fadeM = 1
  let fadeV = 1
  return {
    step(parameters, gradient) {
      fadeM *= memory
      fadeV *= squareMemory
      for (let i = 0; i < size; i++) {
        const g = gradient[i]!
        m[i] = memory * m[i]! + (1 - memory) * g
        v[i] = squareMemory * v[i]! + (1 - squareMemory) * g * g
        const mean = m[i]! / (1 - fadeM)
        const scale = Math.sqrt(v[i]! / (1 - fadeV)) + 1e-12
        const move = a * g + b * mean + c * Math.sign(mean) + (d * mean) / scale
        parameters[i] = parameters[i]! - rate * (move + decay * parameters[i]!)
      }
    },
  }
}

/** Something to learn: where it starts, its loss and its gradient. */
export interface LearningTask {
  /** Fresh parameters, drawn from `rng`. */
  start(rng: Rng): Float64Array
  /** Not below 0, and 0 where there is nothing left to learn. */
  loss(parameters: Float64Array): number
  /** Writes the gradient; may add noise of its own from `rng`. */
  gradient(parameters: Float64Array, out: Float64Array, rng: Rng): void
}

/** Options of {@link evolveLearningRule}. */
export interface EvolveRuleOptions<Options extends object> extends LongTaskOptions {
  /**
   * Steps that a rule may take in each task, from 1.
   * @default 50
   */
  readonly steps?: number
  /**
   * Starts of every task, from 1; the same ones for every rule.
   * @default 2
   */
  readonly starts?: number
  /**
   * Rules that are tried, from 1.
   * @default 600
   */
  readonly evaluations?: number
  /**
   * The algorithm that searches.
   * @default cmaEs
   */
  readonly optimizer?: SearchFactory<Options>
  /** The algorithm's own options. */
  readonly options?: Options
  /** @default 0 */
  readonly seed?: number | string
}

/**
 * Evolves a learning rule over tasks: a rule's fitness is the mean over tasks and starts of
 *
 *     log₁₀( (loss after `steps` steps + ε) / (loss before + ε) ),  ε = 10⁻¹²
 *
 * so −3 means that losses fell a thousandfold, tasks of any scale count alike, and a rule that diverges is worst. Judge what comes
 * out on tasks that it has not seen: {@link scoreLearningRule}.
 *
 * ```ts
 * import { evolveLearningRule, type LearningTask } from '@regimen/evolve'
 *
 * const bowl = (curvature: number): LearningTask => ({
 *   start: (rng) => rng.fillNormal(new Float64Array(3)),
 *   loss: (x) => x.reduce((sum, v) => sum + curvature * v * v, 0),
 *   gradient: (x, out) => x.forEach((v, i) => { out[i] = 2 * curvature * v }),
 * })
 * const { value } = await evolveLearningRule([bowl(0.1), bowl(5)], { steps: 20, evaluations: 300, seed: 1 })
 * value < -2 // => true
 * ```
 *
 * References: S. Bengio, Y. Bengio & J. Cloutier, "Use of genetic programming for the search of a new learning rule for neural
 * networks", 1994; X. Chen et al., "Symbolic discovery of optimization algorithms", arXiv:2302.06675.
 */
export async function evolveLearningRule<Options extends object = object>(
  tasks: readonly LearningTask[],
  options: EvolveRuleOptions<Options> = {},
): Promise<OptimizeResult<LearningRuleGenome>> {
  const { steps = 50, starts = 2, evaluations = 600, seed = 0, optimizer, signal, onProgress } = options
  checkCount('evolve/learning-rule', 'evaluations', evaluations, 1)
  checkTasks(tasks, steps, starts)
  return minimize<typeof learningRuleSpace, Options>(
    (genome) => {
      throwIfAborted(signal)
      return scoreLearningRule(genome, tasks, { steps, starts, seed })
    },
    learningRuleSpace,
    {
      evaluations,
      seed,
      ...(optimizer ? { optimizer } : {}),
      ...(options.options ? { options: options.options } : {}),
      ...(signal ? { signal } : {}),
      ...(onProgress ? { onProgress } : {}),
    },
  )
}

/**
 * Scores a learning rule over tasks, as {@link evolveLearningRule} does: the mean logarithm of what is left of the loss. Use it on
 * tasks that were held out, and to compare with rules that are known.
 *
 * ```ts
 * import { scoreLearningRule } from '@regimen/evolve'
 *
 * const still = { rate: 0.1, gradient: 0, momentum: 0, sign: 0, normalized: 0, decay: 0, memory: 0, squareMemory: 0.9 }
 * const task = { start: () => Float64Array.of(1), loss: ([x]: Float64Array) => x! ** 2, gradient: () => {} }
 * scoreLearningRule(still, [task]) // => 0
 * ```
 */
export function scoreLearningRule(
  genome: LearningRuleGenome,
  tasks: readonly LearningTask[],
  { steps = 50, starts = 2, seed = 0 }: { steps?: number; starts?: number; seed?: number | string } = {},
): number {
  checkTasks(tasks, steps, starts)
  const root = new Rng(seed)
  let total = 0
  tasks.forEach((task, k) => {
    for (let s = 0; s < starts; s++) {
      const rng = root.split(`${k}/${s}`)
      const parameters = task.start(rng)
      const gradient = new Float64Array(parameters.length)
      const rule = createLearningRule(genome, parameters.length)
      const before = task.loss(parameters)
      for (let step = 0; step < steps; step++) {
        task.gradient(parameters, gradient, rng)
        rule.step(parameters, gradient)
      }
      const ratio = Math.log10((task.loss(parameters) + 1e-12) / (before + 1e-12))
      // A rule that diverges is as bad as one can be.
      total += Number.isFinite(ratio) ? Math.min(ratio, 10) : 10
    }
  })
  return total / (tasks.length * starts)
}

function checkTasks(tasks: readonly LearningTask[], steps: number, starts: number): void {
  const where = 'evolve/learning-rule'
  check(
    Array.isArray(tasks) && tasks.length > 0,
    where,
    () => `tasks must be a list of at least one, got ${describe(tasks)}.`,
  )
  checkCount(where, 'steps', steps, 1)
  checkCount(where, 'starts', starts, 1)
}
