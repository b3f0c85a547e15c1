import { check, describe, type LongTaskOptions } from '@regimen/core'
import { mean, studentTQuantile, variance } from '@regimen/core/math'
import { evaluate, type MeanOverTasks } from './evaluate.ts'
import type { TaskLoss } from './learner.ts'
import type { Execution, MetaModel } from './model.ts'
import type { Task } from './tasks/task.ts'

/** Options of {@link chooseLearner}. */
export interface ChooseLearnerOptions extends LongTaskOptions {
  /**
   * Validation tasks of each family, at least 2 (30 and more for intervals that mean something): never trained on, and not those of
   * the final test.
   */
  families: { readonly [family: string]: readonly Task[] }
  /**
   * Names from the most to the least welcome, for example by cost: the first that cannot be told from the best is chosen. Unnamed ones
   * come last. @default the best mean, whatever it is
   */
  prefer?: readonly string[]
  /** Confidence of the intervals, between 0 and 1. @default 0.95 */
  confidence?: number
  /** Judges answers that are not classes, the same for all. @default the first candidate's loss */
  loss?: TaskLoss
  /** How compiled functions run. */
  compile?: Execution
}

/** How one candidate did on a family. */
export interface CandidateScore {
  readonly name: string
  /** Accuracy, or loss, over the tasks. */
  readonly score: MeanOverTasks
  /** By how much the best mean is better, task by task: mean and interval. Zero for the best itself. */
  readonly behind: { readonly mean: number; readonly low: number; readonly high: number }
  /** Whether the interval holds zero, so that the tasks do not tell it from the best. */
  readonly tied: boolean
}

/** What {@link chooseLearner} decided for one family. */
export interface LearnerChoice {
  readonly family: string
  readonly chosen: string
  readonly model: MetaModel
  /** Share of right classes, to be large, or loss, to be small. */
  readonly measure: 'accuracy' | 'loss'
  /** All candidates, the best mean first. */
  readonly scores: readonly CandidateScore[]
  /** Whether every other candidate is worse beyond its interval. */
  readonly settled: boolean
  /** The decision in words and numbers. */
  readonly explanation: string
}

/**
 * Chooses a learner for each family of tasks among trained models: every candidate adapts to the same validation tasks, the best mean
 * leads, and a candidate whose paired interval against it holds zero counts as tied; among those `prefer` decides. Classes are judged by
 * accuracy, anything else by one loss for all.
 *
 * Intervals are by Student's t on the differences, task by task, which is far sharper than comparing two means, and not widened
 * for the number of candidates: among twenty equal ones expect one false difference. Measure the chosen one afresh on test tasks.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { createRng } from '@regimen/core'
 * import { chartPatterns, chooseLearner, matching, prototypical, sampleFamily } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const sizes = { net: mlp({ sizes: [64, 16, 8] }), ways: 3, embedding: 8 }
 * const open = (learner: ReturnType<typeof matching>) => ({ learner, params: learner.init(createRng(1)) })
 * const validation = await sampleFamily(chartPatterns({ shots: 3, ways: 3 }), { seed: 2 }).batch(0, 30)
 * const { patterns } = await chooseLearner(
 *   { prototypical: open(prototypical(sizes)), matching: open(matching(sizes)) },
 *   { families: { patterns: validation }, prefer: ['prototypical'] },
 * )
 * patterns!.scores.length // => 2
 * patterns!.explanation.startsWith('patterns:') // => true
 * ```
 */
