import { RegimenError } from '@regimen/core'
import type { BackendName } from '@regimen/tensor'
import { z } from 'zod'

/** What `--device` takes. */
export const DEVICES: readonly BackendName[] = ['cpu', 'wasm', 'webgpu', 'node', 'auto']

/** Configuration of a run, as a file and the flags give it. */
export type RunConfig = {
  /** CSV files; the first is run on, the others help to train. @default [] */
  data: string[]
  /** Simulated market, where there are no files. @default 'equity-daily' */
  market: string
  /** Years to simulate, from 0.2 to 100. @default 10 */
  years: number
  /** Share of the bars that is trained on before the first trade, from 0.1 to 0.9. @default 0.4 */
  train: number
  /** Bars after the training part that are not traded, from 0. @default 5 */
  embargo: number
  /** Bars between two trainings of a challenger, 0 for never. @default 252 */
  retrain: number
  /** Trials of the search before each training, 0 for none. @default 8 */
  trials: number
  /** Iterations of meta-training, from 1. @default 200 */
  metaEpochs: number
  /** Steps of an adaptation, 1 to 20. @default 2 */
  innerSteps: number
  /** Samples of an adaptation, 4 to 500. @default 32 */
  support: number
  /** Where tfjs runs what is not compiled: cpu, wasm, webgpu, node or auto. @default 'cpu' */
  device: BackendName
  /** @default 7 */
  seed: number
  /** Runs the arms to compare with. @default true */
  baselines: boolean
}

const whole = (least: number, most = 1e6): z.ZodNumber => z.number().int().min(least).max(most)

const SCHEMA: z.ZodType<RunConfig> = z.strictObject({
  data: z.array(z.string().min(1)).default([]),
  market: z.string().default('equity-daily'),
  years: z.number().min(0.2).max(100).default(10),
  train: z.number().min(0.1).max(0.9).default(0.4),
  embargo: whole(0).default(5),
  retrain: whole(0).default(252),
  trials: whole(0, 1000).default(8),
  metaEpochs: whole(1).default(200),
  innerSteps: whole(1, 20).default(2),
  support: whole(4, 500).default(32),
  device: z.enum(DEVICES).default('cpu'),
  seed: z.number().int().default(7),
  baselines: z.boolean().default(true),
})

/**
 * Completes and checks the settings of a run; the error names the field.
 *
 * ```ts
 * import { readConfig } from '@regimen/cli'
 *
 * const { years, seed } = readConfig({ years: 5 }, 'my settings')
 * years // => 5
 * seed // => 7
 * ```
 */
export function readConfig(value: unknown, from: string): RunConfig {
  const parsed = SCHEMA.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const path = issue!.path.join('.') || 'a field'
  throw new RegimenError(`${path} in ${from}: ${issue!.message}.`, {
    code: 'INVALID_CONFIG',
    where: 'run',
    hint: 'See regimen run --help for the fields and their ranges.',
  })
}
