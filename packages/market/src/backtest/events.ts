import { check, describe, type EventSink } from '@regimen/core'
import type { Bars } from '../bars.ts'
import type { OrderRequest, Protection } from '../execution/executor.ts'
import { type BarPrices, checkProtection, PaperBroker } from '../execution/paper-broker.ts'
import { alignedAssets, type BacktestResult, type Tradable } from './result.ts'
import { type PositionRules, resolveRules } from './vectorized.ts'

/** What a strategy may know at the close of a bar: the past and its own account. */
export interface DecisionContext {
  /** Row of the bar that has just closed. */
  readonly index: number
  /** UTC epoch milliseconds of that close. */
  readonly time: number
  readonly equity: number
  readonly cash: number
  /** Units held of an asset. */
  units(asset?: number): number
  /** Bars up to and including the one that has just closed, as views; nothing later can be reached. */
  history(asset?: number): Bars
  /** A close price, `back` bars ago (0 is the one that has just closed). NaN before the first bar. */
  close(back?: number, asset?: number): number
  /** Sends an order beside or instead of a target; it can fill from the next bar on. */
  submit(request: Omit<OrderRequest, 'symbol'> & { readonly asset?: number }): void
}

/**
 * Decides at the close of a bar. Returns the wanted position as a fraction of equity (one number, or one for each asset;
 * NaN leaves an asset alone), or nothing to leave everything as it is.
 */
export type Strategy = (context: DecisionContext) => number | ArrayLike<number> | undefined

/** Options of {@link backtestEvents}. */
export interface EventBacktestOptions extends PositionRules {
  strategy: Strategy
  /** Guards every position that a target opens. @default none */
  protection?: Protection
  /** Receives `market/submit`, `market/fill`, `market/cancel` and `market/reject` as they happen. */
  events?: EventSink
}

/**
 * Runs a strategy bar by bar through the paper broker: at each close the strategy sees the past and its account, and what
 * it decides fills at the next bar's open. Adds to {@link backtestVectorized} protective exits (stop-loss, take-profit,
 * trailing; gap-aware), limit and stop orders, decisions that depend on the account, and audit events.
 *
 * Use it where any of these matters; without them the two engines agree to 1e-9 and the vectorized one is many times
 * faster.
 *
 * Gotchas: after a protective exit the asset stays flat until the target changes (with `rebalance: 'every-bar'` it is
 * entered again at the next open); where one bar touches both exits the loss is taken.
 *
 * ```ts
 * import { backtestEvents } from '@regimen/market'
 *
 * const column = (...values: number[]) => Float64Array.from(values)
 * const bars = {
 *   time: column(0, 86_400_000, 172_800_000),
 *   open: column(100, 100, 90),
 *   high: column(101, 101, 91),
 *   low: column(99, 99, 80),
 *   close: column(100, 100, 85),
 *   interval: 86_400_000,
 * }
 * const result = backtestEvents(bars, { strategy: () => 1, protection: { stopLoss: 0.05 }, initialCash: 1000 })
 * result.fills[1]?.price // => 90
 * result.equity[2] // => 900
 * ```
 */
