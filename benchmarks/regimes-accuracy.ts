import { assign } from '@regimen/core/math'
import { type MarketParameters, type PresetName, simulate, trueFilter } from '@regimen/market'
import { type BarColumns, type BarRegimeModel, barRegimeFilter, fitBarRegimes } from '@regimen/regimes'
import { bench, type Figure } from './harness.ts'

/** `panel` learns one model from the pasts of all series, `own` one for each series from its own. */
const MARKETS = [
  { name: 'separable', preset: 'separable', mode: 'own' },
  { name: 'daily', preset: 'equity-daily', mode: 'panel' },
  { name: 'daily_own', preset: 'equity-daily', mode: 'own' },
  { name: 'daily_oracle', preset: 'equity-daily', mode: 'oracle' },
] as const satisfies readonly { name: string; preset: PresetName; mode: 'own' | 'panel' | 'oracle' }[]

/** Bars after a true change within which a switch counts as its detection and not as a false alarm. */
const GRACE = 20

export default bench({
  name: 'regimes-accuracy',
  description: 'Filtered regimes learned from past bars, beside the filter that knows the simulator’s parameters',
  run(context) {
    const count = context.number('seeds', 20)
    const past = context.number('past', 4000)
    const ahead = context.number('ahead', 2000)
    const restarts = context.number('restarts', 3)
    const only = context.args.find((arg) => MARKETS.some(({ name }) => name === arg))
    const figures: { [name: string]: Figure } = {}
    for (const { name, preset, mode } of MARKETS) {
      if (only !== undefined && only !== name) continue
      const markets = Array.from({ length: count }, (_, i) => marketOf(preset, i + 1, past, ahead))
      const regimes = markets[0]!.names.length
      const learn = (from: readonly Market[]): BarRegimeModel =>
        mode === 'oracle'
          ? knownModel(from[0]!.parameters)
          : fitBarRegimes(
              from.map((market) => head(market.bars, past)),
              { regimes, restarts, seed: 1 },
            )
      const groups = mode === 'own' ? markets.map((market) => [market]) : [markets]
      const totals: { [name: string]: number } = {}
      groups.forEach((group, g) => {
        const model = learn(group)
        const beliefs = group.map((market) => barRegimeFilter(model, market.bars))
        // The labels of the past only say which learned regime has which name, one to one.
        const names = nameRegimes(group, beliefs, past)
        const before = totals.accuracy_learned ?? 0
        group.forEach((market, i) => {
          const { filtered, logReturn } = beliefs[i]!
          const learned = new Float64Array(filtered.length)
          for (let t = 0; t < past + ahead; t++)
            for (let s = 0; s < regimes; s++) learned[t * regimes + names[s]!] = filtered[t * regimes + s]!
          const { truth } = market
          const scores = {
            ...suffix(measure(learned, market.regimes, market.names, past), 'learned'),
            ...suffix(measure(truth.probabilities, market.regimes, market.names, past), 'true'),
            return_logscore_learned: mean(logReturn.subarray(past)),
            return_logscore_true: mean(truth.logScore.subarray(past)),
          }
          for (const [key, value] of Object.entries(scores)) totals[key] = (totals[key] ?? 0) + value / count
        })
        const accuracy = ((totals.accuracy_learned! - before) * count) / group.length
        context.log(`${name} ${g + 1} of ${groups.length}: ${accuracy.toFixed(4)}`)
      })
      for (const [key, value] of Object.entries(totals)) figures[`${name}_${key}`] = value
      for (const key of ['accuracy', 'trend_accuracy', 'volatility_accuracy', 'return_logscore'])
        figures[`${name}_${key}_ratio`] = totals[`${key}_learned`]! / totals[`${key}_true`]!
      // A log-score of probabilities is at most 0; its exponential is the geometric mean of what the truth was given.
      figures[`${name}_regime_logscore_ratio`] = Math.exp(totals.logscore_learned! - totals.logscore_true!)
    }
    return { figures }
  },
})

type Market = ReturnType<typeof marketOf>

function marketOf(preset: PresetName, seed: number, past: number, ahead: number) {
  const { bars, regimes, parameters } = simulate(preset, { bars: past + ahead, seed })
  const names = parameters.regimes.map((regime) => regime.name)
  return { bars, regimes, parameters, names, truth: trueFilter(bars, { parameters }) }
}

function head({ open, high, low, close }: BarColumns, rows: number): BarColumns {
  const cut = (column: ArrayLike<number>): Float64Array => Float64Array.from({ length: rows }, (_, t) => column[t]!)
  return { open: cut(open), high: cut(high), low: cut(low), close: cut(close) }
}

function nameRegimes(group: readonly Market[], beliefs: readonly { filtered: Float64Array }[], past: number) {
  const k = group[0]!.names.length
  const missed = Array.from({ length: k }, () => new Array<number>(k).fill(0))
  group.forEach(({ regimes }, i) => {
    const { filtered } = beliefs[i]!
    for (let t = 0; t < past; t++) for (let s = 0; s < k; s++) missed[s]![regimes[t]!]! -= filtered[t * k + s]!
  })
  return assign(missed).columns
}

/** The model of bars at the simulator’s own parameters: what is lost to the family and not to learning. */
function knownModel(parameters: MarketParameters): BarRegimeModel {
  const { regimes, transitions, durationShape: stages, barsPerYear, innovations, overnight } = parameters
  const { garch, jumps, degreesOfFreedom } = innovations
  const k = regimes.length
  const leaf = (shape: number[], values: number[]) =>
    ({ dtype: 'float64', shape, data: Float64Array.from(values) }) as const
  return {
    kind: 'bar-regimes',
    regimes: k,
    stages,
    drift: leaf(
      [k],
      regimes.map((regime) => regime.drift / barsPerYear),
    ),
    scale: leaf(
      [k],
      regimes.map((regime) => regime.volatility / Math.sqrt(barsPerYear)),
    ),
    echo: leaf(
      [k],
      regimes.map((regime) => regime.autoregression),
    ),
    leave: leaf(
      [k],
      regimes.map(({ duration }) => stages / (stages + duration - 1)),
    ),
    moves: leaf([k, k], transitions.flat()),
    shocks: {
      alpha: garch!.alpha,
      gamma: garch!.gamma,
      beta: garch!.beta,
      degrees: degreesOfFreedom!,
      jumpRate: jumps!.perYear / barsPerYear,
      jumpMean: jumps!.mean,
      jumpDeviation: jumps!.deviation,
    },
    gapShare: overnight,
    logLikelihood: 0,
    history: [],
    converged: true,
    rows: 0,
  }
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
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