export async function chooseLearner(
  candidates: { readonly [name: string]: MetaModel },
  options: ChooseLearnerOptions,
): Promise<{ [family: string]: LearnerChoice }> {
  const { families, prefer = [], confidence = 0.95, loss, compile = {} } = options
  const names = Object.keys(candidates)
  check(names.length > 0, WHERE, () => 'there are no candidates.', 'Pass { name: model, … }.')
  check(
    confidence > 0 && confidence < 1,
    WHERE,
    () => `confidence must lie between 0 and 1, got ${describe(confidence)}.`,
  )
  for (const name of prefer)
    check(names.includes(name), WHERE, () => `prefer names ${describe(name)}, not a candidate.`)
  const list = Object.entries(families)
  check(list.length > 0, WHERE, () => 'there are no families of tasks.', 'Pass { families: { name: tasks, … } }.')
  for (const [family, tasks] of list) {
    check(
      tasks.length >= 2,
      WHERE,
      () => `the family ${describe(family)} needs at least 2 validation tasks, got ${tasks.length}.`,
    )
  }
  const judge = loss ?? candidates[names[0]!]!.learner.loss
  const choices: { [family: string]: LearnerChoice } = {}
  const total = list.length * names.length
  let done = 0
  for (const [family, tasks] of list) {
    const results: { name: string; score: MeanOverTasks; measure: LearnerChoice['measure'] }[] = []
    for (const name of names) {
      options.signal?.throwIfAborted()
      const { learner, ...model } = candidates[name]!
      const { losses, accuracies } = await evaluate({ ...model, learner: { ...learner, loss: judge } }, tasks, compile)
      const score = (accuracies ?? losses).at(-1)!
      results.push({ name, score, measure: accuracies ? 'accuracy' : 'loss' })
      options.onProgress?.({ done: ++done, total, message: `${family}, ${name}: ${score.mean.toPrecision(4)}` })
    }
    choices[family] = decide(family, results, { candidates, prefer, confidence })
  }
  return choices
}

const WHERE = 'meta/choose-learner'

function decide(
  family: string,
  results: readonly { name: string; score: MeanOverTasks; measure: LearnerChoice['measure'] }[],
  settings: {
    readonly candidates: { readonly [name: string]: MetaModel }
    readonly prefer: readonly string[]
    readonly confidence: number
  },
): LearnerChoice {
  const { measure } = results[0]!
  const sign = measure === 'accuracy' ? 1 : -1
  // A loss that is not a number is the worst there is.
  const rank = ({ score }: { score: MeanOverTasks }): number =>
    Number.isNaN(score.mean) ? Number.NEGATIVE_INFINITY : sign * score.mean
  const sorted = [...results].sort((a, b) => rank(b) - rank(a))
  const best = sorted[0]!
  check(
    Number.isFinite(best.score.mean),
    WHERE,
    () => `no candidate has a finite ${measure} on ${describe(family)}.`,
    'Train them first, or lower their inner rates.',
  )
  const scores = sorted.map(({ name, score }, i): CandidateScore => {
    const gains = score.values.map((value, t) => sign * (best.score.values[t]! - value))
    const behind = pairedInterval(gains, settings.confidence)
    return { name, score, behind, tied: i === 0 || behind.low <= 0 }
  })
  const tied = scores.filter((one) => one.tied).map(({ name }) => name)
  const chosen = settings.prefer.find((name) => tied.includes(name)) ?? best.name
  const settled = tied.length === 1
  return {
    family,
    chosen,
    model: settings.candidates[chosen]!,
    measure,
    scores,
    settled,
    explanation: explain({ family, chosen, measure, scores, settled }, settings.confidence),
  }
}

function explain(
  { family, chosen, measure, scores, settled }: Omit<LearnerChoice, 'model' | 'explanation'>,
  confidence: number,
): string {
  const show = (value: number): string => value.toFixed(3)
  const [best, ...others] = scores as [CandidateScore, ...CandidateScore[]]
  const worse = measure === 'accuracy' ? 'lower' : 'higher'
  const lead = `${family}: ${chosen}. ${best.name} has the best ${measure}, ${show(best.score.mean)} ± ${show(best.score.interval)} over ${best.score.values.length} tasks.`
  const rest = others.map(({ name, behind, tied }) => {
    const range = `${show(behind.mean)} ${worse} (${Math.round(100 * confidence)} % from ${show(behind.low)} to ${show(behind.high)})`
    return `${name} is ${range}: ${tied ? 'not told apart' : 'worse'}.`
  })
  const reason =
    chosen !== best.name
      ? [`${chosen} is chosen because it is not told apart from the best and preferred.`]
      : others.length > 0 && !settled
        ? ['More validation tasks could change the choice.']
        : []
  return [lead, ...rest, ...reason].join(' ')
}

/** Mean of paired differences with its interval by Student's t. */
function pairedInterval(gains: Float64Array, confidence: number): CandidateScore['behind'] {
  const centre = mean(gains)
  const error = Math.sqrt(variance(gains) / gains.length)
  const reach = error === 0 ? 0 : studentTQuantile((1 + confidence) / 2, gains.length - 1) * error
  return { mean: centre, low: centre - reach, high: centre + reach }
}
