import type { RegimenEvent } from '@regimen/core'
import { expect, test } from 'vitest'
import { backtestVectorized, type Executor, paperExecutor, simulate } from '../src/index.ts'

const DAY = 86_400_000
const flat = (price: number) => ({ open: price, high: price, low: price, close: price })

test('orders, positions, account and fills by hand', async () => {
  const events: RegimenEvent[] = []
  const paper = paperExecutor({
    symbols: ['A', 'B'],
    initialCash: 1000,
    costs: { commission: 0.01, spread: 0.02 },
    events: { emit: (event) => events.push(event) },
  })
  const bought = await paper.submit({ symbol: 'A', units: 4, note: 'momentum' })
  expect(bought).toMatchObject({ id: 'order-1', type: 'market', status: 'open' })
  paper.advance({ time: 0, interval: DAY, prices: { A: flat(100), B: flat(10) } })
  // 4 at 101 and 1 % of 404.
  expect(await paper.account()).toEqual({ cash: 1000 - 404 - 4.04, equity: 1000 - 404 - 4.04 + 400, gross: 400 })
  const [position] = await paper.positions()
  expect(position).toEqual({ symbol: 'A', units: 4, averagePrice: 101, marketPrice: 100, unrealized: -4 })

  // Adding 4 at 111.1: the average is (4 · 101 + 4 · 111.1) / 8 = 106.05.
  await paper.submit({ symbol: 'A', units: 4 })
  const limit = await paper.submit({ symbol: 'B', units: 10, type: 'limit', price: 9 })
  paper.advance({ time: DAY, interval: DAY, prices: { A: flat(110) } })
  expect((await paper.positions())[0]?.averagePrice).toBeCloseTo(106.05, 9)
  expect((await paper.orders()).map((order) => order.id)).toEqual([limit.id])
  expect(await paper.cancel(limit.id)).toBe(true)
  expect(await paper.cancel(limit.id)).toBe(false)

  const fills = await paper.fills()
  expect(fills.map(({ symbol, units, orderId }) => [symbol, units, orderId])).toEqual([
    ['A', 4, 'order-1'],
    ['A', 4, 'order-2'],
  ])
  expect(await paper.fills(1)).toEqual(fills.slice(1))
  expect(paper.costs.commission).toBeCloseTo(0.01 * (404 + 444.4), 9)
  expect(paper.costs.slippage).toBeCloseTo(4 + 4.4, 9)
  expect(events.map((event) => event.type)).toEqual([
    'market/submit',
    'market/fill',
    'market/submit',
    'market/submit',
    'market/fill',
    'market/cancel',
  ])
  expect(events[0]).toMatchObject({ reason: 'momentum', data: { id: 'order-1', symbol: 'A', units: 4 } })
  expect(events[1]).toMatchObject({ type: 'market/fill', data: { price: 101, id: 'order-1' } })
})

test('limits reject with the reason; reducing is always allowed', async () => {
  const paper = paperExecutor({ symbols: ['A', 'B'], initialCash: 1000, maxPosition: 0.5, maxGross: 0.8 })
  expect((await paper.submit({ symbol: 'A', units: 1 })).reason).toContain('No price is known yet')
  paper.advance({ time: 0, interval: DAY, prices: { A: flat(100), B: flat(50) } })
  expect((await paper.submit({ symbol: 'A', units: 6 })).reason).toBe(
    'The position would be 0.600 of equity, beyond 0.5.',
  )
  expect((await paper.submit({ symbol: 'A', units: 5 })).status).toBe('open')
  expect((await paper.submit({ symbol: 'A', units: 1 })).status).toBe('rejected')
  paper.advance({ time: DAY, interval: DAY, prices: { A: flat(100), B: flat(50) } })
  expect((await paper.submit({ symbol: 'B', units: -8 })).reason).toBe(
    'Gross exposure would be 0.900 of equity, beyond 0.8.',
  )
  expect((await paper.submit({ symbol: 'A', units: -5 })).status).toBe('open')
  await expect(paper.submit({ symbol: 'C', units: 1 })).rejects.toThrow('symbol must be one of A, B, got C')
  await expect(paper.submit({ symbol: 'A', units: 0 })).rejects.toThrow('units must be finite and not 0, got 0')
  await expect(paper.submit({ symbol: 'A', units: 1, type: 'limit' })).rejects.toThrow(
    'a limit order must carry a price',
  )
})

test('a protected order is guarded from the bar of its fill', async () => {
  const paper = paperExecutor({ initialCash: 1000 })
  await paper.submit({ symbol: 'asset', units: 1, protection: { stopLoss: 0.1 } })
  paper.advance({ time: 0, interval: DAY, prices: { asset: { open: 100, high: 101, low: 85, close: 95 } } })
  expect((await paper.fills()).map(({ units, price, reason }) => ({ units, price, reason }))).toEqual([
    { units: 1, price: 100, reason: 'order' },
    { units: -1, price: 90, reason: 'stop-loss' },
  ])
  expect(await paper.positions()).toEqual([])
})

test('a strategy written against the executor ends where the backtest ends', async () => {
  const { bars, parameters } = simulate('equity-daily', { bars: 300, seed: 12 })
  const { costs } = parameters
  const targets = Float64Array.from({ length: 300 }, (_, i) => [1, -0.5, 0][Math.floor(i / 10) % 3]!)
  const paper = paperExecutor({ symbols: ['EQ'], costs, initialCash: 10_000 })
  const trade = async (executor: Executor, target: number, close: number): Promise<void> => {
    const { equity } = await executor.account()
    const held = (await executor.positions())[0]?.units ?? 0
    const units = (target * equity) / close - held
    if (units !== 0) await executor.submit({ symbol: 'EQ', units })
  }
  for (let i = 0; i < 300; i++) {
    const [open, high, low, close] = [bars.open[i]!, bars.high[i]!, bars.low[i]!, bars.close[i]!]
    paper.advance({ time: bars.time[i]!, interval: bars.interval, prices: { EQ: { open, high, low, close } } })
    if (targets[i] !== (i === 0 ? 0 : targets[i - 1])) await trade(paper, targets[i]!, close)
  }
  const { equity } = backtestVectorized(bars, { targets, costs, initialCash: 10_000 })
  expect((await paper.account()).equity).toBeCloseTo(equity[299]!, 6)
})
