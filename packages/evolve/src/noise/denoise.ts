import {
  type Candidate,
  check,
  createSnapshot,
  describe,
  type Evaluation,
  Rng,
  restore,
  type Snapshot,
  schema,
} from '@regimen/core'
import { checkRange } from '../engine/factory.ts'
import type { Answer, Evaluator } from '../minimize.ts'
import { toEvaluation } from '../minimize.ts'

/** An objective whose answer is noisy; it draws its randomness from `rng` so that a run can be repeated. */
export type NoisyObjective<Point> = (point: Point, rng: Rng) => Answer | Promise<Answer>

/** Options of {@link denoise}. */
export interface DenoiseOptions {
  /** @default 0 */
  readonly seed?: number | string
  /**
   * Share of each generation that is evaluated again to see how much ranks change, above 0 to 1; two candidates at least.
   * @default 0.2
   */
  readonly share?: number
  /**
   * Change of rank that is tolerated, 0 to 1: larger means fewer repetitions.
   * @default 0.2
   */
  readonly tolerance?: number
  /**
   * Most evaluations of one candidate, from 1.
   * @default 100
   */
  readonly maxRepeats?: number
  /** What `snapshot()` of an earlier evaluator gave, to continue from. */
  readonly resume?: Snapshot
}

/** An {@link Evaluator} that repeats what noise makes uncertain. */
export interface Denoiser<Point> extends Evaluator<Point> {
  /** Evaluations that each candidate gets at present. */
  readonly repeats: number
  /** Calls of the objective so far, repetitions included. */
  readonly calls: number
  snapshot(): Snapshot
}

const ID = 'evolve/denoise'

/**
 * Handles noise by re-evaluation: each candidate's value is the mean of `repeats` evaluations, and after every generation a few
 * candidates are evaluated again. If that changes their ranks by more than tolerated the repetitions grow by half, otherwise they
 * shrink slowly:
 *
 *     s = 1/κ · Σ_i ( 2·|Δrank_i| − Δ_lim(rank_new) − Δ_lim(rank_old) ),  repeats ← repeats·1.5 if s > 0
 *
 * Far from the optimum, where differences are large, an evaluation a candidate is enough; near it the noise takes over and averaging
 * starts. Pass it to `minimize` in place of the function. Its `evaluations` then count candidates; `calls` counts what was spent.
 * Violations are averaged too. Population-based averaging (a larger `populationSize`) is the alternative where a run may be long.
 *
 * ```ts
 * import { denoise, minimize } from '@regimen/evolve'
 *
 * const noisy = denoise<Float64Array>(([x, y], rng) => x! ** 2 + y! ** 2 + rng.normal(0, 0.1), { seed: 1 })
 * const { point } = await minimize(noisy, { dimension: 2, lower: -5, upper: 5 }, { start: [4, 3], evaluations: 400, seed: 1 })
 * Math.hypot(point[0], point[1]) < 0.5 // => true
 * noisy.repeats > 1 // => true
 * ```
 *
 * Reference: N. Hansen et al., "A method for handling uncertainty in evolutionary optimization", 2009 (UH-CMA-ES).
 */
