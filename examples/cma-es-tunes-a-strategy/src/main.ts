// A strategy of six weights, tuned by CMA-ES on the past of several markets and judged on what the search never saw.
import assert from 'node:assert/strict'
import { cmaEs, maximize } from '@regimen/evolve'
import {
  backtestVectorized,
  featureSet,
  fitScaler,
  type SimulatedMarket,
  scaleFeatures,
  sharpe,
  simulate,
  sliceBars,
} from '@regimen/market'

const FEATURES = ['ret_5', 'ret_20', 'smaDistance_50', 'volRatio_10_60', 'rsi_14', 'efficiency_20']
const set = featureSet({ timeframes: ['1d'], volume: false, features: FEATURES })
const [BARS, PAST] = [2000, 1200]
const width = FEATURES.length

/** A market with its indicators, scaled by what its past knew. */
function prepare(seed: number) {
  const market: SimulatedMarket = simulate('equity-daily', { bars: BARS, seed })
  const table = set.batch(market.bars)
  const inputs = scaleFeatures(fitScaler(table, { train: { start: 0, end: PAST } }), table)
  return { ...market, inputs }
}
type Prepared = ReturnType<typeof prepare>

/** Annual Sharpe ratio after costs of bars from `from` to `to`. */
function score({ bars, inputs, parameters }: Prepared, weights: ArrayLike<number>, from: number, to: number): number {
  const targets = new Float64Array(to - from)
  let held = 0
  for (let i = from; i < to; i++) {
    let sum = weights[width]!
    for (let j = 0; j < width; j++) sum += weights[j]! * inputs[i * width + j]!
    const wanted = Math.tanh(sum)
    // Small changes are not worth their costs.
    if (Math.abs(wanted - held) > 0.2) held = wanted
    targets[i - from] = held
  }
  const { returns } = backtestVectorized(sliceBars(bars, from, to), { targets, costs: parameters.costs })
  return returns.every((r) => r === 0) ? 0 : sharpe(returns, { periodsPerYear: parameters.barsPerYear })
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
const squares = (values: ArrayLike<number>): number => Array.from(values, (w) => w * w).reduce((a, b) => a + b, 0)

/** Weights that are best on the past of all markets given; large ones are drawn in a little. */
async function tune(markets: readonly Prepared[], evaluations: number): Promise<Float64Array> {
  const space = { dimension: width + 1, lower: -3, upper: 3 }
  const worth = (weights: ArrayLike<number>): number =>
    mean(markets.map((market) => score(market, weights, 100, PAST))) - 0.02 * squares(weights)
  const result = await maximize(worth, space, { optimizer: cmaEs, options: { sigma: 0.5 }, evaluations, seed: 1 })
  return result.point
}

const seen = [1, 2, 3, 4, 5, 6].map(prepare)
const unseen = Array.from({ length: 24 }, (_, i) => prepare(101 + i))
const many = await tune(seen, 1000)
const single = await tune(seen.slice(0, 1), 1000)

const row = (name: string, weights: ArrayLike<number>, tuned: readonly Prepared[]): number[] => {
  const past = mean(tuned.map((market) => score(market, weights, 100, PAST)))
  const later = mean(seen.map((market) => score(market, weights, PAST, BARS)))
  const others = mean(unseen.map((market) => score(market, weights, 100, BARS)))
  console.log([name.padEnd(16), ...[past, later, others].map((value) => value.toFixed(2).padStart(12))].join(''))
  return [past, later, others]
}
console.log('Sharpe after costs        tuned on    afterwards       unseen')
const [many0, , manyUnseen] = row('six markets', many, seen)
const [single0, , singleUnseen] = row('one market', single, seen.slice(0, 1))
const [, , hold] = row('always long', [...new Array<number>(width).fill(0), 3], seen)
console.log(
  `weights: ${FEATURES.map((name, i) => `${name} ${many[i]!.toFixed(2)}`).join(', ')}, constant ${many[width]!.toFixed(2)}`,
)

assert.ok(single0! > many0!, 'one market is easier to fit than six')
assert.ok(many0! - manyUnseen! < single0! - singleUnseen!, 'what was found on six markets loses less on new ones')
assert.ok(Number.isFinite(hold))
