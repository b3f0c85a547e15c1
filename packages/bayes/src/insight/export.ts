import type { ParamValue } from '../space.ts'
import type { Study } from '../study.ts'
import { importance } from './importance.ts'

/**
 * Writes all trials as a table of comma-separated values: number, state, values, then one column a parameter, then start and end as epoch
 * milliseconds. Cells with commas, quotes or line ends are quoted.
 *
 * ```ts
 * import { openStudy, studyToCsv } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize' })
 * study.enqueue({ kind: 'a,b' })
 * const trial = study.ask({ kind: { type: 'categorical', choices: ['a,b', 'c'] } })
 * study.tell(trial, 1)
 * studyToCsv(study).split('\n')[1]!.startsWith('0,complete,1,"a,b",') // => true
 * ```
 */
export function studyToCsv(study: Study): string {
  const names = [...study.space.keys()]
  const values = study.directions.length === 1 ? ['value'] : study.directions.map((_, k) => `value${k}`)
  const head = ['number', 'state', ...values, ...names, 'started', 'finished']
  const rows = study.trials.map((trial) => [
    trial.number,
    trial.state,
    ...values.map((_, k) => trial.values?.[k]),
    ...names.map((name) => trial.params[name]),
    trial.started,
    trial.finished,
  ])
  return `${[head, ...rows].map((row) => row.map(cell).join(',')).join('\n')}\n`
}

function cell(value: ParamValue | undefined): string {
  const text = value === undefined || value === null ? '' : String(value)
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/**
 * Writes the whole study as JSON: name, directions, attributes, the space and every trial with its reports.
 *
 * ```ts
 * import { openStudy, studyToJson } from '@regimen/bayes'
 *
 * JSON.parse(studyToJson(openStudy({ direction: 'minimize', name: 'trend' }))).name // => 'trend'
 * ```
 */
export function studyToJson(study: Study): string {
  return JSON.stringify({
    name: study.name,
    directions: study.directions,
    attributes: study.attributes,
    space: Object.fromEntries(study.space),
    trials: study.trials.map((trial) => ({ ...trial, reports: [...trial.reports] })),
  })
}

/**
 * Summarizes a study in a few lines for a terminal: how many trials, the best, what it was made of, from 20 complete trials on which parameters
 * mattered (see `importance`), and why trials failed.
 *
 * ```ts
 * import { openStudy, summarizeStudy } from '@regimen/bayes'
 *
 * const study = openStudy({ direction: 'minimize', name: 'trend', seed: 1 })
 * await study.optimize((trial) => trial.float('x', 0, 1), { trials: 5 })
 * summarizeStudy(study).split('\n')[0] // => 'trend: 5 trials, 5 complete, 0 pruned, 0 failed (minimize)'
 * ```
 */
export function summarizeStudy(study: Study): string {
  const { trials } = study
  const count = (state: string): number => trials.filter((trial) => trial.state === state).length
  const lines = [
    `${study.name}: ${trials.length} trials, ${count('complete')} complete, ${count('pruned')} pruned, ${count('failed')} failed (${study.directions.join(', ')})`,
  ]
  const params = (all: { readonly [name: string]: ParamValue }): string =>
    Object.entries(all)
      .map(([name, value]) => `${name} = ${typeof value === 'number' ? Number(value.toPrecision(6)) : String(value)}`)
      .join(', ')
  const { best } = study
  if (best) lines.push(`best: ${Number(best.value.toPrecision(8))} in trial ${best.number}`, `  ${params(best.params)}`)
  else if (study.directions.length > 1) {
    lines.push(`front: ${study.front.length} trials`)
    for (const trial of study.front.slice(0, 10)) lines.push(`  ${trial.values.join(', ')}: ${params(trial.params)}`)
  }
  if (best && study.completed.length >= 20) {
    const shares = Object.entries(importance(study)).slice(0, 5)
    lines.push(`importance: ${shares.map(([name, share]) => `${name} ${(100 * share).toFixed(0)} %`).join(', ')}`)
  }
  const failures = new Map<string, number>()
  for (const { error } of trials) if (error) failures.set(error, (failures.get(error) ?? 0) + 1)
  for (const [error, times] of failures) lines.push(`failed ${times} ×: ${error}`)
  return lines.join('\n')
}