export function backtestEvents(bars: Tradable, options: EventBacktestOptions): BacktestResult {
  const where = 'market/backtest'
  const assets = alignedAssets(bars, where)
  const rules = resolveRules(options, where)
  const { strategy, protection, events } = options
  check(typeof strategy === 'function', where, () => `strategy must be a function, got ${describe(strategy)}.`)
  checkProtection(protection, where)
  const symbols = 'symbols' in bars ? bars.symbols : assets.map((_, a) => String(a))
  const broker = new PaperBroker({ symbols, initialCash: rules.initialCash, costs: options.costs, events })
  const { time, interval } = assets[0]!
  const n = time.length
  const k = assets.length

  const equity = new Float64Array(n)
  const returns = new Float64Array(n)
  const units = new Float64Array(n * k)
  const exposure = new Float64Array(n)
  const turnover = new Float64Array(n)
  const lastTarget = new Float64Array(k)
  const wanted = new Float64Array(k)
  const targetOrder: (string | undefined)[] = symbols.map(() => undefined)
  let i = 0
  let before = rules.initialCash
  const prices = (a: number): BarPrices => {
    const { open, high, low, close } = assets[a]!
    return { open: open[i]!, high: high[i]!, low: low[i]!, close: close[i]! }
  }
  const history = (a: number, end: number): Bars => {
    const { volume, ...rest } = assets[a]!
    const view = {
      ...rest,
      time: rest.time.subarray(0, end),
      open: rest.open.subarray(0, end),
      high: rest.high.subarray(0, end),
      low: rest.low.subarray(0, end),
      close: rest.close.subarray(0, end),
    }
    return volume ? { ...view, volume: volume.subarray(0, end) } : view
  }

  for (; i < n; i++) {
    broker.process(time[i]!, interval, prices)
    const account = broker.account()
    const value = account.equity
    equity[i] = value
    returns[i] = before > 0 ? value / before - 1 : 0
    exposure[i] = value > 0 ? account.gross / value : 0
    turnover[i] = before > 0 ? broker.traded / before : 0
    for (let a = 0; a < k; a++) units[i * k + a] = broker.units(a)
    before = value
    if (broker.ruinedAt >= 0) continue

    const now = i
    const decision = strategy({
      index: now,
      time: time[now]! + interval,
      equity: value,
      cash: account.cash,
      units: (asset = 0) => broker.units(asset),
      history: (asset = 0) => history(asset, now + 1),
      close: (back = 0, asset = 0) => (back >= 0 ? (assets[asset]!.close[now - back] ?? NaN) : NaN),
      submit: ({ asset = 0, ...request }) => {
        broker.submit({ ...request, symbol: symbols[asset] ?? String(asset) })
      },
    })
    if (decision === undefined) continue
    readTargets(decision, wanted, where)
    limitTargets(wanted, rules)
    for (let a = 0; a < k; a++) {
      const target = wanted[a]!
      if (Number.isNaN(target) || (!rules.everyBar && target === lastTarget[a])) continue
      const close = assets[a]!.close[i]!
      if (Number.isNaN(close)) continue
      lastTarget[a] = target
      const stale = targetOrder[a]
      if (stale !== undefined) broker.cancel(stale, 'A new target replaced it.')
      targetOrder[a] = undefined
      const order = (target * value) / close - broker.units(a)
      if (order === 0 || Math.abs(order) * close < rules.band * value) continue
      if (protection) broker.protect(a, protection)
      targetOrder[a] = broker.submit({
        symbol: symbols[a]!,
        units: order,
        note: 'target',
        ...(protection ? { protection } : {}),
      }).id
    }
  }
  return {
    time,
    interval,
    equity,
    returns,
    units,
    exposure,
    turnover,
    fills: broker.fills,
    costs: { commission: broker.commissionTotal, slippage: broker.slippageTotal, financing: broker.financingTotal },
    initialCash: rules.initialCash,
    ruinedAt: broker.ruinedAt,
  }
}

function readTargets(decision: number | ArrayLike<number>, wanted: Float64Array, where: string): void {
  const k = wanted.length
  if (typeof decision === 'number') {
    check(k === 1, where, () => `the strategy must return one target for each of ${k} assets, got one number.`)
    wanted[0] = decision
    return
  }
  check(decision.length === k, where, () => `the strategy must return ${k} targets, got ${decision.length}.`)
  for (let a = 0; a < k; a++) wanted[a] = decision[a]!
}

function limitTargets(wanted: Float64Array, rules: ReturnType<typeof resolveRules>): void {
  const { maxLong, maxShort, maxGross } = rules
  let sum = 0
  for (const t of wanted) if (!Number.isNaN(t)) sum += Math.min(Math.abs(t), t > 0 ? maxLong : maxShort)
  const shrink = sum > maxGross ? maxGross / sum : 1
  for (let a = 0; a < wanted.length; a++) {
    const t = wanted[a]!
    wanted[a] = Math.max(-maxShort, Math.min(maxLong, t)) * shrink
  }
}
