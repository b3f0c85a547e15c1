// How long the adaptive run takes and how long one bar of it: ten years of daily bars, one year of hourly bars. Each run has
// a process of its own, so that its memory is its own.
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bench, type Figure } from './harness.ts'
import type { RunFigures, RunTask } from './pipeline-run.lib.ts'

const RUNS: readonly (RunTask & { readonly name: string })[] = [
  { name: 'daily', market: 'equity-daily', years: 10 },
  { name: 'hourly', market: 'equity-hourly', years: 1 },
]

function measure(task: RunTask): Promise<RunFigures> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'pipeline-run.lib.ts'), [JSON.stringify(task)])
    child.on('message', (figures) => resolve(figures as RunFigures))
    child.on('error', reject)
    child.on('exit', (code) => code !== 0 && reject(new Error(`the run ended with exit code ${code}`)))
  })
}

export default bench({
  name: 'pipeline-run',
  description: 'the adaptive run without its baselines: ten years of daily bars, one year of hourly bars',
  async run(context) {
    const figures: { [name: string]: Figure } = {}
    let worst = 0
    for (const { name, ...task } of RUNS) {
      const folder = mkdtempSync(join(tmpdir(), 'pipeline-run-'))
      const { bars, traded, seconds, peakMb, median, p99, max, trainings } = await measure({ ...task, folder })
      rmSync(folder, { recursive: true })
      context.log(`${name}: ${bars} bars`)
      figures[`${name}_seconds`] = { value: seconds, unit: 's', note: `${bars} bars, ${traded} traded` }
      figures[`${name}_peak_memory`] = { value: peakMb, unit: 'MB' }
      figures[`${name}_update_median_ms`] = { value: median, unit: 'ms' }
      figures[`${name}_update_p99_ms`] = { value: p99, unit: 'ms' }
      figures[`${name}_update_max_ms`] = { value: max, unit: 'ms', note: `with one of the ${trainings} trainings` }
      worst = Math.max(worst, p99)
    }
    return { figures: { ...figures, update_p99_ms: { value: worst, unit: 'ms' } } }
  },
})