export function denoise<Point>(objective: NoisyObjective<Point>, options: DenoiseOptions = {}): Denoiser<Point> {
  check(typeof objective === 'function', ID, () => `the objective must be a function, got ${describe(objective)}.`)
  const share = checkRange(ID, 'share', options.share ?? 0.2, Number.MIN_VALUE, 1)
  const tolerance = checkRange(ID, 'tolerance', options.tolerance ?? 0.2, 0, 1)
  const limit = checkRange(ID, 'maxRepeats', options.maxRepeats ?? 100, 1, 1e6)
  const saved = options.resume
    ? restore(options.resume, {
        id: ID,
        version: 1,
        config: schema.object({ seed: schema.union(schema.string(), schema.number()) }),
        state: schema.object({ level: schema.number({ min: 1 }), calls: schema.integer({ min: 0 }) }),
      })
    : undefined
  const seed = saved?.config.seed ?? options.seed ?? 0
  const root = new Rng(seed)
  // Repetitions as a real number, so that slow shrinking adds up.
  let level = saved?.state.level ?? 1
  let calls = saved?.state.calls ?? 0

  const once = async ({ id, point }: Candidate<Point>, round: string): Promise<Evaluation> => {
    calls++
    try {
      return toEvaluation(id, await objective(point, root.split(`${id}/${round}`)))
    } catch (error) {
      return { id, failed: error instanceof Error ? error.message : String(error) }
    }
  }
  const average = async (candidate: Candidate<Point>, times: number, label: string): Promise<Evaluation> => {
    let value = 0
    let violations: number[] | undefined
    for (let r = 0; r < times; r++) {
      const one = await once(candidate, `${label}${r}`)
      if ('failed' in one) return one
      value += (one.value as number) / times
      violations = one.violations?.map((v, i) => (violations?.[i] ?? 0) + v / times) ?? violations
    }
    return { id: candidate.id, value, ...(violations ? { violations } : {}) }
  }

  return {
    get repeats() {
      return Math.round(level)
    },
    get calls() {
      return calls
    },
    async evaluate(candidates, signal) {
      const times = Math.round(level)
      const first: Evaluation[] = []
      for (const candidate of candidates) {
        signal?.throwIfAborted()
        first.push(await average(candidate, times, ''))
      }
      const again = Math.min(candidates.length, Math.max(2, Math.ceil(share * candidates.length)))
      const old: number[] = []
      const fresh: number[] = []
      for (let i = 0; i < candidates.length; i++) {
        const one = first[i]!
        if ('failed' in one) continue
        old.push(one.value as number)
        if (fresh.length >= again) continue
        signal?.throwIfAborted()
        const second = await average(candidates[i]!, times, 'again-')
        fresh.push('failed' in second ? (one.value as number) : (second.value as number))
        // Both are evidence, so both count.
        if (!('failed' in second))
          first[i] = { ...one, value: ((one.value as number) + (second.value as number)) / 2 } as Evaluation
      }
      if (old.length >= 2) {
        const uncertain = rankChange(old, fresh, tolerance) > 0
        level = Math.min(limit, Math.max(1, level * (uncertain ? 1.5 : 1.5 ** -0.25)))
      }
      return first
    },
    snapshot: () => createSnapshot({ id: ID, version: 1, config: { seed }, state: { level, calls } }),
  }
}

/**
 * How much more the ranks of the first values change than noise of the tolerated size would make them (eqs. 5 to 7 of the reference): `old`
 * holds all values, `fresh` the second values of its first members. Positive means too uncertain.
 */
export function rankChange(old: readonly number[], fresh: readonly number[], tolerance: number): number {
  const all = [...old, ...fresh]
  const rank = (value: number, skip: number): number => {
    // Ties count a half, so that equal values do not look like a change.
    let below = 0
    all.forEach((other, k) => {
      if (k !== skip) below += other < value ? 1 : other === value ? 0.5 : 0
    })
    return below + 1
  }
  let sum = 0
  fresh.forEach((value, i) => {
    const before = rank(old[i]!, i)
    const after = rank(value, old.length + i)
    const up = value > old[i]! ? 1 : 0
    const down = value < old[i]! ? 1 : 0
    const change = after - before - Math.sign(after - before)
    sum +=
      2 * Math.abs(change) - limitOf(after - up, all.length, tolerance) - limitOf(before - down, all.length, tolerance)
  })
  return fresh.length > 0 ? sum / fresh.length : 0
}

/** Δ_lim: the tolerance's half quantile of the changes that a rank could make at random. */
function limitOf(rank: number, total: number, tolerance: number): number {
  const changes = Float64Array.from({ length: total - 1 }, (_, k) => Math.abs(k + 1 - rank)).sort()
  return changes[Math.min(changes.length - 1, Math.floor((tolerance / 2) * changes.length))]!
}
