import type { FeatureFamily } from './types.ts'

const DAY = 86_400_000
const TURN = 2 * Math.PI

/**
 * Where the bar's open stands in the day (by the minute), the week (from Monday), the month and the quarter (by the day), each
 * as sine and cosine, so that the end of a cycle meets its beginning. UTC.
 */
export const seasonality: FeatureFamily = {
  features: ['hour', 'weekday', 'month', 'quarter'].flatMap((name) => [
    { name: `${name}Sin`, warmup: 1 },
    { name: `${name}Cos`, warmup: 1 },
  ]),
  byTime(time, out) {
    const size = time.length
    const [hourSin, hourCos] = out
    const calendar = new Float64Array(6)
    for (let begin = 0; begin < size; ) {
      const day = Math.floor(time[begin]! / DAY)
      const midnight = day * DAY
      let end = begin
      do {
        const minute = Math.floor((time[end]! - midnight) / 60_000)
        if (hourSin) hourSin[end] = SIN[minute]!
        if (hourCos) hourCos[end] = SIN[minute < 1080 ? minute + 360 : minute - 1080]!
        end++
      } while (end < size && time[end]! < midnight + DAY)
      ofDay(day, calendar, 0)
      for (let k = 0; k < 6; k++) out[k + 2]?.fill(calendar[k]!, begin, end)
      begin = end
    }
  },
  push({ time }, out, k) {
    const day = Math.floor(time / DAY)
    const minute = Math.floor((time - day * DAY) / 60_000)
    out[k] = SIN[minute]!
    out[k + 1] = SIN[(minute + 360) % 1440]!
    ofDay(day, out, k + 2)
  },
}

const SIN = Float64Array.from({ length: 1440 }, (_, minute) => Math.sin((TURN * minute) / 1440))

function ofDay(day: number, out: Float64Array, k: number): void {
  // 1970-01-01 was a Thursday, three days after Monday.
  const weekday = (((day + 3) % 7) + 7) % 7
  const date = new Date(day * DAY)
  const year = date.getUTCFullYear()
  const month = date.getUTCMonth()
  const first = Date.UTC(year, month, 1) / DAY
  const inMonth = (day - first) / (Date.UTC(year, month + 1, 1) / DAY - first)
  const start = Date.UTC(year, month - (month % 3), 1) / DAY
  const inQuarter = (day - start) / (Date.UTC(year, month - (month % 3) + 3, 1) / DAY - start)
  out[k] = Math.sin((TURN * weekday) / 7)
  out[k + 1] = Math.cos((TURN * weekday) / 7)
  out[k + 2] = Math.sin(TURN * inMonth)
  out[k + 3] = Math.cos(TURN * inMonth)
  out[k + 4] = Math.sin(TURN * inQuarter)
  out[k + 5] = Math.cos(TURN * inQuarter)
}
