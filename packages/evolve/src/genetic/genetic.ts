import { check, type Direction, describe, type Snapshot } from '@regimen/core'
import type { Engine, EvolutionOptimizer } from '../engine/engine.ts'
import { checkBounded, checkCount, defineSearch, type SearchFactory } from '../engine/factory.ts'
import { openOptimizer } from '../engine/optimizer.ts'
import { orderCrossover, permutationMutation, pmxCrossover } from '../operators/permutation.ts'
import { blendCrossover, gaussianMutation, polynomialMutation, sbxCrossover } from '../operators/real.ts'
import { createGeneticEngine, type GeneticOptions } from './population.ts'

/** Options of {@link geneticAlgorithm}. */
export interface GeneticSearchOptions extends GeneticOptions {
  /**
   * How real genes are crossed: simulated binary, BLX-½, or exchanged.
   * @default 'sbx'
   */
  readonly crossover?: 'sbx' | 'blend' | 'uniform'
  /**
   * How real genes mutate: Deb's polynomial, or normal steps of a tenth of the range.
   * @default 'polynomial'
   */
  readonly mutation?: 'polynomial' | 'gaussian'
}

/**
 * Minimizes or maximizes by a genetic algorithm over real, whole and categorical genes: parents by tournament, roulette or rank,
 * crossover and mutation by the type of each gene, elites, islands that exchange their best, and a mutation rate that
 * follows success. For mixed and rugged spaces; where all parameters are real, `cmaEs` and `jso` are stronger; for orders take
 * {@link geneticPermutation}; for formulas, genetic programming.
 *
 * Whole numbers and choices mutate to any other value with equal probability, and whole numbers half of the time to a neighbour.
 *
 * ```ts
 * import { geneticAlgorithm, maximize } from '@regimen/evolve'
 *
 * const space = {
 *   indicator: { type: 'categorical', choices: ['sma', 'ema', 'rsi'] },
 *   length: { type: 'int', low: 2, high: 100 },
 * } as const
 * const score = (p: { indicator: string; length: number }) => (p.indicator === 'rsi' ? 10 : 0) - Math.abs(p.length - 14)
 * const { point } = await maximize(score, space, { optimizer: geneticAlgorithm, evaluations: 1800 })
 * point // => { indicator: 'rsi', length: 14 }
 * ```
 *
 * Reference: D. Goldberg, "Genetic algorithms in search, optimization and machine learning", 1989.
 */
export const geneticAlgorithm: SearchFactory<GeneticSearchOptions> = defineSearch<GeneticSearchOptions>(
  'evolve/genetic-algorithm',
  1,
  ({ id, options, codec, rng, start }) => {
    checkBounded(id, codec)
    const { crossover = 'sbx', mutation = 'polynomial' } = options
    check(
      crossover === 'sbx' || crossover === 'blend' || crossover === 'uniform',
      id,
      () => `crossover must be 'sbx', 'blend' or 'uniform', got ${describe(crossover)}.`,
    )
    check(
      mutation === 'polynomial' || mutation === 'gaussian',
      id,
      () => `mutation must be 'polynomial' or 'gaussian', got ${describe(mutation)}.`,
    )
    const { n, lower, upper, grain } = codec
    const other = new Float64Array(n)
    const before = new Float64Array(n)
    return createGeneticEngine(id, options, rng, {
      length: n,
      mutationRate: 1 / n,
      decode: (rows, at) => codec.decode(rows, at),
      create(out, first) {
        for (let i = 0; i < n; i++) out[i] = rng.uniform(lower[i]!, upper[i]!)
        if (first && start) out.set(start)
      },
      cross(a, b, child) {
        if (crossover === 'sbx') sbxCrossover(rng, a, b, child, other, lower, upper, 10)
        else if (crossover === 'blend') blendCrossover(rng, a, b, child, other, lower, upper, 0.5)
        for (let i = 0; i < n; i++)
          if (crossover === 'uniform' || grain[i]! > 0) child[i] = rng.uniform() < 0.5 ? a[i]! : b[i]!
      },
      mutate(child, rate) {
        before.set(child)
        if (mutation === 'polynomial') polynomialMutation(rng, child, lower, upper, 20, rate)
        else gaussianMutation(rng, child, lower, upper, 0.1, rate)
        for (let i = 0; i < n; i++) {
          if (grain[i] === 0) continue
          child[i] = before[i]!
          if (rng.uniform() >= rate) continue
          const step = rng.uniform() < 0.5 ? grain[i]! : -grain[i]!
          const next = rng.uniform() < 0.5 ? before[i]! + step : rng.uniform(lower[i]!, upper[i]!)
          child[i] = next < lower[i]! || next > upper[i]! ? rng.uniform(lower[i]!, upper[i]!) : next
        }
      },
    })
  },
)

/** Options of {@link geneticPermutation}. */
export interface PermutationOptions extends GeneticOptions {
  /** Items to order, from 2. */
  readonly items: number
  readonly direction: Direction
  /** @default 0 */
  readonly seed?: number | string
  /**
   * How orders are crossed: `'order'` keeps neighbours, `'pmx'` keeps places.
   * @default 'order'
   */
  readonly crossover?: 'order' | 'pmx'
}

/** Opens {@link geneticPermutation}. */
export interface PermutationFactory {
  readonly id: string
  readonly version: number
  open(from: PermutationOptions | Snapshot): EvolutionOptimizer<Int32Array>
}

/**
 * Minimizes or maximizes over the orders of a list: schedules, tours, the sequence in which rules or features are tried. A
 * point is an `Int32Array` that holds 0 … items − 1 once each. The loop is that of {@link geneticAlgorithm}.
 *
 * ```ts
 * import { geneticPermutation } from '@regimen/evolve'
 *
 * const optimizer = geneticPermutation.open({ items: 6, direction: 'minimize', seed: 1 })
 * while (optimizer.evaluations < 3000) {
 *   const asked = optimizer.ask()
 *   optimizer.tell(asked.map(({ id, point }) => ({ id, value: point.reduce((sum, item, i) => sum + Math.abs(item - i), 0) })))
 * }
 * Array.from(optimizer.best!.point) // => [0, 1, 2, 3, 4, 5]
 * ```
 */
export const geneticPermutation: PermutationFactory = {
  id: 'evolve/genetic-permutation',
  version: 1,
  open(from) {
    const { id, version } = geneticPermutation
    const opened = openOptimizer<PermutationOptions, Int32Array, Engine<Int32Array>>(
      id,
      version,
      from,
      (config, rng) => {
        const n = checkCount(id, 'items', config.items, 2)
        const { crossover = 'order' } = config
        check(
          crossover === 'order' || crossover === 'pmx',
          id,
          () => `crossover must be 'order' or 'pmx', got ${describe(crossover)}.`,
        )
        const where = new Int32Array(n)
        return createGeneticEngine<Int32Array>(id, config, rng, {
          length: n,
          mutationRate: 0.3,
          decode: (rows, at) => Int32Array.from(rows.subarray(at, at + n)),
          create: (out) => out.set(rng.permutation(n)),
          cross: (a, b, child) => (crossover === 'order' ? orderCrossover : pmxCrossover)(rng, a, b, child, where),
          mutate(child, rate) {
            if (rng.uniform() < rate) permutationMutation(rng, child)
          },
        })
      },
    )
    return opened as EvolutionOptimizer<Int32Array>
  },
}
