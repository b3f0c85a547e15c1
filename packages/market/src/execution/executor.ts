import type { Fill } from '../backtest/result.ts'

/** Exits that guard a position, each as a fraction of its average entry price. */
export interface Protection {
  /** Closes the position when the price has moved this fraction against it. Above 0. */
  stopLoss?: number
  /** Closes the position when the price has moved this fraction in its favour. Above 0. */
  takeProfit?: number
  /** Closes the position when the price has fallen this fraction from its best price since entry. Above 0. */
  trailing?: number
}

/** What to trade. */
export interface OrderRequest {
  readonly symbol: string
  /** Units to buy (positive) or sell (negative). Not 0. */
  readonly units: number
  /** `market` fills at the next price; `limit` and `stop` wait for `price`. @default 'market' */
  readonly type?: 'market' | 'limit' | 'stop'
  /** Limit or stop price. Above 0. */
  readonly price?: number
  /** Replaces the protection of the symbol's position once this order is filled. */
  readonly protection?: Protection
  /** Free text for the audit log: why this order. */
  readonly note?: string
}

/** An order that an executor has taken, as it stands now. */
export interface Order extends OrderRequest {
  readonly id: string
  readonly type: 'market' | 'limit' | 'stop'
  /** UTC epoch milliseconds at which it was submitted. */
  readonly time: number
  readonly status: 'open' | 'filled' | 'cancelled' | 'rejected'
  /** Why it was cancelled or rejected. */
  readonly reason?: string
}

/** A holding in one symbol. Symbols without units have no position. */
export interface Position {
  readonly symbol: string
  readonly units: number
  /** Average price at which the present units were entered, spread and slippage included. */
  readonly averagePrice: number
  /** Last known price. */
  readonly marketPrice: number
  /** `units · (marketPrice - averagePrice)`. */
  readonly unrealized: number
}

/** What the account is worth. */
export interface Account {
  readonly cash: number
  /** Cash and positions at their last known prices. */
  readonly equity: number
  /** Sum of the absolute notionals. */
  readonly gross: number
}

/** A fill as an executor reports it. */
export interface ExecutionReport extends Omit<Fill, 'index' | 'asset'> {
  readonly symbol: string
  /** The order that it belongs to; absent for protective exits. */
  readonly orderId?: string
}

/**
 * What a strategy trades through. The paper executor and an adapter to a real broker have this same face, so that a
 * strategy that ran on paper runs live unchanged. Everything is asynchronous, because a broker is.
 */
export interface Executor {
  /** Takes an order. A refused one comes back with the status `rejected` and the reason; nothing is thrown for it. */
  submit(request: OrderRequest): Promise<Order>
  /** True when the order was open and is now cancelled. */
  cancel(id: string): Promise<boolean>
  /** Orders still open, oldest first. */
  orders(): Promise<readonly Order[]>
  positions(): Promise<readonly Position[]>
  account(): Promise<Account>
  /** Fills from the given number on, oldest first; keep `fills().length` to ask for the new ones only. */
  fills(from?: number): Promise<readonly ExecutionReport[]>
}
