// A forecaster of one's own, mixed with a built-in one, scored, stopped and continued.
import assert from 'node:assert/strict'
import { createSnapshot, hashSnapshot, type Snapshot } from '@regimen/core'
import { type Bars, simulate } from '@regimen/market'
import {
  type FeatureStage,
  type Forecaster,
  mixForecasters,
  type Open,
  prequential,
  type RegimeStage,
  stackModel,
  volatilityForecaster,
} from '@regimen/pipeline'
import { garchForecaster } from './garch-forecaster.ts'

const { bars } = simulate('equity-daily', { bars: 2610, seed: 4 })

// Neither features nor regimes are needed here: the stages are as small as can be.
const nothing = (): Snapshot => createSnapshot({ id: 'example/nothing', version: 1, config: {}, state: {} })
const one = Float64Array.of(1)
const features = (): FeatureStage => ({ push: () => new Float32Array(0), snapshot: nothing })
const regimes = (): RegimeStage => ({
  push: () => {},
  filtered: one,
  predictNext: () => one,
  logScore: Number.NaN,
  snapshot: nothing,
})
const modelOf = (forecaster: Open<Forecaster>) => stackModel({ features, regimes, forecaster })

async function score(forecaster: Open<Forecaster>, over: Bars): Promise<number> {
  const { logScore } = await prequential(await modelOf(forecaster)(), over, { from: 500 })
  const known = logScore.filter((value) => !Number.isNaN(value))
  return known.reduce((a, b) => a + b, 0) / known.length
}

const mix = mixForecasters({ members: { calm: volatilityForecaster(), garch: garchForecaster() } })
const scores = {
  calm: await score(volatilityForecaster(), bars),
  garch: await score(garchForecaster(), bars),
  mixture: await score(mix, bars),
}
for (const [name, value] of Object.entries(scores)) console.log(`${name.padEnd(8)} ${value.toFixed(4)} nats a bar`)
assert.ok(scores.garch > scores.calm, 'volatility comes in clusters, and this forecaster follows them')
assert.ok(scores.mixture > scores.calm)

// Stopped at any bar, its snapshot continues as if nothing had happened.
async function feed(to: Forecaster, from: number, end: number): Promise<void> {
  for (let row = from; row < end; row++) {
    const y = Math.log(bars.close[row]! / bars.close[row - 1]!)
    const known = {
      time: bars.time[row]!,
      features: new Float32Array(0),
      regimes: one,
      ahead: one,
      logScore: Number.NaN,
    }
    await to.learn({ ...known, row, scale: 0.01 }, y)
  }
}
const whole = await garchForecaster()()
await feed(whole, 1, 2000)
const first = await garchForecaster()()
await feed(first, 1, 1000)
const second = await garchForecaster()(await first.snapshot())
await feed(second, 1000, 2000)
assert.equal(hashSnapshot(await second.snapshot()), hashSnapshot(await whole.snapshot()))
console.log('stopped after 1000 bars and continued: the same state to the last bit')
