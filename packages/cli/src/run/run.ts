import { join } from 'node:path'
import { check, hashBytes, type LongTaskOptions, RegimenError } from '@regimen/core'
import { useBackend } from '@regimen/tensor'
import { presetSettings } from '../preset/settings.ts'
import type { Terminal } from '../terminal.ts'
import { table } from '../terminal.ts'
import { type AdaptiveRun, adaptiveRun } from './adaptive.ts'
import { type Arm, holdArm, liveBars, refitArm, staticArm, trainRows, truthArm } from './arms.ts'
import { type ArmSummary, type Comparison, compareArms, type Estimate, summarizeArm } from './compare.ts'
import type { RunConfig } from './config.ts'
import { FILES, makeFolder, readIfThere, writeWhole } from './folder.ts'
import { ruleArm } from './rules.ts'
import { fileSource, type Source, simulatedSource } from './source.ts'

/** What a run came to; `result.json` holds the same. */
export interface RunResult {
  readonly source: string
  readonly fingerprint: string
  readonly config: RunConfig
  readonly bars: number
  readonly traded: number
  readonly arms: readonly ArmSummary[]
  readonly comparisons: readonly Comparison[]
  /** Versions that were put in force, in order. */
  readonly versions: readonly number[]
  /** sha-256 of the last state of the adaptive run: the same for the same run, interrupted or not. */
  readonly state: string
}

/** A run's result with what the report draws. */
export interface FinishedRun {
  readonly result: RunResult
  readonly source: Source
  readonly arms: readonly Arm[]
  readonly adaptive: AdaptiveRun
}

/** Options of {@link makeRun}. */
export interface MakeRunOptions extends LongTaskOptions {
  /** Folder of the run; made where there is none. */
  folder: string
  /** Where it tells how far it is. @default nowhere */
  terminal?: Terminal
}

const SILENT: Terminal = { say: () => {}, progress: () => () => {}, json: () => {}, width: 80 }

/**
 * Makes a whole run, or finishes one that was interrupted, and writes its result: the adaptive arm with checkpoints and a store, then
 * the arms to compare with.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { mkdtemp } from 'node:fs/promises'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { makeRun, readConfig, summaryLines } from '@regimen/cli'
 *
 * const folder = await mkdtemp(join(tmpdir(), 'run-'))
 * const config = readConfig({ years: 3, train: 0.5, retrain: 0, metaEpochs: 4, baselines: false }, 'the example')
 * const { result } = await makeRun(config, { folder })
 * result.arms.map(({ name }) => name) // => ['adaptive', 'buy and hold', 'true regime']
 * summaryLines(result)[1]!.startsWith('adaptive') // => true
 * ```
 */
export async function makeRun(config: RunConfig, options: MakeRunOptions): Promise<FinishedRun> {
  const { folder, signal, terminal = SILENT } = options
  const pass = signal ? { signal } : {}
  const { backend } = await useBackend(config.device)
  if (config.device === 'auto') terminal.say(`device    ${backend}`)
  await makeFolder(folder)
  await claim(folder, config)
  const [file, ...others] = config.data
  const source = file ? await fileSource(file, others) : simulatedSource(config.market, config.years, config.seed)
  const { bars } = source
  checkSource(source, config)
  const { seed, metaEpochs, innerSteps, support } = config
  const settings = presetSettings({ seed, metaIterations: metaEpochs, innerSteps, support })
  const n = trainRows(source, config)
  terminal.say(`${source.name}: ${bars.time.length} bars, ${n} to train on, ${bars.time.length - n} to trade`)
  for (const repair of source.repairs) terminal.say(`repaired  ${repair}`)

  const adaptive = await adaptiveRun(source, config, settings, {
    folder,
    onProgress: terminal.progress('adaptive'),
    onTraining: () => {},
    ...pass,
  })
  const arms: Arm[] = [adaptive.arm]
  if (config.baselines) {
    arms.push(await staticArm(source, config, settings, { onProgress: terminal.progress('static'), ...pass }))
    if (config.retrain > 0) {
      arms.push(await refitArm(source, config, settings, { onProgress: terminal.progress('rolling refit'), ...pass }))
    }
    arms.push(await ruleArm(source, config, settings, { onProgress: terminal.progress('rule-based'), ...pass }))
  }
  arms.push(holdArm(source, config))
  const truth = truthArm(source, config)
  if (truth) arms.push(truth)

  const live = liveBars(source, config)
  const result: RunResult = {
    source: source.name,
    fingerprint: source.fingerprint,
    config,
    bars: bars.time.length,
    traded: live.time.length,
    arms: arms.map((arm) => summarizeArm(arm, live, seed)),
    comparisons: arms.slice(1).map((arm) => compareArms(adaptive.arm, arm, live, seed)),
    versions: adaptive.versions,
    state: hashBytes(adaptive.checkpoint),
  }
  await writeWhole(join(folder, FILES.result), `${JSON.stringify(result, null, 2)}\n`)
  return { result, source, arms, adaptive }
}

