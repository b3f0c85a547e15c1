import { check, describe } from '@regimen/core'

/** What trading costs. Everything defaults to free, so that a cost left out is visible as a zero. */
export interface TradingCosts {
  /** Commission as a fraction of the traded notional (0.0005 is 5 basis points). 0 or more. @default 0 */
  commission?: number
  /** Commission per fill, in account currency. 0 or more. @default 0 */
  fixedCommission?: number
  /** Full bid-ask spread as a fraction of the price; a market or stop fill pays half of it. 0 or more. @default 0 */
  spread?: number
  /** Slippage of a market or stop fill as a fraction of the price, always adverse. 0 or more. @default 0 */
  slippage?: number
  /** Fee on the notional of short positions, per year. 0 or more. @default 0 */
  borrowRate?: number
  /** Interest paid on negative cash (leverage), per year. 0 or more. @default 0 */
  financingRate?: number
  /** Interest earned on positive cash, per year. Short proceeds count as cash. @default 0 */
  cashRate?: number
}

export type ResolvedCosts = { readonly [K in keyof TradingCosts]-?: number }

const YEAR = 365.25 * 86_400_000

/** Milliseconds to years of 365.25 days, the time over which rates accrue. */
export function yearsOf(milliseconds: number): number {
  return milliseconds / YEAR
}

/** Fills in zeros and refuses rates that cannot be meant. */
export function resolveCosts(costs: TradingCosts | undefined, where: string): ResolvedCosts {
  const resolved = {
    commission: costs?.commission ?? 0,
    fixedCommission: costs?.fixedCommission ?? 0,
    spread: costs?.spread ?? 0,
    slippage: costs?.slippage ?? 0,
    borrowRate: costs?.borrowRate ?? 0,
    financingRate: costs?.financingRate ?? 0,
    cashRate: costs?.cashRate ?? 0,
  }
  for (const [name, value] of Object.entries(resolved)) {
    const isFraction = name !== 'fixedCommission'
    check(
      Number.isFinite(value) && (value >= 0 || name === 'cashRate') && (!isFraction || value < 1),
      where,
      () =>
        `costs.${name} must be ${isFraction ? 'a fraction from 0 to below 1' : '0 or more'}, got ${describe(value)}.`,
      isFraction ? 'Write 5 basis points as 0.0005.' : undefined,
    )
  }
  return resolved
}
