import type { Fill } from '../backtest/result.ts'

/** A position from its opening to its closing. */
export interface RoundTrip {
  readonly asset: number
  /** Rows of the bars in which it was opened and closed. */
  readonly openedAt: number
  readonly closedAt: number
  readonly side: 'long' | 'short'
  /** Largest number of units held. */
  readonly units: number
  /** Gain less commission, in account currency. Financing is not included. */
  readonly profit: number
}

/**
 * Groups a backtest's fills into round trips: from flat to flat in one asset, or to the point where the position changes
 * sides (that fill is split between the two). Adding to and reducing a position belong to the same trip. A position still
 * open at the end is not a trip.
 *
 * ```ts
 * import { roundTrips } from '@regimen/market'
 *
 * const fill = { time: 0, asset: 0, commission: 1, reason: 'target' } as const
 * const trips = roundTrips([
 *   { ...fill, index: 1, units: 10, price: 100 },
 *   { ...fill, index: 4, units: -10, price: 103 },
 * ])
 * trips[0]?.profit // => 28
 * ```
 */
export function roundTrips(fills: readonly Fill[]): RoundTrip[] {
  const trips: RoundTrip[] = []
  const open = new Map<number, { openedAt: number; units: number; largest: number; cash: number }>()
  for (const { asset, index, units, price, commission } of fills) {
    let left = units
    let trip = open.get(asset)
    if (trip && Math.sign(left) !== Math.sign(trip.units) && Math.abs(left) >= Math.abs(trip.units) * (1 - 1e-12)) {
      const closing = -trip.units
      const share = Math.min(1, closing / left)
      trips.push({
        asset,
        openedAt: trip.openedAt,
        closedAt: index,
        side: trip.units > 0 ? 'long' : 'short',
        units: Math.abs(trip.largest),
        profit: trip.cash - closing * price - commission * share,
      })
      open.delete(asset)
      left -= closing
      if (Math.abs(left) <= 1e-12 * Math.abs(units)) continue
      open.set(asset, { openedAt: index, units: left, largest: left, cash: -left * price - commission * (1 - share) })
      continue
    }
    trip ??= { openedAt: index, units: 0, largest: 0, cash: 0 }
    trip.units += left
    trip.cash -= left * price + commission
    if (Math.abs(trip.units) > Math.abs(trip.largest)) trip.largest = trip.units
    open.set(asset, trip)
  }
  return trips
}
