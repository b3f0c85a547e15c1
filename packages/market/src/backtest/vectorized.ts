import { check, describe } from '@regimen/core'
import { resolveCosts, type TradingCosts, yearsOf } from './costs.ts'
import { alignedAssets, type BacktestResult, type Fill, type Tradable } from './result.ts'

/** How targets become positions. Shared by both engines. */
export interface PositionRules {
  /** Account value at the start, in account currency. Above 0. @default 100000 */
  initialCash?: number
  /** Largest long position of one asset as a fraction of equity. 0 or more. @default 1 */
  maxLong?: number
  /** Largest short position of one asset as a fraction of equity; 0 forbids shorting. @default 1 */
  maxShort?: number
  /** Largest sum of absolute targets; above it all targets of the bar are scaled down. Above 0. @default Infinity */
  maxGross?: number
  /** Trades smaller than this fraction of equity are not made. 0 or more. @default 0 */
  band?: number
  /**
   * `on-change` trades when a target differs from the one before and otherwise lets the units run; `every-bar` restores
   * the target fraction at every bar. @default 'on-change'
   */
  rebalance?: 'on-change' | 'every-bar'
  /** What trading costs. @default free */
  costs?: TradingCosts
}

/** Options of {@link backtestVectorized}. */
export interface VectorizedBacktestOptions extends PositionRules {
  /**
   * Wanted position at the close of each bar as a fraction of equity, bars × assets, row-major: 1 is fully long, -0.5 half
   * short. NaN leaves the position as it is.
   */
  targets: ArrayLike<number>
}

export interface ResolvedRules {
  readonly initialCash: number
  readonly maxLong: number
  readonly maxShort: number
  readonly maxGross: number
  readonly band: number
  readonly everyBar: boolean
}

export function resolveRules(rules: PositionRules, where: string): ResolvedRules {
  const { initialCash = 100_000, maxLong = 1, maxShort = 1, maxGross = Infinity, band = 0 } = rules
  check(initialCash > 0 && initialCash < Infinity, where, () => `initialCash must be above 0, got ${initialCash}.`)
  check(maxLong >= 0, where, () => `maxLong must be 0 or more, got ${describe(maxLong)}.`)
  check(maxShort >= 0, where, () => `maxShort must be 0 or more, got ${describe(maxShort)}.`, 'Write limits unsigned.')
  check(maxGross > 0, where, () => `maxGross must be above 0, got ${describe(maxGross)}.`)
  check(band >= 0, where, () => `band must be 0 or more, got ${describe(band)}.`)
  const { rebalance = 'on-change' } = rules
  check(
    rebalance === 'on-change' || rebalance === 'every-bar',
    where,
    () => `rebalance must be "on-change" or "every-bar", got ${describe(rebalance)}.`,
  )
  return { initialCash, maxLong, maxShort, maxGross, band, everyBar: rebalance === 'every-bar' }
}

/**
 * Runs targets through a market in one pass over the columns. A target decided at the close of bar i is sized with that
 * close, `units = target · equity_i / close_i`, and filled at the open of bar i + 1 at
 * `open · (1 ± (spread / 2 + slippage))`, so no decision can profit from the bar that it was made on. Borrow fees and
 * interest accrue at every close over the time since the bar before.
 *
 * Use it for research, where targets are known as a column (millions of bars a second); use {@link backtestEvents} where
 * decisions depend on the account, or with stops and limit orders. Without those the two agree to 1e-9.
 *
 * Gotchas: the last bar's target is never filled; an asset with a NaN open keeps its order until it trades again; when
 * equity falls to zero or below at a close, everything is closed there and nothing trades afterwards (`ruinedAt`).
 *
 * ```ts
 * import { backtestVectorized } from '@regimen/market'
 *
 * const column = (...values: number[]) => Float64Array.from(values)
 * const bars = {
 *   time: column(0, 86_400_000, 172_800_000),
 *   open: column(100, 100, 110),
 *   high: column(101, 111, 122),
 *   low: column(99, 99, 109),
 *   close: column(100, 110, 121),
 *   interval: 86_400_000,
 * }
 * const result = backtestVectorized(bars, { targets: [1, 1, 0], initialCash: 1000 })
 * result.equity[2] // ≈ 1210
 * ```
 */
