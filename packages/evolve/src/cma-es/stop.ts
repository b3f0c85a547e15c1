import type { Batch } from '../engine/engine.ts'
import type { CmaRun } from './cma-es.ts'
import type { CmaParameters } from './parameters.ts'

/** Watches a run and says when there is nothing left to gain from it. */
export interface StopWatch {
  /** The history as numbers, for the snapshot. */
  readonly saved: Float64Array
  clear(lambda: number): void
  /** False when the history does not fit the population. */
  load(saved: Float64Array, lambda: number): boolean
  check(batch: Batch, order: Int32Array, run: CmaRun, parameters: CmaParameters, separable: boolean): string | undefined
}

/** Numbers in front of the history: how many generations were seen, and how many of them were flat. */
const HEAD = 2

/**
 * Ends a run for the reasons of Hansen's tutorial, B.3: `tolFun` and `tolFunHist` (values no longer differ), `flatFitness`,
 * `tolX` (steps have become short), `tolUpSigma` (σ grew out of proportion: the start was too narrow), `conditionCov`
 * (C is degenerate), `noEffectAxis` and `noEffectCoord` (a step is lost in rounding), `stagnation` (no better for long), and
 * `maxIter`.
 */
export function createStopWatch(n: number, { tolFun, tolX }: { tolFun: number; tolX: number }): StopWatch {
  let lambda = 4
  let short = 0
  let long = 0
  // Head, then rings of best values (short), best values (long) and medians (long).
  let saved = new Float64Array(HEAD)
  const size = (): void => {
    short = 10 + Math.ceil((30 * n) / lambda)
    long = Math.ceil(120 + (30 * n) / lambda + 100) * 2
  }
  const middle = (from: number, start: number, count: number): number => {
    const part = new Float64Array(count)
    for (let i = 0; i < count; i++) part[i] = saved[from + ((start + i) % long)]!
    part.sort()
    return part[count >> 1]!
  }
  return {
    get saved() {
      return saved
    },
    clear(next) {
      lambda = next
      size()
      saved = new Float64Array(HEAD + short + 2 * long)
    },
    load(history, next) {
      lambda = next
      size()
      saved = Float64Array.from(history)
      return saved.length === HEAD + short + 2 * long
    },
    check(batch, order, run, parameters, separable) {
      const { generation, sigma, mean, c, d, bd, pc } = run
      if (generation >= 100 + (150 * (n + 3) ** 2) / Math.sqrt(lambda)) return 'maxIter'
      let last = batch.count - 1
      while (last > 0 && batch.violations[order[last]!] === Number.POSITIVE_INFINITY) last--
      const best = batch.values[order[0]!]!
      const worst = batch.values[order[last]!]!
      if (batch.violations[order[0]!] === Number.POSITIVE_INFINITY) return undefined
      const seen = saved[0]!
      saved[0] = seen + 1
      saved[HEAD + (seen % short)] = best
      saved[HEAD + short + (seen % long)] = best
      saved[HEAD + short + long + (seen % long)] = batch.values[order[batch.count >> 1]!]!
      saved[1] = best === batch.values[order[Math.min(last, Math.ceil(batch.count * 0.7))]!] ? saved[1]! + 1 : 0
      if (saved[1]! > 10 + n) return 'flatFitness'

      // The whole history lies within a tolerance only if two values of it do, and that is seldom so.
      const previous = saved[HEAD + ((seen + short - 1) % short)]!
      if (seen + 1 >= short && (worst - best < tolFun || Math.abs(best - previous) < tolFun * 0.1)) {
        let low = Number.POSITIVE_INFINITY
        let high = Number.NEGATIVE_INFINITY
        for (let i = HEAD; i < HEAD + short; i++) {
          low = Math.min(low, saved[i]!)
          high = Math.max(high, saved[i]!)
        }
        if (high - low < tolFun * 0.1) return 'tolFunHist'
        if (Math.max(high, worst) - Math.min(low, best) < tolFun) return 'tolFun'
      }
      let largest = 0
      let moved = true
      for (let i = 0; i < n; i++) {
        const deviation = Math.sqrt(c[separable ? i : i * n + i]!)
        largest = Math.max(largest, Math.abs(pc[i]!), deviation)
        if (mean[i] === mean[i]! + 0.2 * sigma * deviation) moved = false
      }
      if (sigma * largest < tolX * run.runSigma) return 'tolX'
      let longest = 0
      let shortest = Number.POSITIVE_INFINITY
      for (let i = 0; i < n; i++) {
        longest = Math.max(longest, d[i]!)
        shortest = Math.min(shortest, d[i]!)
      }
      if (sigma / run.runSigma > 1e20 * longest) return 'tolUpSigma'
      if (longest / shortest > 1e7) return 'conditionCov'
      if (!separable) {
        // One axis a generation, in turn (tutorial, B.3).
        const axis = generation % n
        let moves = false
        for (let i = 0; i < n && !moves; i++) moves = mean[i] !== mean[i]! + 0.1 * sigma * bd[i * n + axis]!
        if (!moves) return 'noEffectAxis'
      }
      if (!moved) return 'noEffectCoord'
      const patience = Math.min(long, Math.floor(Math.max(0.2 * seen, 120 + (30 * n) / parameters.lambda)))
      // Looking is dear, so it is done now and then.
      if (seen > patience && patience >= 40 && seen % 20 === 0) {
        const third = Math.floor(patience * 0.3)
        const from = seen + 1 - patience + long
        const to = seen + 1 - third + long
        const bests = HEAD + short
        const stale =
          middle(bests, to, third) >= middle(bests, from, third) &&
          middle(bests + long, to, third) >= middle(bests + long, from, third)
        if (stale) return 'stagnation'
      }
      return undefined
    },
  }
}
