/** Features of the fastest timeframe that the cross-timeframe ones are made of, and of the slowest. */
export const CROSS_NEEDS = [
  'smaSlope_20',
  'vol_20',
  'rsi_14',
  'ret_20',
  'rangePosition_20',
  'adx_14',
  'smaDistance_20',
] as const

/**
 * Relations between the fastest and the slowest timeframe:
 * - `trendAgreement`: product of the signs of both `smaSlope_20`: 1 together, −1 against each other.
 * - `volatilityRatio`: ln of the fast volatility, scaled to the slow bar by the square root of time, over the slow one; 0 where
 *   either is 0.
 * - `rsiSpread`, `rangePositionSpread`, `adxSpread`: fast minus slow.
 * - `momentumSpread`: difference of `ret_20` in units of its own volatility over 20 bars, 0 for a timeframe without movement.
 * - `slowSmaDistance`: ln of the fast close over the slow SMA_20. `sinceSlowClose`: ln of the fast close over the slow close.
 */
export const CROSS_NAMES = [
  'trendAgreement',
  'volatilityRatio',
  'rsiSpread',
  'rangePositionSpread',
  'adxSpread',
  'momentumSpread',
  'slowSmaDistance',
  'sinceSlowClose',
] as const

/** Where a timeframe's feature row holds what the cross features need. */
export interface CrossIndex {
  readonly at: { readonly [name in (typeof CROSS_NEEDS)[number]]: number }
  /** √(slow interval / fast interval). */
  readonly timeScale: number
}

export function crossIndex(names: readonly string[], timeScale: number): CrossIndex {
  const at = Object.fromEntries(CROSS_NEEDS.map((name) => [name, names.indexOf(name)]))
  return { at: at as CrossIndex['at'], timeScale }
}

/** Writes the eight cross features of one row. `logMove` is ln(fast close / slow close). */
export function writeCross(
  index: CrossIndex,
  fast: ArrayLike<number>,
  slow: ArrayLike<number>,
  logMove: number,
  out: Float64Array,
  k: number,
): void {
  const { at, timeScale } = index
  const fastVol = fast[at.vol_20]! * timeScale
  const slowVol = slow[at.vol_20]!
  out[k] = Math.sign(fast[at.smaSlope_20]!) * Math.sign(slow[at.smaSlope_20]!)
  out[k + 1] = fastVol === 0 || slowVol === 0 ? 0 : Math.log(fastVol / slowVol)
  out[k + 2] = fast[at.rsi_14]! - slow[at.rsi_14]!
  out[k + 3] = fast[at.rangePosition_20]! - slow[at.rangePosition_20]!
  out[k + 4] = fast[at.adx_14]! - slow[at.adx_14]!
  out[k + 5] = momentum(fast[at.ret_20]!, fast[at.vol_20]!) - momentum(slow[at.ret_20]!, slowVol)
  out[k + 6] = logMove + slow[at.smaDistance_20]!
  out[k + 7] = logMove
}

function momentum(move: number, volatility: number): number {
  return volatility === 0 ? 0 : move / (volatility * Math.sqrt(20))
}
