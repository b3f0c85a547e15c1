import { check, describe, type EventSink } from '@regimen/core'
import { type ResolvedCosts, resolveCosts, type TradingCosts, yearsOf } from '../backtest/costs.ts'
import type { Fill } from '../backtest/result.ts'
import type { Account, Order, OrderRequest, Position, Protection } from './executor.ts'

export interface PaperBrokerOptions {
  symbols: readonly string[]
  initialCash: number
  costs?: TradingCosts | undefined
  /** Largest absolute position of one symbol as a fraction of equity; orders beyond it are rejected. @default Infinity */
  maxPosition?: number | undefined
  /** Largest sum of absolute positions as a fraction of equity; orders beyond it are rejected. @default Infinity */
  maxGross?: number | undefined
  events?: EventSink | undefined
}

/** One asset's prices in one bar; NaN where it did not trade. */
export interface BarPrices {
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
}

interface Holding {
  units: number
  averagePrice: number
  mark: number
  protection: Protection | undefined
  best: number
}

export interface BrokerFill extends Fill {
  readonly orderId?: string
}

const WHERE = 'market/execution'

export function checkProtection(protection: Protection | undefined, where: string): void {
  for (const name of ['stopLoss', 'takeProfit', 'trailing'] as const) {
    const value = protection?.[name]
    check(
      value === undefined || (value > 0 && value < Infinity),
      where,
      () => `${name} must be a fraction above 0, got ${describe(value)}.`,
      'Write 2 % as 0.02.',
    )
  }
}

/** The matching engine on paper: one bar at a time, synchronous. The event-driven backtest and the paper executor share it. */
export class PaperBroker {
  readonly symbols: readonly string[]
  readonly initialCash: number
  readonly fills: BrokerFill[] = []
  cash: number
  commissionTotal = 0
  slippageTotal = 0
  financingTotal = 0
  /** Row of the bar at whose close the account was ruined; -1 if it was not. */
  ruinedAt = -1
  /** Notional traded in the bar processed last. */
  traded = 0
  /** Symbols whose position a protection closed in the bar processed last. */
  readonly stopped: Set<number> = new Set()
  readonly #holdings: Holding[]
  readonly #column: Map<string, number>
  readonly #costs: ResolvedCosts
  readonly #adverse: number
  readonly #maxPosition: number
  readonly #maxGross: number
  readonly #events: EventSink | undefined
  #open: Order[] = []
  #count = 0
  #index = -1
  #time = 0
  #opened = 0

  constructor(options: PaperBrokerOptions) {
    const { symbols, initialCash, maxPosition = Infinity, maxGross = Infinity } = options
    check(
      symbols.length > 0 && new Set(symbols).size === symbols.length,
      WHERE,
      () => `symbols must be a list of different names, got ${describe(symbols)}.`,
    )
    check(initialCash > 0 && initialCash < Infinity, WHERE, () => `initialCash must be above 0, got ${initialCash}.`)
    check(maxPosition > 0, WHERE, () => `maxPosition must be above 0, got ${describe(maxPosition)}.`)
    check(maxGross > 0, WHERE, () => `maxGross must be above 0, got ${describe(maxGross)}.`)
    this.symbols = symbols
    this.initialCash = initialCash
    this.cash = initialCash
    this.#holdings = symbols.map(() => ({ units: 0, averagePrice: 0, mark: NaN, protection: undefined, best: NaN }))
    this.#column = new Map(symbols.map((symbol, a) => [symbol, a]))
    this.#costs = resolveCosts(options.costs, WHERE)
    this.#adverse = this.#costs.spread / 2 + this.#costs.slippage
    this.#maxPosition = maxPosition
    this.#maxGross = maxGross
    this.#events = options.events
  }

  units(asset: number): number {
    return this.#holdings[asset]!.units
  }

  mark(asset: number): number {
    return this.#holdings[asset]!.mark
  }

  get orders(): readonly Order[] {
    return this.#open
  }

  account(): Account {
    let value = 0
    let gross = 0
    for (const { units, mark } of this.#holdings) {
      if (units === 0) continue
      value += units * mark
      gross += Math.abs(units * mark)
    }
    return { cash: this.cash, equity: this.cash + value, gross }
  }

  positions(): Position[] {
    const held: Position[] = []
    for (const [a, { units, averagePrice, mark }] of this.#holdings.entries()) {
      if (units === 0) continue
      const unrealized = units * (mark - averagePrice)
      held.push({ symbol: this.symbols[a]!, units, averagePrice, marketPrice: mark, unrealized })
    }
    return held
  }

