import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { check, hashTree, RegimenError } from '@regimen/core'
import {
  type Bars,
  forecastTargets,
  loadCsv,
  type PresetName,
  preset,
  presetNames,
  type RepairPolicies,
  type SimulatedMarket,
  simulate,
  type TradingCosts,
  trueFilter,
} from '@regimen/market'
import { barsPerYear } from '../preset/timeframe.ts'

/** Bars to run on, with what is known of them. */
export interface Source {
  /** For people: `equity-daily, seed 7` or a file's name. */
  readonly name: string
  readonly bars: Bars
  readonly costs: TradingCosts
  /** Other markets that help to train. */
  readonly others: readonly Bars[]
  /** Only on a simulated market. */
  readonly truth?: {
    /** Name of the true regime at each bar. */
    readonly regimes: readonly string[]
    /** Positions of a strategy that filters with the true parameters. */
    readonly targets: Float64Array
    /** ln p of each bar's return by the true filter at the bar before. */
    readonly logScore: Float64Array
  }
  /** What was repaired in a file, in words. */
  readonly repairs: readonly string[]
  /** sha-256 of the bars. */
  readonly fingerprint: string
}

/** Costs of real series, where nothing else is said: 5 basis points commission and 2 of spread. */
const COSTS: TradingCosts = { commission: 0.0005, spread: 0.0002 }

/** What is wrong with a row takes the row away; each repair is counted in the report. */
const REPAIR: RepairPolicies = {
  duplicates: 'last',
  badTime: 'drop',
  missing: 'drop',
  nonPositive: 'drop',
  highBelowLow: 'drop',
  outside: 'widen',
  badVolume: 'omit',
}

function fingerprint({ time, close }: Bars): string {
  return hashTree({ time: Array.from(time), close: Array.from(close) })
}

/** Names of the presets that a run can be made on: one asset each. */
export function marketNames(): PresetName[] {
  return presetNames.filter((name) => !name.includes('basket'))
}

/** Simulates a market of a preset for some years. */
export function simulatedSource(name: string, years: number, seed: number): Source {
  const known = marketNames().find((one) => one === name)
  if (!known) {
    throw new RegimenError(`there is no market ${JSON.stringify(name)}.`, {
      code: 'UNKNOWN_MARKET',
      where: 'run',
      hint: `Take one of ${marketNames().join(', ')}.`,
    })
  }
  const parameters = preset(known)
  const perYear = barsPerYear(simulate(known, { bars: 2000, seed: 0 }).bars)
  const market: SimulatedMarket = simulate(known, { bars: Math.round(years * perYear), seed })
  const filter = trueFilter(market.bars, { parameters })
  const horizon = market.bars.interval < 86_400_000 ? Math.round(86_400_000 / market.bars.interval) : 1
  return {
    name: `${known}, seed ${seed}`,
    bars: market.bars,
    costs: parameters.costs,
    others: [],
    truth: {
      regimes: Array.from(market.regimes, (s) => parameters.regimes[s]!.name),
      targets: forecastTargets(filter, { barsPerYear: barsPerYear(market.bars), horizon }),
      logScore: filter.logScore,
    },
    repairs: [],
    fingerprint: fingerprint(market.bars),
  }
}

/** Loads CSV files, repairs what can be repaired and says what. The first is run on, the others help to train. */
export async function fileSource(path: string, more: readonly string[] = []): Promise<Source> {
  let text: Uint8Array
  try {
    text = await readFile(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new RegimenError(`${path} cannot be read${code === 'ENOENT' ? ': there is no such file' : ''}.`, {
      code: 'UNREADABLE',
      where: 'run',
      hint: 'Pass --data with the path of a CSV file of prices.',
      cause,
    })
  }
  const { bars, report } = loadCsv(text, { repair: REPAIR })
  const others: Bars[] = []
  for (const other of more) {
    const { bars: found } = await fileSource(other)
    check(
      found.interval === bars.interval,
      'run',
      () => `${other} has bars of ${found.interval} ms where ${path} has ${bars.interval} ms.`,
      'Pass series of the same interval.',
    )
    others.push(found)
  }
  return {
    name: basename(path),
    bars,
    costs: COSTS,
    others,
    repairs: report.repairs.map(({ kind, policy, count }) => `${kind}: ${policy} (${count})`),
    fingerprint: fingerprint(bars),
  }
}
