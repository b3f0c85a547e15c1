import { check, describe } from '@regimen/core'

/** When a market trades. */
export interface TradingHours {
  /** Days of the week with trading, 0 = Sunday … 6 = Saturday. */
  days: readonly number[]
  /** Minutes after midnight UTC at which bars begin. @default 0 */
  from?: number
  /** Minutes after midnight UTC at which bars end. @default 1440 */
  to?: number
  /** Days without trading, `YYYY-MM-DD`. @default none */
  holidays?: readonly string[]
}

/**
 * What bars to expect: `'always'` around the clock, `'weekdays'` Monday to Friday, explicit hours, or `'auto'`, the hours
 * of the week at which most weeks have a bar.
 */
export type Calendar = 'auto' | 'always' | 'weekdays' | TradingHours

/** Counts expected bars between two times. */
export interface ExpectedBars {
  /** Bars that should open strictly between two bars that open at these times. */
  between(first: number, second: number): number
  /** The most that one day expects, or 0 for a market that never closes. */
  readonly perDay: number
}

const DAY = 86_400_000
const WEEK = 7 * DAY
// 1970-01-04 was a Sunday, day 0 of a week.
const SUNDAY = 3 * DAY
const MAX_SLOTS = 100_800

/** Prepares a calendar for bars of one interval; `time` (ascending) is what `'auto'` looks at. */
export function expectedBars(calendar: Calendar, interval: number, time: Float64Array): ExpectedBars {
  const slots = WEEK / interval
  if (calendar === 'always' || !Number.isInteger(slots) || slots > MAX_SLOTS || slots < 2) {
    return { between: (a, b) => Math.max(0, Math.ceil((b - a) / interval - 1e-6) - 1), perDay: 0 }
  }
  const open = calendar === 'auto' ? usualSlots(time, interval, slots) : statedSlots(calendar, interval, slots)
  const before = new Float64Array(slots + 1)
  for (let k = 0; k < slots; k++) before[k + 1] = before[k]! + open[k]!
  const total = before[slots]!
  const cyclic = (from: number, count: number): number => {
    const whole = Math.floor(count / slots)
    const rest = count - whole * slots
    const to = from + rest
    const part = to <= slots ? before[to]! - before[from]! : before[slots]! - before[from]! + before[to - slots]!
    return whole * total + part
  }
  const slotOf = (t: number): number => Math.floor(((((t - SUNDAY) % WEEK) + WEEK) % WEEK) / interval) % slots
  const holidays =
    typeof calendar === 'object' ? (calendar.holidays ?? []).map((day) => Date.parse(`${day}T00:00:00Z`)) : []
  const daily = Math.max(1, Math.floor(DAY / interval))
  let perDay = 0
  for (let day = 0; day < 7; day++) {
    const from = Math.round((day * DAY) / interval)
    perDay = Math.max(perDay, before[Math.min(slots, from + daily)]! - before[from]!)
  }
  return {
    between(first, second) {
      const count = Math.max(0, Math.ceil((second - first) / interval - 1e-6) - 1)
      if (count === 0) return 0
      let expected = cyclic(slotOf(first + interval), count)
      for (const day of holidays) {
        if (day > first && day < second) expected -= cyclic(slotOf(day), daily)
      }
      return Math.max(0, expected)
    },
    perDay: total === slots ? 0 : perDay,
  }
}

function statedSlots(calendar: 'weekdays' | TradingHours, interval: number, slots: number): Uint8Array {
  const hours: TradingHours = calendar === 'weekdays' ? { days: [1, 2, 3, 4, 5] } : calendar
  const { from = 0, to = 1440, days, holidays = [] } = hours
  check(
    Array.isArray(days) && days.length > 0 && days.every((day) => Number.isInteger(day) && day >= 0 && day <= 6),
    'market/calendar',
    () => `days must be numbers from 0 (Sunday) to 6, got ${describe(days)}.`,
  )
  check(
    from >= 0 && to <= 1440 && from < to,
    'market/calendar',
    () => `from and to must be minutes, got ${from}, ${to}.`,
  )
  check(
    holidays.every((day) => /^\d{4}-\d{2}-\d{2}$/.test(day) && !Number.isNaN(Date.parse(day))),
    'market/calendar',
    () => `holidays must be YYYY-MM-DD, got ${describe(holidays)}.`,
  )
  const open = new Uint8Array(slots)
  for (let k = 0; k < slots; k++) {
    const at = k * interval
    const day = Math.floor(at / DAY)
    const minute = (at - day * DAY) / 60_000
    open[k] = days.includes(day) && (interval >= DAY || (minute >= from && minute < to)) ? 1 : 0
  }
  return open
}

/** Slots that at least 60 % as many weeks have as the fullest one; in under three weeks, every slot of a day with bars. */
function usualSlots(time: Float64Array, interval: number, slots: number): Uint8Array {
  const counts = new Float64Array(slots)
  let week = Number.NaN
  for (let i = 0; i < time.length; i++) {
    // Remainders are slow, and few bars begin a week.
    if (!(time[i]! >= week && time[i]! < week + WEEK)) week = SUNDAY + Math.floor((time[i]! - SUNDAY) / WEEK) * WEEK
    const slot = Math.floor((time[i]! - week) / interval)
    counts[slot] = counts[slot]! + 1
  }
  const open = new Uint8Array(slots)
  const span = time.length > 1 ? time[time.length - 1]! - time[0]! : 0
  if (span >= 3 * WEEK) {
    let most = 0
    for (const count of counts) most = Math.max(most, count)
    for (let k = 0; k < slots; k++) open[k] = counts[k]! >= 0.6 * most ? 1 : 0
    return open
  }
  const traded = new Set<number>()
  for (let k = 0; k < slots; k++) if (counts[k]! > 0) traded.add(Math.floor((k * interval) / DAY))
  for (let k = 0; k < slots; k++) open[k] = traded.has(Math.floor((k * interval) / DAY)) ? 1 : 0
  return open
}