  submit(request: OrderRequest): Order {
    const asset = this.#column.get(request.symbol)
    check(asset !== undefined, WHERE, () => `symbol must be one of ${this.symbols.join(', ')}, got ${request.symbol}.`)
    const { units, type = 'market', price } = request
    check(Number.isFinite(units) && units !== 0, WHERE, () => `units must be finite and not 0, got ${describe(units)}.`)
    check(
      type === 'market' ? price === undefined : price !== undefined && price > 0 && price < Infinity,
      WHERE,
      () => `a ${type} order must ${type === 'market' ? 'carry no price' : 'carry a price above 0'}, got ${price}.`,
    )
    checkProtection(request.protection, WHERE)
    const id = `order-${++this.#count}`
    const refusal = this.#refusal(asset, units)
    const order: Order = {
      ...request,
      id,
      type,
      time: this.#time,
      status: refusal ? 'rejected' : 'open',
      ...(refusal ? { reason: refusal } : {}),
    }
    if (!refusal) this.#open.push(order)
    this.#emit(
      refusal ? 'market/reject' : 'market/submit',
      refusal ?? request.note ?? `A ${type} order for ${units} ${request.symbol} was taken.`,
      { id, symbol: request.symbol, units, type, ...(price === undefined ? {} : { price }) },
    )
    return order
  }

  cancel(id: string, reason = 'The strategy cancelled it.'): boolean {
    const at = this.#open.findIndex((order) => order.id === id)
    if (at < 0) return false
    const [order] = this.#open.splice(at, 1)
    this.#emit('market/cancel', reason, { id, symbol: order!.symbol, units: order!.units })
    return true
  }

  protect(asset: number, protection: Protection | undefined): void {
    this.#holdings[asset]!.protection = protection
  }

  /** Lives through one bar: open orders, then protections, then financing and the mark at the close. */
  process(time: number, interval: number, prices: (asset: number) => BarPrices): void {
    const previous = this.#time
    this.#index++
    this.#time = time
    this.#opened = time
    this.traded = 0
    this.stopped.clear()
    if (this.#open.length > 0) this.#match(prices)
    for (let a = 0; a < this.#holdings.length; a++) this.#guard(a, prices(a))

    let short = 0
    let value = 0
    for (let a = 0; a < this.#holdings.length; a++) {
      const holding = this.#holdings[a]!
      const { close } = prices(a)
      if (!Number.isNaN(close)) holding.mark = close
      if (holding.units === 0) continue
      const notional = holding.units * holding.mark
      value += notional
      if (notional < 0) short -= notional
    }
    const { borrowRate, financingRate, cashRate } = this.#costs
    if (this.ruinedAt < 0 && (borrowRate !== 0 || financingRate !== 0 || cashRate !== 0)) {
      const years = yearsOf(this.#index === 0 ? interval : time - previous + interval)
      const charge = (borrowRate * short + (this.cash < 0 ? -financingRate * this.cash : -cashRate * this.cash)) * years
      this.cash -= charge
      this.financingTotal += charge
    }
    this.#time = time + interval
    if (this.cash + value <= 0 && this.ruinedAt < 0) this.#ruin()
  }

  #refusal(asset: number, units: number): string | undefined {
    if (this.ruinedAt >= 0) return 'The account is ruined.'
    if (this.#maxPosition === Infinity && this.#maxGross === Infinity) return undefined
    const { equity, gross } = this.account()
    const { units: held, mark } = this.#holdings[asset]!
    let planned = held + units
    for (const order of this.#open) if (order.symbol === this.symbols[asset]) planned += order.units
    if (Math.abs(planned) <= Math.abs(held)) return undefined
    if (!(mark > 0)) return 'No price is known yet to hold the position limit against.'
    const tolerance = 1 + 1e-9
    if (Math.abs(planned) * mark > this.#maxPosition * equity * tolerance) {
      return `The position would be ${((planned * mark) / equity).toFixed(3)} of equity, beyond ${this.#maxPosition}.`
    }
    const total = gross + (Math.abs(planned) - Math.abs(held)) * mark
    if (total > this.#maxGross * equity * tolerance) {
      return `Gross exposure would be ${(total / equity).toFixed(3)} of equity, beyond ${this.#maxGross}.`
    }
    return undefined
  }

  #match(prices: (asset: number) => BarPrices): void {
    const waiting: Order[] = []
    for (const order of this.#open) {
      const asset = this.#column.get(order.symbol)!
      const bar = prices(asset)
      const price = !Number.isNaN(bar.open) ? executionPrice(order, bar, this.#adverse) : undefined
      if (price === undefined) {
        waiting.push(order)
        continue
      }
      const quoted = order.type === 'limit' ? price : price / (order.units > 0 ? 1 + this.#adverse : 1 - this.#adverse)
      if (order.protection) this.#holdings[asset]!.protection = order.protection
      this.#fill(asset, order.units, price, quoted, order.note === 'target' ? 'target' : 'order', order.id)
    }
    this.#open = waiting
  }

  /** Pessimistic where one bar touches both exits: the loss comes first. Gaps fill at the open. */
  #guard(asset: number, bar: BarPrices): void {
    const holding = this.#holdings[asset]!
    const { protection, units, averagePrice } = holding
    if (units === 0 || !protection || Number.isNaN(bar.open)) return
    const side = units > 0 ? 1 : -1
    const { stopLoss, takeProfit, trailing } = protection
    const worst = side > 0 ? bar.low : bar.high
    const bestPrice = side > 0 ? bar.high : bar.low
    let stop = stopLoss === undefined ? NaN : averagePrice * (1 - side * stopLoss)
    let reason: Fill['reason'] = 'stop-loss'
    if (trailing !== undefined) {
      const level = holding.best * (1 - side * trailing)
      if (Number.isNaN(stop) || side * (level - stop) > 0) {
        stop = level
        reason = 'trailing-stop'
      }
    }
    if (side * (worst - stop) <= 0) {
      const quoted = side * (bar.open - stop) <= 0 ? bar.open : stop
      this.#exit(asset, quoted * (1 - side * this.#adverse), quoted, reason)
      return
    }
    if (takeProfit !== undefined) {
      const goal = averagePrice * (1 + side * takeProfit)
      if (side * (bestPrice - goal) > 0) {
        const price = side * (bar.open - goal) >= 0 ? bar.open : goal
        this.#exit(asset, price, price, 'take-profit')
        return
      }
    }
    if (side * (bestPrice - holding.best) > 0) holding.best = bestPrice
  }

  #exit(asset: number, price: number, quoted: number, reason: Fill['reason']): void {
    const { units } = this.#holdings[asset]!
    this.stopped.add(asset)
    this.#fill(asset, -units, price, quoted, reason)
  }

  #fill(asset: number, units: number, price: number, quoted: number, reason: Fill['reason'], orderId?: string): void {
    const holding = this.#holdings[asset]!
    const notional = units * price
    const commission = reason === 'ruin' ? 0 : this.#costs.commission * Math.abs(notional) + this.#costs.fixedCommission
    this.cash -= notional + commission
    this.commissionTotal += commission
    this.slippageTotal += Math.abs(units) * Math.abs(price - quoted)
    this.traded += Math.abs(notional)
    holding.mark = quoted
    const before = holding.units
    holding.units = before + units
    if (before === 0 || before * holding.units <= 0) {
      holding.averagePrice = holding.units === 0 ? 0 : price
      holding.best = price
      if (holding.units === 0 && reason !== 'target') holding.protection = undefined
    } else if (Math.abs(holding.units) > Math.abs(before)) {
      holding.averagePrice = (holding.averagePrice * before + price * units) / holding.units
    }
    const fill: BrokerFill = { index: this.#index, time: this.#opened, asset, units, price, commission, reason }
    this.fills.push(orderId === undefined ? fill : { ...fill, orderId })
    this.#emit('market/fill', `${units} ${this.symbols[asset]} at ${price} (${reason}).`, {
      symbol: this.symbols[asset]!,
      units,
      price,
      commission,
      reason,
      ...(orderId === undefined ? {} : { id: orderId }),
    })
  }

  #ruin(): void {
    this.ruinedAt = this.#index
    for (const order of this.#open.slice()) this.cancel(order.id, 'The account is ruined.')
    for (let a = 0; a < this.#holdings.length; a++) {
      const { units, mark } = this.#holdings[a]!
      if (units !== 0) this.#fill(a, -units, mark, mark, 'ruin')
    }
  }

  #emit(type: string, reason: string, data: { readonly [key: string]: string | number }): void {
    this.#events?.emit({ type, time: this.#time, reason, data })
  }
}

/** Price at which the bar fills the order; undefined while it does not. A limit must be traded through, not only touched. */
function executionPrice(order: Order, bar: BarPrices, adverse: number): number | undefined {
  const buy = order.units > 0
  const worse = buy ? 1 + adverse : 1 - adverse
  if (order.type === 'market') return bar.open * worse
  const level = order.price!
  if (order.type === 'limit') {
    if (buy ? bar.open <= level : bar.open >= level) return bar.open
    return (buy ? bar.low < level : bar.high > level) ? level : undefined
  }
  if (buy ? bar.open >= level : bar.open <= level) return bar.open * worse
  return (buy ? bar.high >= level : bar.low <= level) ? level * worse : undefined
}
