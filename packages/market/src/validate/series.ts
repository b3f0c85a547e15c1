import type { RawBars } from '../load/raw.ts'
import type { ExpectedBars } from './calendar.ts'
import type { Gap, SplitJump } from './report.ts'

const WHOLE = [2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100]
const SPLITS = [1.5, 2.5, ...WHOLE].flatMap((ratio) => [ratio, 1 / ratio])

/** Holes longer than the calendar and the tolerance explain. Rows are clean and in order. */
export function findGaps(raw: RawBars, interval: number, expected: ExpectedBars, tolerance: number): Gap[] {
  const { time } = raw
  const gaps: Gap[] = []
  for (let i = 1; i < time.length; i++) {
    if (time[i]! - time[i - 1]! <= interval) continue
    const missing = expected.between(time[i - 1]!, time[i]!)
    if (missing > tolerance) gaps.push({ from: time[i - 1]! + interval, to: time[i]!, missing, row: i })
  }
  return gaps
}

/** Rows of runs of at least `run` bars without any movement (and without volume, where there is volume). */
export function findFlat(raw: RawBars, run: number): number[] {
  const { open, high, low, close, volume } = raw
  const rows: number[] = []
  let length = 0
  for (let i = 1; i <= close.length; i++) {
    const flat =
      i < close.length &&
      high[i] === low[i] &&
      open[i] === close[i - 1] &&
      close[i] === close[i - 1] &&
      (volume === undefined || volume[i] === 0)
    if (flat) length++
    else {
      if (length >= run) for (let k = i - length; k < i; k++) rows.push(k)
      length = 0
    }
  }
  return rows
}

/**
 * Rows whose close leaps by more than `sigmas` typical moves and comes back at once, or whose high or low stands that far
 * beyond its own open and close and the closes around it.
 */
export function findBadTicks(raw: RawBars, sigmas: number): number[] {
  const { open, high, low, close } = raw
  const n = close.length
  const limit = sigmas * typicalMove(close)
  const rows: number[] = []
  if (!(limit > 0)) return rows
  for (let i = 1; i < n - 1; i++) {
    const before = close[i - 1]!
    const after = close[i + 1]!
    const leap = close[i]! / before - 1
    const returns = (leap > limit || -leap > limit) && Math.abs(after / before - 1) < 0.25 * Math.abs(leap)
    const top = Math.max(before, after, open[i]!, close[i]!)
    const bottom = Math.min(before, after, open[i]!, close[i]!)
    if (returns || high[i]! > top * (1 + limit) || low[i]! * (1 + limit) < bottom) rows.push(i)
  }
  return rows
}

/** Jumps between a close and the next open that lie within 5 % of a split's ratio and that no typical move explains. */
export function findSplits(raw: RawBars, sigmas: number): SplitJump[] {
  const { time, open, close } = raw
  const n = close.length
  const limit = Math.max(0.3, sigmas * typicalMove(close))
  const found: SplitJump[] = []
  for (let i = 1; i < n; i++) {
    const jump = open[i]! / close[i - 1]!
    if (jump < 1 + limit && jump > 1 / (1 + limit)) continue
    const ratio = SPLITS.find((candidate) => Math.abs(jump / candidate - 1) < 0.05)
    const stays = Math.abs(close[i]! / close[i - 1]! / jump - 1) < 0.2
    if (ratio !== undefined && stays) found.push({ row: i, time: time[i]!, ratio })
  }
  return found
}

/** 1.4826 × median |return|, the standard deviation of a Gaussian; over at most 20,000 evenly spaced returns. */
function typicalMove(close: Float64Array): number {
  const stride = Math.max(1, Math.ceil(close.length / 20_000))
  const moves = new Float64Array(Math.max(0, Math.ceil((close.length - 1) / stride)))
  let sum = 0
  for (let k = 0, i = 1; k < moves.length && i < close.length; k++, i += stride) {
    moves[k] = Math.abs(close[i]! / close[i - 1]! - 1)
    sum += moves[k]!
  }
  moves.sort()
  const median = moves[moves.length >> 1] ?? 0
  return median > 0 ? 1.4826 * median : moves.length > 0 ? (1.2533 * sum) / moves.length : 0
}
