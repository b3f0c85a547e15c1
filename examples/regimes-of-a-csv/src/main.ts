// From a messy price file to the regime that is in force.
import assert from 'node:assert/strict'
import { loadCsv, simulate } from '@regimen/market'
import { fitHmm, hmmFilter, hmmPredictNext, hmmViterbi, labelStates } from '@regimen/regimes'

// A file as they come: newest first, one row twice, one price missing.
const market = simulate('equity-daily', { bars: 2000, seed: 4 })
const lines = Array.from(market.bars.time, (time, i) => {
  const { open, high, low, close } = market.bars
  const cells = [open, high, low, close].map((column) => column[i]!.toFixed(4))
  if (i === 700) cells[3] = ''
  return [new Date(time).toISOString().slice(0, 10), ...cells].join(';')
}).reverse()
lines.splice(100, 0, lines[100]!)
const { bars, report } = loadCsv(`Date;Open;High;Low;Close\n${lines.join('\n')}\n`, {
  repair: { duplicates: 'last', missing: 'drop' },
})
console.log(
  `${bars.time.length} bars; ${report.repairs.map(({ kind, count }) => `${count} ${kind}`).join(', ')} repaired`,
)

// Daily return and the logarithm of the day's range, both in percent.
const rows = Array.from(bars.close, (close, i) => [
  100 * Math.log(close / bars.close[Math.max(0, i - 1)]!),
  Math.log(100 * Math.log(bars.high[i]! / bars.low[i]!)),
])
const hmm = fitHmm(rows, { states: 4, sticky: 10, restarts: 4, maxIterations: 100, seed: 1 })
const { filtered } = hmmFilter(hmm, rows)
const { path } = hmmViterbi(hmm, rows)
const k = hmm.states
const now = filtered.slice((rows.length - 1) * k)
const next = hmmPredictNext(hmm, now)

assert.ok(hmm.emission.family === 'gaussian')
const { means, covariances } = hmm.emission
const states = Array.from({ length: k }, (_, j) => ({
  mean: means.data[2 * j]! / 100,
  deviation: Math.sqrt(covariances.data[4 * j]!) / 100,
}))
console.log('regime          a year  volatility  lasts, bars     now  next bar')
for (const [j, { name }] of labelStates(states).entries()) {
  const { mean, deviation } = states[j]!
  const percent = (value: number, width: number): string => `${(100 * value).toFixed(1)} %`.padStart(width)
  const lasts = (1 / (1 - hmm.transition.data[j * k + j]!)).toFixed(1)
  console.log(
    `${name.padEnd(13)}${percent(261 * mean, 9)}${percent(deviation * Math.sqrt(261), 12)}${lasts.padStart(13)}${percent(now[j]!, 8)}${percent(next[j]!, 10)}`,
  )
}

// In hindsight the path is smoother; only the filter may be traded on.
const agree = Array.from(path, (state, t) => {
  const row = filtered.subarray(t * k, (t + 1) * k)
  return row.indexOf(Math.max(...row)) === state
}).filter(Boolean).length
console.log(`the filter agrees with hindsight on ${((100 * agree) / rows.length).toFixed(1)} % of the bars`)

assert.equal(bars.time.length, 1999)
assert.ok(Math.abs(now.reduce((a, b) => a + b, 0) - 1) < 1e-9)
assert.ok(agree / rows.length > 0.7)
