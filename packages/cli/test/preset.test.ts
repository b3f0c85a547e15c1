import '@tensorflow/tfjs'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { type Bars, simulate, sliceBars } from '@regimen/market'
import { prequential } from '@regimen/pipeline'
import { describe, expect, test } from 'vitest'
import {
  makeRun,
  openPreset,
  presetSettings,
  readConfig,
  reportOf,
  summaryLines,
  trainPreset,
  tunePreset,
} from '../src/index.ts'
import { regimeNames, rewind } from '../src/preset/model.ts'
import { folder } from './support.ts'

const { bars } = simulate('equity-daily', { bars: 700, seed: 5 })
const past: Bars = sliceBars(bars, 0, 500)
const settings = presetSettings({ members: ['calm', 'regimes', 'continual', 'meta'], states: [2], metaIterations: 3 })

describe('the preset', () => {
  test('trained twice on the same bars it is the same to the byte', async () => {
    const one = encodeSnapshot(await trainPreset(past, settings))
    expect(encodeSnapshot(await trainPreset(sliceBars(bars, 0, 500), settings))).toEqual(one)
  })

  test('continues from a snapshot through bytes to the same forecasts', async () => {
    const snapshot = await trainPreset(past, settings)
    const [one, two] = [await openPreset()(snapshot), await openPreset()(decodeSnapshot(encodeSnapshot(snapshot)))]
    const [a, b] = [await prequential(one, bars, { from: 500 }), await prequential(two, bars, { from: 500 })]
    expect(a).toEqual(b)
    expect(encodeSnapshot(await one.snapshot())).toEqual(encodeSnapshot(await two.snapshot()))
    await one.dispose()
    await two.dispose()
  })

  test('rewound, it takes the bars again from the first one and keeps what it learned', async () => {
    const snapshot = await trainPreset(past, settings)
    const model = await openPreset()(await rewind(snapshot))
    expect(model.count).toBe(0)
    const { logScore } = await prequential(model, past)
    expect(logScore.filter((value) => !Number.isNaN(value)).length).toBeGreaterThan(300)
    await model.dispose()
  })

  test('names its regimes by what their returns are like', async () => {
    const names = regimeNames(await trainPreset(past, settings))
    expect(names.length).toBe(2)
    for (const name of names) expect(name).toMatch(/^(bull|bear|sideways)-(low|high)( \d)?$/)
  })

  test('settings and too short a series', async () => {
    expect(() => presetSettings({ hidden: 0 })).toThrow('hidden must be a whole number from 1')
    expect(() => presetSettings({ members: [] })).toThrow('at least one forecaster')
    expect(() => presetSettings({ support: 2 })).toThrow('at least 4 samples')
    await expect(trainPreset(sliceBars(bars, 0, 100), settings)).rejects.toThrow('100 bars are too few to train on')
    await expect(openPreset()()).rejects.toThrow('Train one with trainPreset')
  })
})

test('tuning: the first trial is what was in force, the best one is chosen, and again it is the same', async () => {
  const one = await tunePreset(bars, settings, { trials: 4 })
  expect(one.trials[0]!.params).toEqual({ memory: 2000, prior: 60, share: 0.002 })
  const whole = one.trials.filter(({ pruned }) => !pruned)
  const best = whole.reduce((a, b) => (b.value > a.value ? b : a))
  expect(one.settings).toMatchObject(best.params)
  expect(await tunePreset(sliceBars(bars, 0, 700), settings, { trials: 4 })).toEqual(one)
})

test('a run as a library: result, table and report', async () => {
  const out = folder()
  const config = readConfig({ years: 2.5, train: 0.5, retrain: 0, trials: 0, metaEpochs: 3 }, 'the test')
  const run = await makeRun(config, { folder: out })
  const names = ['adaptive', 'static', 'rule-based', 'buy and hold', 'true regime']
  expect(run.result.arms.map(({ name }) => name)).toEqual(names)
  expect(JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(run.result)))
  const lines = summaryLines(run.result)
  for (const name of names) expect(lines.some((line) => line.startsWith(name))).toBe(true)
  expect(await reportOf(run, out)).toContain('True regime')
}, 60_000)