export function backtestVectorized(bars: Tradable, options: VectorizedBacktestOptions): BacktestResult {
  const where = 'market/backtest'
  const assets = alignedAssets(bars, where)
  const rules = resolveRules(options, where)
  const rates = resolveCosts(options.costs, where)
  const { targets } = options
  const { time, interval } = assets[0]!
  const n = time.length
  const k = assets.length
  check(
    targets?.length === n * k,
    where,
    () => `targets must hold bars × assets = ${n * k} numbers, got ${targets?.length}.`,
    'Pass one row of targets per bar.',
  )
  const { initialCash, maxLong, maxShort, maxGross, band, everyBar } = rules
  const { commission: rate, fixedCommission: fixed, borrowRate, financingRate, cashRate } = rates
  const adverse = rates.spread / 2 + rates.slippage
  const accrues = borrowRate !== 0 || financingRate !== 0 || cashRate !== 0

  const equity = new Float64Array(n)
  const returns = new Float64Array(n)
  const units = new Float64Array(n * k)
  const exposure = new Float64Array(n)
  const turnover = new Float64Array(n)
  const fills: Fill[] = []
  const opens = assets.map((asset) => asset.open)
  const closes = assets.map((asset) => asset.close)
  const held = new Float64Array(k)
  const pending = new Float64Array(k)
  const mark = new Float64Array(k).fill(Number.NaN)
  const lastTarget = new Float64Array(k)
  let cash = initialCash
  let before = initialCash
  let commissions = 0
  let slippages = 0
  let financing = 0
  let ruinedAt = -1

  for (let i = 0; i < n; i++) {
    let traded = 0
    for (let a = 0; a < k; a++) {
      const order = pending[a]!
      if (order === 0) continue
      const open = opens[a]![i]!
      if (Number.isNaN(open)) continue
      const price = order > 0 ? open * (1 + adverse) : open * (1 - adverse)
      const notional = order * price
      const fee = rate * Math.abs(notional) + fixed
      cash -= notional + fee
      held[a] = held[a]! + order
      pending[a] = 0
      mark[a] = open
      commissions += fee
      slippages += Math.abs(order) * open * adverse
      traded += Math.abs(notional)
      fills.push({ index: i, time: time[i]!, asset: a, units: order, price, commission: fee, reason: 'target' })
    }

    let value = 0
    let gross = 0
    let short = 0
    for (let a = 0; a < k; a++) {
      const close = closes[a]![i]!
      if (!Number.isNaN(close)) mark[a] = close
      const h = held[a]!
      if (h === 0) continue
      const notional = h * mark[a]!
      value += notional
      if (notional < 0) {
        short -= notional
        gross -= notional
      } else gross += notional
    }
    if (accrues && ruinedAt < 0) {
      const years = yearsOf(i === 0 ? interval : time[i]! - time[i - 1]!)
      const charge = (borrowRate * short + (cash < 0 ? -financingRate * cash : -cashRate * cash)) * years
      cash -= charge
      financing += charge
    }
    let account = cash + value
    if (account <= 0 && ruinedAt < 0) {
      ruinedAt = i
      for (let a = 0; a < k; a++) {
        const h = held[a]!
        if (h !== 0) {
          fills.push({ index: i, time: time[i]!, asset: a, units: -h, price: mark[a]!, commission: 0, reason: 'ruin' })
          traded += Math.abs(h * mark[a]!)
        }
        held[a] = 0
        pending[a] = 0
      }
      cash = account
      gross = 0
      account = cash
    }
    equity[i] = account
    returns[i] = before > 0 ? account / before - 1 : 0
    exposure[i] = account > 0 ? gross / account : 0
    turnover[i] = before > 0 ? traded / before : 0
    const row = i * k
    for (let a = 0; a < k; a++) units[row + a] = held[a]!
    before = account
    if (ruinedAt >= 0) continue

    let shrink = 1
    if (maxGross < Infinity) {
      let sum = 0
      for (let a = 0; a < k; a++) {
        const t = targets[row + a]!
        if (!Number.isNaN(t)) sum += Math.min(Math.abs(t), t > 0 ? maxLong : maxShort)
      }
      if (sum > maxGross) shrink = maxGross / sum
    }
    for (let a = 0; a < k; a++) {
      const t = targets[row + a]!
      if (Number.isNaN(t)) continue
      const target = Math.max(-maxShort, Math.min(maxLong, t)) * shrink
      if (!everyBar && target === lastTarget[a]!) continue
      const close = closes[a]![i]!
      if (Number.isNaN(close)) continue
      lastTarget[a] = target
      const order = (target * account) / close - held[a]!
      pending[a] = Math.abs(order) * close < band * account ? 0 : order
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
    fills,
    costs: { commission: commissions, slippage: slippages, financing },
    initialCash,
    ruinedAt,
  }
}
