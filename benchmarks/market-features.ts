import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRng } from '@regimen/core'
import { type Bars, createBars, featureSet } from '@regimen/market'
import { bench } from './harness.ts'

/** A seeded random walk of one-minute bars. */
export function syntheticBars(count: number): Bars {
  const rng = createRng(7)
  const columns = Array.from({ length: 6 }, () => new Float64Array(count))
  const [time, open, high, low, close, volume] = columns
  let price = 100
  for (let i = 0; i < count; i++) {
    const next = price * (1 + 0.0005 * rng.normal())
    time![i] = 1_600_000_000_000 + i * 60_000
    open![i] = price
    close![i] = next
    high![i] = Math.max(price, next) * (1 + 0.0002 * rng.uniform())
    low![i] = Math.min(price, next) * (1 - 0.0002 * rng.uniform())
    volume![i] = Math.round(1000 * rng.uniform())
    price = next
  }
  return createBars({
    time: time!,
    open: open!,
    high: high!,
    low: low!,
    close: close!,
    volume: volume!,
    interval: '1m',
  })
}

/** 45 features: of every kind that the package offers, at most two windows of each. Both sides compute exactly these. */
export const FEATURES: readonly string[] = [
  ...['ret_1', 'ret_5', 'ret_20', 'ret_60', 'vol_20', 'vol_60', 'parkinson_20', 'garmanKlass_20', 'yangZhang_20'],
  ...['atr_14', 'smaDistance_20', 'smaDistance_50', 'smaSlope_20', 'smaSlope_50', 'emaDistance_12', 'emaDistance_26'],
  ...['emaSlope_26', 'rsi_14', 'macd', 'macdSignal', 'macdHistogram', 'bollinger_20', 'bollingerWidth_20', 'stochK_14'],
  ...['stochD_14_3', 'adx_14', 'obvChange_20', 'mfi_14', 'vwapDistance_20', 'volumeZ_20', 'rangePosition_20'],
  ...['drawdown_250', 'skew_60', 'kurtosis_60', 'autocorr_1', 'hurst_128', 'entropy_60', 'hourSin', 'hourCos'],
  ...['weekdaySin', 'weekdayCos', 'monthSin', 'monthCos', 'quarterSin', 'quarterCos'],
]

// Ours look back over six to ten periods, those of pandas over all the past: relative to a column's deviation they may differ
// by a little more than the weight of what is older.
const RECURSIVE = /^(ema|rsi|macd|atr|adx)/
const TOLERANCES = { recursive: 5e-3, windowed: 1e-6 }

/** CPU seconds of this process, all its threads: what else the machine does does not count. */
function cpuSeconds(work: () => void): number {
  const begin = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(begin)
  return (user + system) / 1e6
}

export default bench({
  name: 'market-features',
  description: '45 features of 500,000 one-minute bars: batch seconds, push latency, against pandas on the same 45',
  async run(context) {
    const count = context.number('bars', 500_000)
    const rounds = context.number('rounds', 7)
    const bars = syntheticBars(count)
    const set = featureSet({ timeframes: ['1m'], features: FEATURES })
    const all = featureSet({ timeframes: ['1m'] })
    const best = (work: () => void): number => {
      const times = Array.from({ length: rounds + 2 }, () => cpuSeconds(work)).slice(2)
      return Math.min(...times)
    }
    const seconds = best(() => set.batch(bars))
    const wholeSeconds = best(() => all.batch(bars))
    const live = all.open()
    const warm = Math.min(20_000, count >> 1)
    const measured = Math.min(50_000, count - warm)
    const push = (from: number, to: number): void => {
      for (let i = from; i < to; i++) {
        live.push({
          time: bars.time[i]!,
          open: bars.open[i]!,
          high: bars.high[i]!,
          low: bars.low[i]!,
          close: bars.close[i]!,
          volume: bars.volume![i]!,
        })
      }
    }
    push(0, warm)
    const pushed = cpuSeconds(() => push(warm, warm + measured))
    const folder = mkdtempSync(join(tmpdir(), 'regimen-features-'))
    try {
      const [input, output] = [join(folder, 'bars'), join(folder, 'features')]
      const columns = [bars.time, bars.open, bars.high, bars.low, bars.close, bars.volume!]
      writeFileSync(input, Buffer.concat(columns.map((column) => Buffer.from(column.slice().buffer))))
      const peer = await context.python<{ seconds: number; names: string[] }>('peers/pandas_features.py', {
        needs: ['pandas', 'numpy'],
        args: [input, String(count), String(rounds), output],
      })
      const present = peer.absent === undefined
      const checked = present ? compare(bars, peer.value.names, readFileSync(output)) : undefined
      return {
        figures: {
          seconds: { value: seconds, unit: 's', note: 'CPU, least of the rounds' },
          features: set.names.length,
          bars_per_s: count / seconds,
          whole_seconds: { value: wholeSeconds, unit: 's', note: `all ${all.names.length} features` },
          push_ns: { value: (pushed * 1e9) / measured, unit: 'ns', note: 'every feature of one bar' },
          ...(present
            ? {
                times_pandas: { value: peer.value.seconds / seconds, note: 'the same features, CPU, one thread each' },
                difference_windowed: { value: checked!.windowed, note: 'of column deviations' },
                difference_recursive: { value: checked!.recursive, note: 'endless recursion against ours' },
              }
            : {}),
        },
        peers: {
          pandas: present
            ? {
                seconds: { value: peer.value.seconds, unit: 's' },
                bars_per_s: count / peer.value.seconds,
                features: peer.value.names.length,
              }
            : { absent: peer.absent },
        },
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
})

/** Largest difference from the peer's rows, in deviations of the column; an error where it is beyond tolerance. */
function compare(bars: Bars, names: readonly string[], bytes: Buffer): { windowed: number; recursive: number } {
  if ([...names].sort().join() !== [...FEATURES].sort().join()) throw new Error(`The peer computed ${names}.`)
  const set = featureSet({ timeframes: ['1m'], features: FEATURES })
  const table = set.batch(bars)
  const theirs = new Float64Array(new Uint8Array(bytes).buffer)
  const rows = theirs.length / names.length
  const worst = { windowed: 0, recursive: 0 }
  names.forEach((name, k) => {
    const column = table.columns[set.names.indexOf(`1m.${name}`)]!
    const ours = Float64Array.from({ length: rows }, (_, i) => column[1000 + 997 * i]!)
    const mean = ours.reduce((sum, x) => sum + x, 0) / rows
    const deviation = Math.sqrt(ours.reduce((sum, x) => sum + (x - mean) ** 2, 0) / rows)
    const kind = RECURSIVE.test(name) ? 'recursive' : 'windowed'
    let difference = 0
    for (let i = 0; i < rows; i++) difference = Math.max(difference, Math.abs(ours[i]! - theirs[k * rows + i]!))
    difference /= deviation
    if (!(difference <= TOLERANCES[kind])) throw new Error(`${name} differs from the peer by ${difference} deviations.`)
    worst[kind] = Math.max(worst[kind], difference)
  })
  return worst
}
