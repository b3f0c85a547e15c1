import { RegimenError } from '@regimen/core'
import { z } from 'zod'

const whole = (least: number, most = 1e6): z.ZodNumber => z.number().int().min(least).max(most)

const SCHEMA = z.strictObject({
  /** CSV files; the first is run on, the others help to train. */
  data: z.array(z.string().min(1)).default([]),
  /** Simulated market, where there are no files. */
  market: z.string().default('equity-daily'),
  /** Years to simulate. */
  years: z.number().min(0.2).max(100).default(10),
  /** Share of the bars that is trained on before the first trade. */
  train: z.number().min(0.1).max(0.9).default(0.4),
  /** Bars after the training part that are not traded. */
  embargo: whole(0).default(5),
  /** Bars between two trainings of a challenger; 0: never. */
  retrain: whole(0).default(252),
  /** Trials of the search before each training; 0: no search. */
  trials: whole(0, 1000).default(8),
  metaEpochs: whole(1).default(200),
  innerSteps: whole(1, 20).default(2),
  support: whole(4, 500).default(32),
  /** Where nets run. */
  device: z.enum(['cpu', 'gpu', 'auto']).default('cpu'),
  seed: z.number().int().default(7),
  /** Runs the baselines beside the adaptive run. */
  baselines: z.boolean().default(true),
})

/** Configuration of a run, as a file and the flags give it. */
export type RunConfig = z.infer<typeof SCHEMA>

/** Completes and checks a configuration; the error names the field. */
export function readConfig(value: unknown, from: string): RunConfig {
  const parsed = SCHEMA.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const path = issue!.path.join('.') || 'the configuration'
  throw new RegimenError(`${path} in ${from}: ${issue!.message}.`, {
    code: 'INVALID_CONFIG',
    where: 'run',
    hint: 'See regimen run --help for the fields and their ranges.',
  })
}
