import {
  check,
  createEvent,
  createSnapshot,
  describe,
  type Infer,
  restore,
  type Snapshot,
  schema,
  type Tree,
} from '@regimen/core'
import { type Bar, type Bars, openDelayedLabels } from '@regimen/market'
import type { LiveScore, Pipeline, PipelineExecutor, PipelineOptions, Scored } from './contracts.ts'
import { createForecast, type Forecast, logDensity, probabilityBelow } from './forecast.ts'
import { openHistory } from './history.ts'
import { loadObservation, type Observation, observationSchema, saveObservation } from './observation.ts'
import { barAt, prequential } from './prequential.ts'

const ID = 'pipeline/run'

const MOMENTS = { mean: schema.number(), variance: schema.number() }
const FORECAST = schema.object({
  ...MOMENTS,
  parts: schema.list(schema.object({ ...MOMENTS, weight: schema.number() })),
})

const STATE = schema.object({
  rows: schema.integer({ min: 1 }),
  held: schema.number(),
  version: schema.integer({ min: 0 }),
  era: schema.integer({ min: 0 }),
  /** Row from which the guard counts. */
  since: schema.integer({ min: 0 }),
  scores: schema.list(schema.tuple(schema.integer({ min: 0 }), schema.number(), schema.number())),
  orders: schema.list(schema.tuple(schema.integer({ min: 0 }), schema.number())),
  count: schema.integer({ min: 0 }),
  pending: schema.list(
    schema.object({
      row: schema.integer({ min: 0 }),
      entry: schema.number(),
      scale: schema.number(),
      elapsed: schema.integer({ min: 0 }),
      last: schema.number(),
      squares: schema.number(),
      x: schema.object({
        observation: observationSchema,
        forecast: schema.nullable(FORECAST),
        era: schema.integer({ min: 0 }),
      }),
    }),
  ),
})

type SavedPending = Infer<typeof STATE>['pending'][number]

interface Held {
  readonly observation: Observation
  /** Which model observed it: another one cannot learn from its features. */
  readonly era: number
  forecast: Forecast | undefined
}

/**
 * Opens the adaptive loop: bar → features → regimes → forecast → router → position → execution, with learning from returns as
 * they become known and, on a schedule, retraining, promotion and rollback. Every stage is given as a function or an object with
 * a small face, so families are installed only where they are used.
 *
 * Nothing looks ahead: what is decided at the close of a bar trades at the next one's open, and a label is learned at the close
 * that makes it known. From a snapshot, and the same bars as `history` (those after the training part included), a pipeline
 * continues to the same next step; an executor on paper is brought up to date by replaying its orders.
 *
 * ```ts
 * import { createSnapshot } from '@regimen/core'
 * import { paperExecutor, simulate, sliceBars } from '@regimen/market'
 * import { openPipeline, runPipeline, sharpeSizing, stackModel, volatilityForecaster } from '@regimen/pipeline'
 *
 * const { bars } = simulate('equity-daily', { bars: 400, seed: 1 })
 * const nothing = () => createSnapshot({ id: 'mine/none', version: 1, config: {}, state: {} })
 * const one = Float64Array.of(1)
 * const model = stackModel({
 *   features: () => ({ push: () => new Float32Array(0), snapshot: nothing }),
 *   regimes: () => ({ push: () => {}, filtered: one, predictNext: () => one, logScore: Number.NaN, snapshot: nothing }),
 *   forecaster: volatilityForecaster(),
 * })
 * const pipeline = await openPipeline({
 *   model,
 *   champion: await (await model()).snapshot(),
 *   strategies: [sharpeSizing({ barsPerYear: 261 })],
 *   executor: (events) => paperExecutor({ events }),
 *   interval: bars.interval,
 *   history: sliceBars(bars, 0, 200),
 * })
 * const steps = await runPipeline(pipeline, sliceBars(bars, 200, 400))
 * steps.length // => 200
 * await pipeline.dispose()
 * ```
 */
