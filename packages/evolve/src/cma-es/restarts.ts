import type { Rng } from '@regimen/core'
import type { CmaRun } from './cma-es.ts'

/** How the next run begins. */
export interface Restart {
  readonly lambda: number
  readonly sigma: number
  /** Evaluations after which it ends in any case. */
  readonly budget: number
}

/**
 * Decides what follows a run that has ended. IPOP doubles the population. BIPOP (Hansen 2009) keeps two accounts and lets the
 * one that has spent less go next: doubled populations, or small ones, λ₀·(½·λ/λ₀)^(u²), with a step size of σ₀·10^(−2u).
 */
export function nextRestart(
  run: CmaRun,
  mode: 'ipop' | 'bipop',
  lambda0: number,
  sigma0: number,
  maxRestarts: number,
  rng: Rng,
): Restart | undefined {
  if (run.small) run.smallSpent += run.runEvaluations
  else run.largeSpent += run.runEvaluations
  // The first run belongs to neither account of BIPOP, but its population is the base of both.
  const large = lambda0 * 2 ** run.largeRuns
  if (mode === 'bipop' && run.largeRuns > 0 && run.smallSpent < run.largeSpent) {
    run.small = true
    const lambda = Math.max(4, Math.floor(lambda0 * (0.5 * (large / lambda0)) ** (rng.uniform() ** 2)))
    return { lambda, sigma: sigma0 * 10 ** (-2 * rng.uniform()), budget: Math.max(1, Math.floor(run.largeSpent / 2)) }
  }
  if (run.largeRuns >= maxRestarts) return undefined
  run.largeRuns++
  run.small = false
  return { lambda: lambda0 * 2 ** run.largeRuns, sigma: sigma0, budget: Number.POSITIVE_INFINITY }
}
