import type { EventSink } from '@regimen/core'
import type { TradingCosts } from '../backtest/costs.ts'
import type { BacktestResult } from '../backtest/result.ts'
import type { ExecutionReport, Executor } from './executor.ts'
import { type BarPrices, PaperBroker } from './paper-broker.ts'

/** Options of {@link paperExecutor}. */
export interface PaperExecutorOptions {
  /** Names of what can be traded, all different. @default ['asset'] */
  symbols?: readonly string[]
  /** Account value at the start, in account currency. Above 0. @default 100000 */
  initialCash?: number
  /** What trading costs. @default free */
  costs?: TradingCosts
  /** Largest absolute position of one symbol as a fraction of equity; orders beyond it are rejected. @default Infinity */
  maxPosition?: number
  /** Largest sum of absolute positions as a fraction of equity; orders beyond it are rejected. @default Infinity */
  maxGross?: number
  /** Receives `market/submit`, `market/fill`, `market/cancel` and `market/reject` as they happen. */
  events?: EventSink
}

/** A closed bar as it arrives: prices by symbol. A symbol that is missing did not trade. */
export interface PaperBar {
  /** UTC epoch milliseconds of the bar's open. */
  readonly time: number
  /** Milliseconds from open to close. */
  readonly interval: number
  readonly prices: { readonly [symbol: string]: BarPrices }
}

/** An executor that trades on paper as bars come in. */
export interface PaperExecutor extends Executor {
  /** Fills what the bar fills, accrues financing and marks positions at its close. Bars must come in order. */
  advance(bar: PaperBar): void
  /** What the costs took so far. */
  readonly costs: BacktestResult['costs']
}

/**
 * Opens an account on paper with the face of a live broker. Orders wait for the next bar: market orders fill at its open
 * plus half the spread and slippage; limits fill at their price when traded through, or at a better open; stops fill at
 * their price or, after a gap, at the open. Positions, orders and fills are kept, and every step is an event for the
 * audit log.
 *
 * Use it between the backtest and real money: the strategy sees the same {@link Executor} as live.
 *
 * Gotchas: within one bar the order of high and low is unknown, so where both a stop and a profit target are touched,
 * the stop is taken; a bar's whole volume is assumed to be available.
 *
 * ```ts
 * import { paperExecutor } from '@regimen/market'
 *
 * const paper = paperExecutor({ symbols: ['BTC'], initialCash: 1000, costs: { commission: 0.001 } })
 * await paper.submit({ symbol: 'BTC', units: 2 })
 * paper.advance({ time: 0, interval: 60_000, prices: { BTC: { open: 100, high: 103, low: 99, close: 102 } } })
 * const { equity } = await paper.account()
 * equity // ≈ 1003.8
 * ```
 */
export function paperExecutor(options: PaperExecutorOptions = {}): PaperExecutor {
  const { symbols = ['asset'], initialCash = 100_000, costs, maxPosition, maxGross, events } = options
  const broker = new PaperBroker({ symbols, initialCash, costs, maxPosition, maxGross, events })
  const absent: BarPrices = { open: NaN, high: NaN, low: NaN, close: NaN }
  return {
    async submit(request) {
      return broker.submit(request)
    },
    async cancel(id) {
      return broker.cancel(id)
    },
    async orders() {
      return broker.orders.slice()
    },
    async positions() {
      return broker.positions()
    },
    async account() {
      return broker.account()
    },
    async fills(from = 0) {
      return broker.fills.slice(from).map((fill): ExecutionReport => {
        const { index: _, asset, ...rest } = fill
        return { ...rest, symbol: symbols[asset]! }
      })
    },
    advance({ time, interval, prices }) {
      broker.process(time, interval, (asset) => prices[symbols[asset]!] ?? absent)
    },
    get costs() {
      return {
        commission: broker.commissionTotal,
        slippage: broker.slippageTotal,
        financing: broker.financingTotal,
      }
    },
  }
}
