import { type PresetName, simulate, trueFilter } from '@regimen/market'
import { fitHmm, hmmFilter, hmmStatistics } from '@regimen/regimes'
import { bench, type Figure } from './harness.ts'

const MARKETS = [
  { name: 'separable', preset: 'separable', states: 3 },
  { name: 'daily', preset: 'equity-daily', states: 6 },
] as const satisfies readonly { name: string; preset: PresetName; states: number }[]

/** Bars after a true change within which a switch counts as its detection and not as a false alarm. */
const GRACE = 20

export default bench({
  name: 'regimes-accuracy',
  description:
    'Filtered regimes of an HMM learned from the past, beside the filter that knows the simulator’s parameters',
  run(context) {
    const seeds = context.number('seeds', 20)
    const past = context.number('past', 4000)
    const ahead = context.number('ahead', 2000)
    const figures: { [name: string]: Figure } = {}
    for (const { name, preset, states } of MARKETS) {
      const totals: { [name: string]: number } = {}
      for (let seed = 1; seed <= seeds; seed++) {
        const scores = judge(preset, states, seed, past, ahead)
        for (const [key, value] of Object.entries(scores)) totals[key] = (totals[key] ?? 0) + value / seeds
        context.log(`${name} ${seed}: ${scores.accuracy_learned!.toFixed(4)} of ${scores.accuracy_true!.toFixed(4)}`)
      }
      for (const [key, value] of Object.entries(totals)) figures[`${name}_${key}`] = value
      for (const key of ['accuracy', 'trend_accuracy', 'volatility_accuracy', 'return_logscore'])
        figures[`${name}_${key}_ratio`] = totals[`${key}_learned`]! / totals[`${key}_true`]!
      // A log-score of probabilities is at most 0; its exponential is the geometric mean of what the truth was given.
      figures[`${name}_regime_logscore_ratio`] = Math.exp(totals.logscore_learned! - totals.logscore_true!)
    }
    return { figures }
  },
})

/** Learns on the past, filters what comes after; labels of the past only name the learned states. */
function judge(preset: PresetName, states: number, seed: number, past: number, ahead: number) {
  const n = past + ahead
  const { bars, regimes, parameters } = simulate(preset, { bars: n, seed })
  const names = parameters.regimes.map((regime) => regime.name)
  const k = names.length
  const returns = Float64Array.from(bars.close, (close, t) =>
    Math.log(close / (t > 0 ? bars.close[t - 1]! : bars.open[0]!)),
  )
  // The logarithm of a bar's range is nearly normal and tells the volatility of its bar.
  const rows = Array.from(returns, (r, t) => [100 * r, Math.log(Math.log(bars.high[t]! / bars.low[t]!) + 1e-6)])
  const model = fitHmm(rows.slice(0, past), { states, restarts: 6, sticky: 50, seed })
  const { filtered, predicted } = hmmFilter(model, rows)
  const naming = new Float64Array(states * k).fill(0.1)
  for (let t = 0; t < past; t++)
    for (let s = 0; s < states; s++) naming[s * k + regimes[t]!]! += filtered[t * states + s]!
  const learned = new Float64Array(n * k)
  for (let s = 0; s < states; s++) {
    const row = naming.subarray(s * k, (s + 1) * k)
    const total = row.reduce((a, b) => a + b, 0)
    for (let t = 0; t < n; t++)
      for (let j = 0; j < k; j++) learned[t * k + j]! += (filtered[t * states + s]! * row[j]!) / total
  }
  const truth = trueFilter(bars, { parameters })
  const statistics = hmmStatistics(model)
  let score = 0
  let ceiling = 0
  for (let t = past; t < n; t++) {
    let density = 0
    for (let s = 0; s < states; s++) {
      const { mean, deviation } = statistics[s]!
      const z = (100 * returns[t]! - mean[0]!) / deviation[0]!
      density += (predicted[t * states + s]! * Math.exp(-0.5 * z * z)) / (deviation[0]! * Math.sqrt(2 * Math.PI))
    }
    // Densities of returns, as the true filter's, not of hundredths.
    score += Math.log(100 * Math.max(density, 1e-300)) / ahead
    ceiling += truth.logScore[t]! / ahead
  }
  return {
    ...suffix(measure(learned, regimes, names, past), 'learned'),
    ...suffix(measure(truth.probabilities, regimes, names, past), 'true'),
    return_logscore_learned: score,
    return_logscore_true: ceiling,
  } as { [name: string]: number }
}

function measure(p: Float64Array, regimes: Uint8Array, names: readonly string[], from: number) {
  const k = names.length
  const n = regimes.length
  const axis = (part: number) => {
    const words = names.map((name) => name.split('-')[part]!)
    const distinct = [...new Set(words)]
    let right = 0
    for (let t = from; t < n; t++) {
      const shares = distinct.map((word) => words.reduce((sum, w, j) => sum + (w === word ? p[t * k + j]! : 0), 0))
      if (distinct[shares.indexOf(Math.max(...shares))] === words[regimes[t]!]) right++
    }
    return right / (n - from)
  }
  const told = Array.from({ length: n }, (_, t) => {
    const row = p.subarray(t * k, (t + 1) * k)
    return row.indexOf(Math.max(...row))
  })
  let right = 0
  let logscore = 0
  let changes = 0
  let found = 0
  let delay = 0
  let alarms = 0
  let lastChange = Number.NEGATIVE_INFINITY
  for (let t = from; t < n; t++) {
    if (told[t] === regimes[t]) right++
    logscore += Math.log(Math.max(p[t * k + regimes[t]!]!, 1e-6))
    if (t > from && regimes[t] !== regimes[t - 1]) {
      lastChange = t
      changes++
      let end = t
      while (end < n && regimes[end] === regimes[t] && told[end] !== regimes[t]) end++
      if (end < n && regimes[end] === regimes[t]) {
        found++
        delay += end - t
      }
    }
    if (t > from && told[t] !== told[t - 1] && t - lastChange > GRACE) alarms++
  }
  return {
    accuracy: right / (n - from),
    logscore: logscore / (n - from),
    trend_accuracy: axis(0),
    volatility_accuracy: axis(1),
    delay_bars: delay / Math.max(found, 1),
    detected: found / Math.max(changes, 1),
    false_alarms_per_1000: (1000 * alarms) / (n - from),
  }
}

function suffix(values: { [name: string]: number }, word: string): { [name: string]: number } {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${name}_${word}`, value]))
}
