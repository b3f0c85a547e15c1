// Vectorized and event-driven backtests of one asset with costs, against the usual pandas one-liner.
import { createRng } from '@regimen/core'
import { backtestEvents, backtestVectorized, simulate } from '@regimen/market'
import { bench, timing } from './harness.ts'

const PANDAS = `
import json, sys, time
import numpy as np, pandas as pd
n, runs = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(1)
close = pd.Series(100 * np.exp(np.cumsum(rng.normal(0, 0.001, n))))
target = pd.Series(np.repeat(rng.uniform(-1, 1, n // 50 + 1), 50)[:n])
times = []
for _ in range(runs):
    begin = time.perf_counter()
    position = target.shift(1).fillna(0)
    returns = position * close.pct_change().fillna(0) - position.diff().abs().fillna(0) * 0.0005
    equity = (1 + returns).cumprod()
    times.append(time.perf_counter() - begin)
print(json.dumps({"seconds": float(np.median(times))}))
`

export default bench({
  name: 'market-backtest',
  description:
    '500,000 bars with costs: vectorized (target changes every 50 bars, and every bar), event-driven, pandas',
  async run(context) {
    const n = context.number('bars', 500_000)
    const runs = context.number('runs', 9)
    const { bars, parameters } = simulate('random-walk', { bars: n, seed: 1 })
    const rng = createRng(1)
    const slow = new Float64Array(n)
    const fast = new Float64Array(n)
    for (let i = 0; i < n; i++) {
      slow[i] = i % 50 === 0 ? rng.uniform(-1, 1) : slow[i - 1]!
      fast[i] = rng.uniform(-1, 1)
    }
    const { costs } = parameters
    const measure = (work: () => unknown, rounds: number): ReturnType<typeof timing> => {
      const times: number[] = []
      for (let round = 0; round < rounds + 2; round++) {
        const begin = performance.now()
        work()
        if (round >= 2) times.push(performance.now() - begin)
      }
      return timing(times)
    }
    const vectorized = measure(() => backtestVectorized(bars, { targets: slow, costs }), runs)
    const everyBar = measure(() => backtestVectorized(bars, { targets: fast, costs }), 3)
    const events = measure(() => backtestEvents(bars, { strategy: ({ index }) => slow[index]!, costs }), 3)
    const rate = (t: { median: number; spread: number }) => ({
      value: Math.round(n / (t.median / 1000)),
      unit: 'bars/s',
      spread: t.spread,
    })
    const pandas = await context.python<{ seconds: number }>(PANDAS, {
      needs: ['pandas', 'numpy'],
      args: [String(n), String(runs)],
    })
    return {
      figures: {
        bars_per_s: rate(vectorized),
        seconds: { value: vectorized.median / 1000, unit: 's' },
        trading_every_bar_bars_per_s: rate(everyBar),
        event_driven_bars_per_s: rate(events),
      },
      peers: {
        pandas:
          pandas.absent === undefined
            ? {
                bars_per_s: {
                  value: Math.round(n / pandas.value.seconds),
                  unit: 'bars/s',
                  note: 'weights only: no units, fills or financing',
                },
              }
            : { absent: pandas.absent },
      },
    }
  },
})