export async function openPipeline(options: PipelineOptions, from?: Snapshot): Promise<Pipeline> {
  const { strategies, symbol = 'asset', interval, horizon = 1, embargo = 0, improvement, events } = options
  checkOptions(options)
  const saved = from && restore(from, { id: ID, version: 1, state: STATE, children: 'any' })
  const state = saved?.state
  const history = openHistory(options.history)
  const trained = history.length
  const rows = state?.rows ?? trained
  check(
    trained >= rows,
    ID,
    () => `the history has ${trained} bars where the snapshot was taken after ${rows}.`,
    'Pass all bars up to the snapshot.',
  )
  history.truncate(rows)
  // The training part is what the first run began with; a continued run keeps its length.
  const began = saved ? Number((saved.config as { began: number }).began) : rows
  let muted = true
  const emit = (type: string, time: number, reason: string, data: { readonly [name: string]: Tree }): void => {
    if (!muted) events?.emit(createEvent({ type: `pipeline/${type}`, time, reason, data }))
  }
  const executor = options.executor({ emit: (event) => void (muted || events?.emit(event)) })
  const router = await options.router?.(saved?.children.router)
  let model = await options.model(saved?.children.model ?? options.champion)
  let { held, version, era, since } = state ?? { held: 0, version: options.version ?? 0, era: 0, since: 0 }
  const scores: LiveScore[] = (state?.scores ?? []).map(([row, logScore, baseline]) => ({ row, logScore, baseline }))
  const orders: [row: number, units: number][] = (state?.orders ?? []).map(([row, units]) => [row, units])
  const queue = openDelayedLabels<Held>(
    { rule: { kind: 'return', horizon } },
    state && { count: state.count, pending: state.pending.map(loadPending) },
  )
  await prequential(model, history.bars(), { horizon, from: rows })
  await replayOrders(executor, history.bars(), began, orders, symbol)
  muted = false

  const swap = async (snapshot: Snapshot): Promise<void> => {
    await model.dispose()
    model = await options.model(snapshot)
    era++
    since = history.length
    await prequential(model, history.bars(), { horizon, from: history.length })
  }

  const order = async (target: number, bar: Bar, row: number): Promise<void> => {
    const { equity } = await executor.account()
    const present = (await executor.positions()).find((position) => position.symbol === symbol)?.units ?? 0
    const units = (target * equity) / bar.close - present
    if (units === 0) return
    orders.push([row, units])
    await executor.submit({ symbol, units, note: `For a position of ${short(target)}.` })
  }

  const guard = async (row: number, time: number): Promise<void> => {
    const { window = 60, floor } = improvement?.guard ?? { floor: Number.NEGATIVE_INFINITY }
    const judged = scores.slice(-window)
    if (!improvement || judged.length < window || judged[0]!.row < since) return
    const mean = judged.reduce((sum, { logScore, baseline }) => sum + logScore - baseline, 0) / window
    if (mean >= floor) return
    since = history.length
    const reason = `The mean advantage of the last ${window} live forecasts, ${mean.toPrecision(4)}, fell below ${floor}.`
    const back = await improvement.deployment.rollback(reason, { row, time })
    if (!back) {
      emit('stranded', time, `${reason} There is no earlier version.`, { row, version })
      return
    }
    emit('rollback', time, reason, { row, from: version, to: back.version })
    version = back.version
    await swap(back.snapshot)
  }

  const improve = async (row: number, time: number): Promise<void> => {
    if (!improvement) return
    const { every, first = every } = improvement
    const live = row + 1 - began
    if (live < first || (live - first) % every !== 0) return
    const challenger = await improvement.train({ history: history.bars(), row, time, scores: [...scores] })
    if (!challenger) return
    const verdict = await improvement.deployment.submit(challenger, { row, time })
    const data = { row, version: verdict.version, incumbent: version }
    if (!verdict.promoted) {
      emit('refuse', time, `The challenger stays in the store. ${verdict.reason}`, data)
      return
    }
    emit('promote', time, `The challenger takes over. ${verdict.reason}`, data)
    version = verdict.version
    await swap(challenger.snapshot)
  }

  return {
    get rows() {
      return history.length
    },
    async step(bar) {
      const row = history.push(bar)
      const time = bar.time + interval
      executor.advance?.({ time: bar.time, interval, prices: { [symbol]: bar } })
      const observation = model.observe(bar)
      const waiting: Held | undefined = observation && { observation, era, forecast: undefined }
      const scored: Scored[] = []
      for (const { x, y } of queue.update(bar, waiting)) {
        if (x.forecast) {
          const logScore = logDensity(x.forecast, y)
          scored.push({ row: x.observation.row, y, logScore, below: probabilityBelow(x.forecast, y) })
          const variance = x.observation.scale ** 2 * horizon
          const baseline = logDensity(createForecast([{ weight: 1, mean: 0, variance }]), y)
          scores.push({ row: x.observation.row, logScore, baseline })
        }
        if (x.era === era) await model.learn(x.observation, y)
      }
      if (scores.length > 1000) scores.splice(0, scores.length - 1000)
      let forecast: Forecast | undefined
      let regime = -1
      let target = held
      if (waiting) {
        forecast = await model.forecast(waiting.observation)
        waiting.forecast = forecast
        const { regimes: probabilities, logScore } = waiting.observation
        const input = Number.isFinite(logScore) ? { probabilities, logScore } : { probabilities }
        const route = router?.predict(input)
        router?.update(input)
        regime = route?.regime ?? likeliest(probabilities)
        if (route?.switched) {
          const { from: before, to, reason } = route.switched
          emit('switch', time, `Another regime is in force, by ${reason}.`, { row, from: before, to })
        }
        const weights = route?.weights ?? [1]
        target = 0
        for (const [s, strategy] of strategies.entries()) {
          const weight = weights[s] ?? 0
          if (weight !== 0) target += weight * strategy({ forecast, observation: waiting.observation, held })
        }
        check(
          Number.isFinite(target),
          ID,
          () => `a strategy wants ${target} at row ${row}.`,
          'Return a finite fraction.',
        )
        if (row - began < embargo) target = 0
        if (target !== held) {
          emit('position', time, `The wanted position goes from ${short(held)} to ${short(target)}.`, {
            row,
            from: held,
            to: target,
            mean: forecast.mean,
            variance: forecast.variance,
            regime,
          })
          held = target
          await order(target, bar, row)
        }
      }
      await guard(row, time)
      await improve(row, time)
      const { equity } = await executor.account()
      const regimes = observation?.regimes ?? new Float64Array(0)
      return { row, time: bar.time, equity, target, ...(forecast && { forecast }), regimes, regime, scored, version }
    },
    async snapshot() {
      const { count, pending } = queue.state()
      return createSnapshot<Tree, Tree>({
        id: ID,
        version: 1,
        config: { began },
        state: {
          rows: history.length,
          held,
          version,
          era,
          since,
          scores: scores.map(({ row, logScore, baseline }) => [row, logScore, baseline]),
          orders: orders.map(([row, units]) => [row, units]),
          count,
          pending: pending.map(savePending),
        },
        children: { model: await model.snapshot(), ...(router ? { router: router.snapshot() } : {}) },
      })
    },
    dispose: () => model.dispose(),
  }
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)))
}

