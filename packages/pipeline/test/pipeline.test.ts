import { collectEvents, createSnapshot, decodeSnapshot, encodeSnapshot, type Snapshot } from '@regimen/core'
import {
  type Bar,
  type Bars,
  backtestVectorized,
  concatBars,
  createBars,
  paperExecutor,
  sliceBars,
} from '@regimen/market'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Challenger,
  type Deployment,
  type Improvement,
  openPipeline,
  type Pipeline,
  type PipelineOptions,
  prequential,
  runPipeline,
  type Step,
  type StrategyRouter,
  sharpeSizing,
} from '../src/index.ts'
import { market, smallModel, TRAIN } from './toys.ts'

const costs = { commission: 0.0005, spread: 0.0002 }
const { bars } = market(500)
const live = sliceBars(bars, TRAIN, 500)
const model = smallModel()

async function trained(): Promise<Snapshot> {
  const one = await model()
  await prequential(one, sliceBars(bars, 0, TRAIN), { from: TRAIN })
  return one.snapshot()
}

async function options(over: Partial<PipelineOptions> = {}): Promise<PipelineOptions> {
  return {
    model,
    champion: await trained(),
    strategies: [sharpeSizing({ barsPerYear: 261 })],
    executor: (events) => paperExecutor({ costs, events }),
    interval: bars.interval,
    history: sliceBars(bars, 0, TRAIN),
    ...over,
  }
}

/** Numbers of the steps, without the times that events carry. */
const plain = (steps: readonly Step[]): string =>
  JSON.stringify(steps, (_, value: unknown) => (ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value))

async function run(over: Partial<PipelineOptions> = {}, of: Bars = live): Promise<Step[]> {
  const pipeline = await openPipeline(await options(over))
  const steps = await runPipeline(pipeline, of)
  await pipeline.dispose()
  return steps
}

describe('trading', () => {
  test('the equity is that of the vectorized backtest on the same targets', async () => {
    const steps = await run()
    const { equity } = backtestVectorized(live, { targets: steps.map(({ target }) => target), costs })
    expect(new Set(steps.map(({ target }) => target)).size).toBeGreaterThan(5)
    for (const [i, step] of steps.entries()) expect(step.equity).toBeCloseTo(equity[i]!, 6)
  })

  test('an embargo trades nothing but learns and forecasts', async () => {
    const [with20, without] = [await run({ embargo: 20 }), await run()]
    expect(with20.slice(0, 20).every(({ target }) => target === 0)).toBe(true)
    expect(with20.map(({ forecast }) => forecast)).toEqual(without.map(({ forecast }) => forecast))
    expect(with20.slice(20).some(({ target }) => target !== 0)).toBe(true)
  })

  test('the router weighs the strategies and its switches are events', async () => {
    const events = collectEvents()
    let calls = 0
    const router = (): StrategyRouter => ({
      predict: () => {
        calls++
        const regime = calls % 100 < 50 ? 0 : 1
        const switched = calls % 50 === 0 ? { switched: { from: 1 - regime, to: regime, reason: 'test' } } : {}
        return { regime, weights: regime === 0 ? [1, 0] : [0.25, 0.25], ...switched }
      },
      update: () => {},
      snapshot: () => createSnapshot({ id: 'test/router', version: 1, config: {}, state: {} }),
    })
    const steps = await run({ router, strategies: [() => 1, () => -0.5], events })
    expect(steps.slice(0, 49).every(({ target, regime }) => target === 1 && regime === 0)).toBe(true)
    // A quarter of each: (1 − 0.5) / 4.
    expect(steps.slice(49, 99).every(({ target }) => target === 0.125)).toBe(true)
    const switches = events.events.filter(({ type }) => type === 'pipeline/switch')
    expect(switches.map(({ data }) => [data.row, data.to])).toEqual([
      [349, 1],
      [399, 0],
      [449, 1],
      [499, 0],
    ])
  })

  test('every position, submission and fill is an event at the time of a close', async () => {
    const events = collectEvents()
    const steps = await run({ events })
    const positions = events.events.filter(({ type }) => type === 'pipeline/position')
    const changes = steps.filter(({ target }, i) => target !== (i > 0 ? steps[i - 1]!.target : 0))
    expect(positions.map(({ data, time }) => [data.to, time])).toEqual(
      changes.map(({ target, time }) => [target, time + bars.interval]),
    )
    expect(events.events.filter(({ type }) => type === 'market/fill').length).toBeGreaterThan(3)
  })
})

