import '@tensorflow/tfjs'
import {
  backtestVectorized,
  forecastTargets,
  logScoreGaussian,
  type PresetName,
  paperExecutor,
  sharpe,
  simulate,
  sliceBars,
  trueFilter,
} from '@regimen/market'
import { openPipeline, runPipeline, sharpeSizing } from '@regimen/pipeline'
import { openPreset } from '../src/preset/model.ts'
import { presetSettings } from '../src/preset/settings.ts'
import { barsPerYear } from '../src/preset/timeframe.ts'
import { trainPreset } from '../src/preset/train.ts'

const name = (process.argv[2] ?? 'equity-daily') as PresetName
const years = 10,
  train = 4
for (const seed of (process.argv[3] ?? '1').split(',').map(Number)) {
  const m = simulate(name, { bars: Math.round(years * 261), seed })
  const { bars, parameters } = m
  const n = Math.round(train * 261)
  const bpy = barsPerYear(bars)
  const t = trueFilter(bars, { parameters })
  const truth = backtestVectorized(sliceBars(bars, n, bars.time.length), {
    targets: forecastTargets(t, { barsPerYear: bpy }).slice(n),
    costs: parameters.costs,
  })
  let tl = 0,
    k = 0
  for (let i = n; i < bars.time.length - 1; i++) {
    tl += logScoreGaussian(Math.log(bars.close[i + 1]! / bars.close[i]!), t.mean[i]!, Math.sqrt(t.variance[i]!))
    k++
  }
  console.log(name, seed, 'true', sharpe(truth.returns, { periodsPerYear: bpy }).toFixed(2), (tl / k).toFixed(4))
  for (const members of [
    ['calm'],
    ['regimes'],
    ['static'],
    ['continual'],
    ['meta'],
    ['calm', 'regimes', 'continual', 'meta'],
  ] as const) {
    const settings = presetSettings({ members: [...members], metaIterations: 200 })
    const t0 = performance.now()
    const champion = await trainPreset(sliceBars(bars, 0, n), settings)
    const t1 = performance.now()
    const pipeline = await openPipeline({
      model: openPreset() as never,
      champion,
      strategies: [sharpeSizing({ barsPerYear: bpy })],
      executor: (events) => paperExecutor({ costs: parameters.costs, events }),
      interval: bars.interval,
      history: sliceBars(bars, 0, n),
    })
    const steps = await runPipeline(pipeline, sliceBars(bars, n, bars.time.length))
    const eq = steps.map((s) => s.equity)
    const ret = Float64Array.from(eq, (e, i) => (i ? e / eq[i - 1]! - 1 : e / 100000 - 1))
    const ls = steps.flatMap((s) => s.scored.map((x) => x.logScore))
    console.log(
      members.join('+').padEnd(30),
      'sharpe',
      sharpe(ret, { periodsPerYear: bpy }).toFixed(2),
      'log',
      (ls.reduce((a, b) => a + b, 0) / ls.length).toFixed(4),
      'train s',
      ((t1 - t0) / 1000).toFixed(1),
      'ms/bar',
      ((performance.now() - t1) / steps.length).toFixed(2),
    )
    await pipeline.dispose()
  }
}
