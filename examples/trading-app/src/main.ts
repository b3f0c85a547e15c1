// The adaptive loop, composed from parts and fed bar by bar.
import assert from 'node:assert/strict'
import { collectEvents } from '@regimen/core'
import { type Bar, type Bars, featureSet, fitScaler, paperExecutor, sharpe, simulate, sliceBars } from '@regimen/market'
import {
  filteredRegimes,
  mixForecasters,
  openPipeline,
  prequential,
  regimeForecaster,
  returnAndRange,
  runPipeline,
  scaledFeatures,
  sharpeSizing,
  stackModel,
  volatilityForecaster,
} from '@regimen/pipeline'
import { fitHmm, onlineHmm, regimeRouter } from '@regimen/regimes'

const YEAR = 261
const { bars, parameters } = simulate('equity-daily', { bars: 8 * YEAR, seed: 12 })
const past = sliceBars(bars, 0, 4 * YEAR)

// Fitted once, on the past only.
const set = featureSet({ timeframes: ['1d'], volume: false, features: ['ret_1', 'rsi_14'] })
const scaler = fitScaler(set.batch(past), { train: { start: 0, end: past.time.length } })
const rows = Array.from(past.time, (_, i) => returnAndRange(barAt(past, i), past.close[Math.max(0, i - 1)]!))
const hmm = fitHmm(rows, { states: 6, sticky: 10, restarts: 3, maxIterations: 60, seed: 1 })

// The composition: everything that learns is one model, opened new or from a snapshot.
const model = stackModel({
  features: scaledFeatures(set, scaler),
  regimes: filteredRegimes((saved) => onlineHmm.open(saved ?? { model: hmm })),
  forecaster: mixForecasters({
    members: {
      calm: volatilityForecaster(),
      relative: regimeForecaster({ regimes: 6, inputs: [0] }),
      absolute: regimeForecaster({ regimes: 6, inputs: [0], relative: false }),
    },
  }),
})
const trained = await model()
await prequential(trained, past)
const audit = collectEvents()
const pipeline = await openPipeline({
  model,
  champion: await trained.snapshot(),
  strategies: [sharpeSizing({ barsPerYear: YEAR })],
  router: (saved) => regimeRouter.open(saved ?? { weights: Array.from({ length: 6 }, () => [1]), minimum: 1 }),
  executor: (events) => paperExecutor({ costs: parameters.costs, events }),
  interval: bars.interval,
  history: past,
  events: audit,
})
const steps = await runPipeline(pipeline, live())
await pipeline.dispose()

const equity = steps.map((step) => step.equity)
const own = equity.map((value, i) => value / (i > 0 ? equity[i - 1]! : 100_000) - 1)
const held = Array.from(bars.close.subarray(4 * YEAR), (price, i) => price / bars.close[4 * YEAR + i - 1]! - 1)
const scores = steps.flatMap(({ scored }) => scored.map(({ logScore }) => logScore))
const mean = scores.reduce((a, b) => a + b, 0) / scores.length
const annual = { periodsPerYear: YEAR }
const kinds = new Map<string, number>()
for (const { type } of audit.events) kinds.set(type, (kinds.get(type) ?? 0) + 1)
console.log(`${steps.length} bars traded after costs`)
console.log(`Sharpe           ${sharpe(own, annual).toFixed(2)}, holding ${sharpe(held, annual).toFixed(2)}`)
console.log(`equity           ${equity.at(-1)!.toFixed(0)}`)
console.log(`log score        ${mean.toFixed(4)} nats a bar`)
console.log(`audit log        ${[...kinds].map(([type, count]) => `${count} ${type}`).join(', ')}`)

assert.equal(steps.length, 4 * YEAR)
assert.ok(equity.every((value) => value > 0))
assert.ok(mean > 3, 'forecasts should beat a constant deviation of 2 % by far')
assert.ok(kinds.get('market/fill')! > 10)

function barAt(of: Bars, i: number): Bar {
  return {
    time: of.time[i]!,
    open: of.open[i]!,
    high: of.high[i]!,
    low: of.low[i]!,
    close: of.close[i]!,
    volume: of.volume![i]!,
  }
}

async function* live(): AsyncGenerator<Bar> {
  for (let i = past.time.length; i < bars.time.length; i++) yield barAt(bars, i)
}
