import { check, describe } from '@regimen/core'
import type { CompleteTrial } from '../front.ts'
import { fitGaussianProcess, predictGaussianProcess } from '../gp/gaussian-process.ts'
import type { ObjectiveOutcome, OptimizeOptions } from '../optimize.ts'
import { type Params, toUnit } from '../space.ts'
import { openStudy, type Study, type StudyOptions } from '../study.ts'
import type { Trial } from '../trial.ts'

/** Evaluates one choice of parameters on one fold: trains before it, tests on it, returns the score. */
export type FoldEvaluation<Fold> = (trial: Trial, fold: Fold, index: number) => number | Promise<number>

/** Options of {@link walkForwardObjective}. */
export interface WalkForwardOptions {
  /**
   * What the pruner sees after each fold: the mean so far, or the fold's own score, which `wilcoxonPruner` wants.
   * @default 'mean'
   */
  report?: 'mean' | 'fold'
}

/**
 * Makes an objective out of folds in time order: evaluates them one after the other, reports after each so that hopeless parameters are pruned
 * before the rest is computed, and returns the mean. The folds' scores are kept in the attribute `folds`.
 *
 * ```ts
 * import { medianPruner, openStudy, walkForwardObjective } from '@regimen/bayes'
 *
 * const folds = [0.1, -0.2, 0.05, 0]
 * const objective = walkForwardObjective(folds, (trial, shift) => -((trial.float('x', 0, 1) - 0.5) ** 2) + shift)
 * const study = openStudy({ direction: 'maximize', pruner: medianPruner(), seed: 1 })
 * const { pruned } = await study.optimize(objective, { trials: 40 })
 * pruned > 5 // => true
 * ```
 */
export function walkForwardObjective<Fold>(
  folds: readonly Fold[],
  evaluate: FoldEvaluation<Fold>,
  options: WalkForwardOptions = {},
): (trial: Trial) => Promise<number> {
  check(folds.length > 0, 'bayes/walk-forward', () => 'needs at least one fold, got none.')
  const { report = 'mean' } = options
  return async (trial) => {
    const scores: number[] = []
    let sum = 0
    for (const [index, fold] of folds.entries()) {
      const score = await evaluate(trial, fold, index)
      scores.push(score)
      sum += score
      if (index < folds.length - 1) {
        trial.report(report === 'mean' ? sum / scores.length : score, index)
        trial.pruneIfHopeless()
      }
    }
    trial.report(report === 'mean' ? sum / scores.length : scores.at(-1)!, folds.length - 1)
    trial.setAttribute('folds', scores)
    return sum / scores.length
  }
}

/** What {@link chooseRobust} chose. */
export interface RobustChoice {
  readonly trial: CompleteTrial
  /** Posterior mean and deviation of the objective there, in its own units. */
  readonly mean: number
  readonly deviation: number
}

/**
 * Chooses the trial with the best posterior mean of a Gaussian process over all complete feasible trials, instead of the one with the best
 * single evaluation: of many noisy evaluations the best was lucky. Repeated evaluations of a point (see `reevaluate`) count together.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { chooseRobust, openStudy, randomSampler } from '@regimen/bayes'
 *
 * const rng = createRng(3)
 * const study = openStudy({ direction: 'maximize', sampler: randomSampler(), seed: 2 })
 * await study.optimize((trial) => -4 * (trial.float('x', 0, 1) - 0.6) ** 2 + rng.normal(0, 0.3), { trials: 60 })
 * Math.abs((chooseRobust(study).trial.params.x as number) - 0.6) < 0.15 // => true
 * ```
 */
export function chooseRobust(study: Study): RobustChoice {
  const direction = study.directions[0]!
  check(study.directions.length === 1, 'bayes/choose', () => 'needs a study with one objective.', 'Choose from front.')
  const trials = study.completed.filter((trial) => trial.violations.every((v) => v <= 0))
  check(trials.length > 0, 'bayes/choose', () => 'the study has no complete feasible trial.')
  const space = [...study.space]
  const rows = trials.map(({ params }) =>
    space.map(([name, dimension]) => (params[name] === undefined ? 0.5 : toUnit(dimension, params[name]))),
  )
  const categorical = space.flatMap(([, dimension], j) => (dimension.type === 'categorical' ? [j] : []))
  const model = fitGaussianProcess(
    rows,
    trials.map(({ value }) => value),
    { categorical },
  )
  const sign = direction === 'minimize' ? 1 : -1
  let best: RobustChoice | undefined
  for (const [i, trial] of trials.entries()) {
    const { mean, deviation } = predictGaussianProcess(model, rows[i]!)
    if (!best || sign * mean < sign * best.mean) best = { trial, mean, deviation }
  }
  return best!
}

