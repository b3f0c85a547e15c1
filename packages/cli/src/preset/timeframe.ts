import type { Bars } from '@regimen/market'

const UNITS = [
  ['w', 604_800_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** Name of the bars' interval, as `@regimen/market` writes it: `1d`, `15m`. */
export function timeframeOf({ interval }: Pick<Bars, 'interval'>): string {
  for (const [unit, ms] of UNITS) if (interval % ms === 0) return `${interval / ms}${unit}`
  return `${interval}ms`
}

/** Bars in a year, counted on the series itself, so that weekends and nights are left out where the market rests. */
export function barsPerYear({ time, interval }: Pick<Bars, 'time' | 'interval'>): number {
  const years = (time[time.length - 1]! + interval - time[0]!) / (365.25 * 86_400_000)
  return time.length / years
}