describe('nothing looks ahead', () => {
  test('bars appended later change no earlier step', async () => {
    const whole = await run()
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: live.time.length - 1 }), async (rows) => {
        const part = await run({}, sliceBars(live, 0, rows))
        expect(plain(part)).toBe(plain(whole.slice(0, rows)))
      }),
      { numRuns: 5, seed: 1 },
    )
  })

  test('another future changes no earlier step', async () => {
    const whole = await run()
    const bent = createBars({
      ...Object.fromEntries(
        (['open', 'high', 'low', 'close'] as const).map((name) => [
          name,
          live[name].map((price, i) =>
            i < 120 ? price : price * (1 + 0.3 * Math.sin(i)) * (name === 'low' ? 0.5 : name === 'high' ? 2 : 1),
          ),
        ]),
      ),
      time: live.time,
      volume: live.volume,
      interval: live.interval,
    } as Bars)
    const other = await run({}, bent)
    expect(plain(other.slice(0, 120))).toBe(plain(whole.slice(0, 120)))
    expect(plain(other)).not.toBe(plain(whole))
  })
})

/** A deployment in memory that promotes by a rule; asked again for a row, it answers as before. */
function deployment(accept: (challenger: Challenger) => boolean): Deployment & { readonly log: string[] } {
  const versions: { readonly row: number; readonly snapshot: Snapshot; readonly promoted: boolean }[] = []
  const log: string[] = []
  return {
    log,
    async submit(challenger, { row }) {
      let version = versions.findIndex((one) => one.row === row) + 1
      if (version === 0) {
        version = versions.push({ row, snapshot: challenger.snapshot, promoted: accept(challenger) })
        log.push(`${row} ${versions[version - 1]!.promoted ? 'promoted' : 'refused'}`)
      }
      return { promoted: versions[version - 1]!.promoted, version, reason: 'By the rule.' }
    },
    async rollback(_, { row }) {
      log.push(`${row} back`)
      return versions.length > 1 ? { version: 1, snapshot: versions[0]!.snapshot } : undefined
    },
  }
}

function improvement(over: Partial<Improvement> = {}): Improvement {
  return {
    every: 60,
    async train({ history }) {
      const one = await model()
      const { logScore } = await prequential(one, history, { from: history.time.length - 50 })
      const score = logScore.subarray(0, 49).reduce((a, b) => a + b, 0) / 49
      return { snapshot: await one.snapshot(), reason: 'It is time.', metrics: { validation: { logScore: score } } }
    },
    deployment: deployment(() => true),
    ...over,
  }
}

describe('self-improvement', () => {
  test('a challenger is trained on schedule, on the past only, and takes over when it is promoted', async () => {
    const events = collectEvents()
    const seen: number[] = []
    const improve = improvement()
    const steps = await run({
      events,
      improvement: {
        ...improve,
        train: (context) => {
          seen.push(context.history.time.length)
          expect(context.row).toBe(context.history.time.length - 1)
          expect(context.history.time.at(-1)! + bars.interval).toBe(context.time)
          return improve.train(context)
        },
      },
    })
    expect(seen).toEqual([360, 420, 480])
    expect(steps.map(({ version }) => version).filter((v, i, all) => v !== all[i - 1])).toEqual([0, 1, 2, 3])
    expect(events.events.filter(({ type }) => type === 'pipeline/promote').length).toBe(3)
  })

  test('a refused challenger changes nothing but the log', async () => {
    const events = collectEvents()
    const steps = await run({ events, improvement: improvement({ deployment: deployment(() => false) }) })
    expect(plain(steps)).toBe(plain(await run()))
    expect(events.events.filter(({ type }) => type === 'pipeline/refuse').length).toBe(3)
  })

  test('a model that forecasts worse than none is taken back', async () => {
    const events = collectEvents()
    const shelf = deployment(() => true)
    let trainings = 0
    const improve = improvement({ deployment: shelf, guard: { window: 20, floor: -0.5 } })
    const steps = await run({
      events,
      model: async (from) => {
        // The mixture would leave the bad forecaster aside, so the model is wrapped.
        const inner = await model(from)
        const broken = from?.library === 'broken'
        return broken
          ? {
              ...inner,
              count: inner.count,
              forecast: async (at) => ({
                ...(await inner.forecast(at)),
                parts: [{ weight: 1, mean: 3 * at.scale, variance: at.scale ** 2 / 4 }],
              }),
            }
          : inner
      },
      improvement: {
        ...improve,
        async train(context) {
          const challenger = await improve.train(context)
          trainings++
          return trainings === 2
            ? { ...challenger!, snapshot: { ...challenger!.snapshot, library: 'broken' } }
            : challenger
        },
      },
    })
    expect(shelf.log).toEqual(['359 promoted', '419 promoted', '440 back', '479 promoted'])
    expect(steps.at(-1)!.version).toBe(3)
    expect(steps[441 - TRAIN]!.version).toBe(1)
    expect(events.events.filter(({ type }) => type === 'pipeline/rollback').map(({ data }) => data.to)).toEqual([1])
  })
})