/**
 * Evaluates the best trials again, so that luck averages out before one is chosen: the `top` distinct points by value, `times` each, as
 * trials of their own with the attribute `repeats`.
 *
 * ```ts
 * import { openStudy, reevaluate } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize', seed: 1 })
 * const objective = (trial: import('@regimen/bayes').Trial) => trial.float('x', 0, 1)
 * await study.optimize(objective, { trials: 10 })
 * await reevaluate(study, objective, { top: 2, times: 3 })
 * study.trials.length // => 16
 * ```
 */
export async function reevaluate(
  study: Study,
  objective: (trial: Trial) => ObjectiveOutcome,
  options: { top?: number; times?: number } & Omit<OptimizeOptions, 'trials'> = {},
): Promise<void> {
  const { top = 5, times = 3, ...limits } = options
  const sign = study.directions[0] === 'minimize' ? 1 : -1
  const seen = new Set<string>()
  const chosen = [...study.completed]
    .sort((a, b) => sign * (a.value - b.value))
    .filter(({ params }) => !seen.has(JSON.stringify(params)) && seen.add(JSON.stringify(params)))
    .slice(0, top)
  for (const { params, number } of chosen) for (let k = 0; k < times; k++) study.enqueue(params, { repeats: number })
  if (chosen.length > 0) await study.optimize(objective, { ...limits, trials: chosen.length * times })
}

/** Options of {@link nestedSearch}. */
export interface NestedOptions extends Omit<StudyOptions, 'storage' | 'worker'> {
  /** Trials of each search. */
  trials: number
  /** Folds that are searched before the first one that is tested. @default 2 */
  least?: number
}

/** One outer fold of {@link nestedSearch}. */
export interface NestedResult {
  /** Position of the tested fold. */
  readonly fold: number
  readonly params: Params
  /** Score on the folds that were searched, and on the one that was not. */
  readonly inSample: number
  readonly outOfSample: number
}

/**
 * Validates a search itself: for each fold searches on the folds before it only, chooses by posterior mean, and scores the choice once on the
 * fold, which the search has never seen. The mean of `outOfSample` is what to expect of searching this way.
 *
 * ```ts
 * import { nestedSearch } from '@regimen/bayes'
 *
 * const results = await nestedSearch([0, 0.1, 0, 0.1], (trial, shift) => -((trial.float('x', 0, 1) - 0.5 - shift) ** 2), {
 *   direction: 'maximize',
 *   trials: 20,
 * })
 * results.map(({ fold }) => fold) // => [2, 3]
 * ```
 *
 * Reference: S. Varma & R. Simon, "Bias in error estimation when using cross-validation for model selection", 2006.
 */
export async function nestedSearch<Fold>(
  folds: readonly Fold[],
  evaluate: FoldEvaluation<Fold>,
  options: NestedOptions,
): Promise<NestedResult[]> {
  const { trials, least = 2, seed = 0, ...rest } = options
  check(
    Number.isInteger(least) && least >= 1 && least < folds.length,
    'bayes/nested',
    () => `least must be from 1 to ${folds.length - 1}, got ${describe(least)}.`,
  )
  const results: NestedResult[] = []
  for (let fold = least; fold < folds.length; fold++) {
    const study = openStudy({ ...rest, seed: `${seed}/${fold}` })
    await study.optimize(walkForwardObjective(folds.slice(0, fold), evaluate), { trials })
    const { trial, mean } = chooseRobust(study)
    study.enqueue(trial.params)
    const last = study.ask()
    const outOfSample = await evaluate(last, folds[fold]!, fold)
    study.tell(last, { pruned: true })
    results.push({ fold, params: trial.params, inSample: mean, outOfSample })
  }
  return results
}
