import { createRng } from '@regimen/core'
import { type Bars, createBars, featureSet } from '@regimen/market'
import { bench, timing } from './harness.ts'

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

export default bench({
  name: 'market-features',
  description: 'All features of 500,000 one-minute bars: batch seconds, push latency, against pandas on 45 of them',
  async run(context) {
    const count = context.number('bars', 500_000)
    const bars = syntheticBars(count)
    const set = featureSet({ timeframes: ['1m'] })
    const rounds = context.number('rounds', 5)
    const times: number[] = []
    for (let round = 0; round <= rounds; round++) {
      const begin = performance.now()
      set.batch(bars)
      if (round > 0) times.push(performance.now() - begin)
    }
    const batch = timing(times)
    const live = set.open()
    const warm = Math.min(20_000, count >> 1)
    const measured = Math.min(50_000, count - warm)
    const push = (from: number, to: number): number => {
      const begin = performance.now()
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
      return performance.now() - begin
    }
    push(0, warm)
    const pushed = push(warm, warm + measured)
    const peer = await context.python<{ seconds: number; features: number }>('peers/pandas_features.py', {
      needs: ['pandas', 'numpy'],
      args: [String(count), String(Math.max(1, rounds - 2))],
    })
    const seconds = batch.median / 1000
    const perFeature = seconds / set.names.length
    return {
      figures: {
        seconds: { value: seconds, unit: 's', spread: batch.spread },
        features: set.names.length,
        bars_per_s: count / seconds,
        push_ns: { value: (pushed * 1e6) / measured, unit: 'ns', note: 'every feature of one bar' },
        // Our whole set against pandas' 45: above 5 although it computes more.
        ...(peer.absent === undefined
          ? {
              times_pandas: {
                value: peer.value.seconds / seconds,
                note: `ours ${set.names.length}, pandas ${peer.value.features}`,
              },
              times_pandas_per_feature: peer.value.seconds / peer.value.features / perFeature,
            }
          : {}),
      },
      peers: {
        pandas:
          peer.absent === undefined
            ? {
                seconds: { value: peer.value.seconds, unit: 's' },
                bars_per_s: count / peer.value.seconds,
                features: peer.value.features,
              }
            : { absent: peer.absent },
      },
    }
  },
})
