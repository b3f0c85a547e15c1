import { presetSettings } from '../preset/settings.ts'
import { tunePreset } from '../preset/tune.ts'
import { fileSource, simulatedSource } from '../run/source.ts'
import { table } from '../terminal.ts'
import type { CommandContext } from './context.ts'

/** Flags of `regimen tune`. */
export interface TuneFlags {
  data?: string
  market?: string
  years?: number
  trials?: number
  seed?: number
}

/** Searches the preset's settings over walk-forward folds of a series. */
export async function tuneCommand(flags: TuneFlags, { terminal, signal, json }: CommandContext): Promise<void> {
  const { data, market = 'equity-daily', years = 10, trials = 20, seed = 7 } = flags
  const source = data ? await fileSource(data) : simulatedSource(market, years, seed)
  const tuning = await tunePreset(source.bars, presetSettings({ seed }), {
    trials,
    signal,
    onProgress: terminal.progress('tuning'),
  })
  if (json) return terminal.json({ source: source.name, ...tuning })
  const names = Object.keys(tuning.trials[0]!.params)
  terminal.say(`${source.name}: ${trials} trials, mean log score over walk-forward folds; the first is the default`)
  terminal.say('')
  const short = (value: number): string => String(Number(value.toPrecision(3)))
  const best = Math.max(...tuning.trials.filter(({ pruned }) => !pruned).map(({ value }) => value))
  const rows = tuning.trials.map(({ params, value, pruned }, i) => [
    String(i + 1),
    ...names.map((name) => short(params[name]!)),
    value.toFixed(4),
    pruned ? 'pruned' : value === best ? 'best' : '',
  ])
  for (const line of table([['trial', ...names, 'log score', ''], ...rows])) terminal.say(line)
}