/** A folder belongs to one configuration, so that a run is never continued as another one. */
async function claim(folder: string, config: RunConfig): Promise<void> {
  const path = join(folder, FILES.config)
  const text = `${JSON.stringify(config, null, 2)}\n`
  const found = await readIfThere(path)
  if (found && found.toString('utf8') !== text) {
    throw new RegimenError(`the folder ${folder} holds a run with other settings.`, {
      code: 'OTHER_RUN',
      where: 'run',
      hint: 'Pass another --out, or remove the folder.',
    })
  }
  if (!found) await writeWhole(path, text)
}

function checkSource({ bars, name }: Source, config: RunConfig): void {
  const n = bars.time.length
  check(
    n >= 600,
    'run',
    () => `${name} has ${n} bars, at least 600 are needed to train on and to trade.`,
    'Pass a longer series, or shorter bars.',
  )
  const { close } = bars
  const changes = close.filter((price, i) => i > 0 && price !== close[i - 1]).length
  check(
    changes >= n / 20,
    'run',
    () => `${name} hardly moves: ${changes} of ${n} closes differ from the one before.`,
    'Pass a traded series.',
  )
  check(
    n * config.train >= 300,
    'run',
    () => `${Math.floor(n * config.train)} bars are too few to train on: at least 300.`,
    'Raise --train.',
  )
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`
const between = ({ low, high }: Estimate, digits: number): string => `${low.toFixed(digits)} … ${high.toFixed(digits)}`

/**
 * Lays out the tables that end a run.
 *
 * ```ts
 * import { summaryLines } from '@regimen/cli'
 * import type { RunResult } from '@regimen/cli'
 *
 * const flat = { value: 0, low: 0, high: 0 }
 * const arm = { name: 'idle', annualReturn: 0, volatility: 0, sharpe: flat, maxDrawdown: 0, turnover: 0 }
 * const result = { arms: [arm], comparisons: [] } as unknown as RunResult
 * summaryLines(result)[1]!.slice(0, 4) // => 'idle'
 * ```
 */
export function summaryLines({ arms, comparisons }: RunResult): string[] {
  const rows = arms.map((arm) => [
    arm.name,
    percent(arm.annualReturn),
    percent(arm.volatility),
    arm.sharpe.value.toFixed(2),
    percent(arm.maxDrawdown),
    arm.turnover.toFixed(1),
    arm.logScore === undefined ? '' : arm.logScore.toFixed(4),
  ])
  const head = ['after costs', 'a year', 'volatility', 'Sharpe', 'drawdown', 'turnover', 'log score']
  const versus = comparisons
    .filter(({ against }) => against !== 'true regime')
    .map(({ against, sharpe, logScore }) => [
      against,
      sharpe.value.toFixed(2),
      between(sharpe, 2),
      logScore ? logScore.value.toFixed(4) : '',
      logScore ? between(logScore, 4) : '',
    ])
  return [
    ...table([head, ...rows]),
    '',
    ...table([['adaptive against', 'Sharpe', '95 %', 'log score', '95 %'], ...versus]),
  ]
}
