import { type Expression, input, keep, lag, logRatio, max, min, sub } from './kernel/expression.ts'

/** What the formulas of all families start from; what is kept is computed once for all of them. */
export interface Series {
  readonly open: Expression
  readonly high: Expression
  readonly low: Expression
  readonly close: Expression
  readonly volume: Expression
  /** ln(C_t / C_{t−1}). */
  readonly ret: Expression
  /** ln C, up to a constant that differs from chunk to chunk: only differences mean something. */
  readonly level: Expression
  /** ln(O / C), ln(H / C), ln(L / C). */
  readonly logOpen: Expression
  readonly logHigh: Expression
  readonly logLow: Expression
  /** Wilder's true range: the bar's range, stretched to the close before. */
  readonly trueRange: Expression
}

/** Input columns, in the order in which the batch fills them; the last repeats the chunk's first close. */
export const INPUTS = 6

export function openSeries(): Series {
  const [open, high, low, close, volume, reference] = Array.from({ length: INPUTS }, (_, k) => input(k))
  const before = lag(close!, 1)
  return {
    open: open!,
    high: high!,
    low: low!,
    close: close!,
    volume: volume!,
    ret: keep(logRatio(close!, before)),
    level: keep(logRatio(close!, reference!)),
    logOpen: keep(logRatio(open!, close!)),
    logHigh: keep(logRatio(high!, close!)),
    logLow: keep(logRatio(low!, close!)),
    trueRange: sub(max(high!, before), min(low!, before)),
  }
}