function likeliest(probabilities: Float64Array): number {
  let best = -1
  for (let j = 0; j < probabilities.length; j++) if (best < 0 || probabilities[j]! > probabilities[best]!) best = j
  return best
}

/** Shows an executor on paper the bars and orders of the run so far. */
async function replayOrders(
  executor: PipelineExecutor,
  bars: Bars,
  began: number,
  orders: readonly (readonly [row: number, units: number])[],
  symbol: string,
): Promise<void> {
  if (!executor.advance) return
  let next = 0
  for (let row = began; row < bars.time.length; row++) {
    const bar = barAt(bars, row)
    executor.advance({ time: bar.time, interval: bars.interval, prices: { [symbol]: bar } })
    for (; orders[next]?.[0] === row; next++) await executor.submit({ symbol, units: orders[next]![1] })
  }
}

type Pending = ReturnType<ReturnType<typeof openDelayedLabels<Held>>['state']>['pending'][number]

function savePending({ x, ...open }: Pending): SavedPending {
  const { observation, forecast, era } = x
  const parts = forecast?.parts.map((part) => ({ ...part })) ?? []
  const saved = forecast ? { mean: forecast.mean, variance: forecast.variance, parts } : null
  return { ...open, x: { observation: saveObservation(observation), forecast: saved, era } }
}

function loadPending({ x, ...open }: SavedPending): Omit<SavedPending, 'x'> & { x: Held } {
  const { observation, forecast, era } = x
  return { ...open, x: { observation: loadObservation(observation), forecast: forecast ?? undefined, era } }
}

function checkOptions({ strategies, interval, horizon = 1, embargo = 0, improvement, history }: PipelineOptions): void {
  const whole = (name: string, value: number, least: number): void =>
    check(
      Number.isInteger(value) && value >= least,
      ID,
      () => `${name} must be a whole number from ${least}, got ${describe(value)}.`,
    )
  check(strategies.length > 0, ID, () => 'strategies must hold at least one.')
  check(
    history.time.length > 0 && history.interval === interval,
    ID,
    () => `history must hold at least one bar of ${interval} ms, got ${history.time.length} of ${history.interval} ms.`,
  )
  whole('horizon', horizon, 1)
  whole('embargo', embargo, 0)
  if (!improvement) return
  whole('improvement.every', improvement.every, 1)
  whole('improvement.first', improvement.first ?? improvement.every, 1)
  const { guard } = improvement
  if (!guard) return
  whole('improvement.guard.window', guard.window ?? 60, 1)
  check(
    Number.isFinite(guard.floor),
    ID,
    () => `improvement.guard.floor must be nats a bar, got ${describe(guard.floor)}.`,
  )
}