describe('resumption', () => {
  test('from a checkpoint at any bar the rest of the run is the same, to the byte', async () => {
    const improve = improvement()
    const full = async (): Promise<PipelineOptions> => options({ improvement: improve })
    const checkpoints: Uint8Array[] = []
    const whole = await openPipeline(await full())
    const steps = await runPipeline(whole, live, {
      checkpointEvery: 1,
      onCheckpoint: (snapshot) => void checkpoints.push(encodeSnapshot(snapshot)),
    })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: live.time.length - 1 }), async (rows) => {
        const history = concatBars([sliceBars(bars, 0, TRAIN), sliceBars(live, 0, rows)])
        const resumed = await openPipeline({ ...(await full()), history }, decodeSnapshot(checkpoints[rows - 1]!))
        expect(resumed.rows).toBe(TRAIN + rows)
        const rest = await runPipeline(resumed, sliceBars(live, rows, live.time.length))
        expect(plain(rest)).toBe(plain(steps.slice(rows)))
        expect(encodeSnapshot(await resumed.snapshot())).toEqual(checkpoints.at(-1))
      }),
      { numRuns: 6, seed: 2 },
    )
  })

  test('an abort leaves a checkpoint that continues', async () => {
    const abort = new AbortController()
    let kept: Snapshot | undefined
    const pipeline = await openPipeline(await options())
    const running = runPipeline(pipeline, live, {
      signal: abort.signal,
      onStep: ({ row }) => {
        if (row === 350) abort.abort()
      },
      onCheckpoint: (snapshot) => {
        kept = snapshot
      },
    })
    await expect(running).rejects.toThrow('abort')
    const history = sliceBars(bars, 0, 351)
    const resumed = await openPipeline(await options({ history }), kept)
    const rest = await runPipeline(resumed, sliceBars(bars, 351, 500))
    expect(plain(rest)).toBe(plain((await run()).slice(51)))
  })

  test('replayed orders are not told again', async () => {
    const events = collectEvents()
    const pipeline = await openPipeline(await options())
    await runPipeline(pipeline, sliceBars(live, 0, 100))
    await openPipeline(await options({ events, history: sliceBars(bars, 0, TRAIN + 100) }), await pipeline.snapshot())
    expect(events.events).toEqual([])
  })
})

describe('live bars', () => {
  test('an async iterator gives the same steps', async () => {
    async function* feed(): AsyncGenerator<Bar> {
      for (let i = 0; i < 40; i++) {
        const at = sliceBars(live, i, i + 1)
        yield {
          time: at.time[0]!,
          open: at.open[0]!,
          high: at.high[0]!,
          low: at.low[0]!,
          close: at.close[0]!,
          volume: at.volume![0]!,
        }
      }
    }
    const pipeline = await openPipeline(await options())
    expect(plain(await runPipeline(pipeline, feed()))).toBe(plain((await run()).slice(0, 40)))
  })
})

describe('bad input', () => {
  let pipeline: Pipeline
  const good = { time: live.time[0]!, open: 10, high: 11, low: 9, close: 10, volume: 1 }

  test.each([
    ['an old bar', { ...good, time: bars.time[5]! }, 'not clean or not newer'],
    ['NaN', { ...good, close: Number.NaN }, 'not clean or not newer'],
    ['a high below the close', { ...good, high: 9.5 }, 'not clean or not newer'],
    ['no volume', { ...good, volume: Number.NaN }, 'has the volume NaN'],
  ])('%s is refused and leaves the pipeline as it was', async (_, bar, message) => {
    pipeline ??= await openPipeline(await options())
    await expect(pipeline.step(bar)).rejects.toThrow(message)
    expect(pipeline.rows).toBe(TRAIN)
  })

  test.each([
    [{ strategies: [] }, 'strategies must hold at least one'],
    [{ interval: 1 }, 'history must hold at least one bar of 1 ms'],
    [{ horizon: 0 }, 'horizon must be a whole number from 1'],
    [{ embargo: -1 }, 'embargo must be a whole number from 0'],
    [{ improvement: improvement({ every: 0 }) }, 'improvement.every must be a whole number from 1'],
    [{ improvement: improvement({ guard: { floor: Number.NaN } }) }, 'improvement.guard.floor'],
  ] as [Partial<PipelineOptions>, string][])('options %#', async (over, message) => {
    await expect(openPipeline(await options(over))).rejects.toThrow(message)
  })

  test('a history shorter than the snapshot', async () => {
    const one = await openPipeline(await options())
    await runPipeline(one, sliceBars(live, 0, 3))
    await expect(openPipeline(await options(), await one.snapshot())).rejects.toThrow(
      'Pass all bars up to the snapshot',
    )
  })

  test('a strategy that wants NaN', async () => {
    await expect(run({ strategies: [() => Number.NaN] })).rejects.toThrow('a strategy wants NaN at row 300')
  })
})
