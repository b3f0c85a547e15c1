import { lbfgs, numericalGradient } from '@regimen/core/math'
import { type BarBeliefs, type BarParameters, filterBars, type Shocks, shockScale } from './bar-filter.ts'
import type { BarSeries } from './bar-series.ts'

/** Pseudo-observations: moves to each regime, bars that echo nothing, ends and bars of a typical stay. */
const PRIOR = { move: 0.5, silent: 20, end: 1, hold: 30 }

/** Expected masses below this are not worth their bar. */
const LEAST = 1e-4

/** Updates what each regime has of its own from smoothed stages and expected transitions, given the variance factors. */
export function maximizeRegimes(
  p: BarParameters,
  series: readonly BarSeries[],
  beliefs: BarBeliefs,
  smoothed: Float64Array,
  pairs: Float64Array,
): void {
  const { k, stages, drift, scale, echo, shocks } = p
  const n = k * stages
  const weigh = shockWeights(shocks)
  const masses = new Float64Array(smoothed.length / n)
  for (let s = 0; s < k; s++) {
    for (let t = 0; t < masses.length; t++) {
      let mass = 0
      for (let a = t * n + s * stages, end = a + stages; a < end; a++) mass += smoothed[a]!
      masses[t] = mass
    }
    const variance = scale[s]! * scale[s]!
    const residual = (x: BarSeries, t: number): number =>
      x.returns[t]! - drift[s]! - (t > 0 ? echo[s]! * (x.returns[t - 1]! - drift[s]!) : 0)
    // Weighted regression of the return on the one before.
    let w0 = 0
    let w1 = 0
    let w2 = 0
    let v0 = 0
    let v1 = 0
    each(series, masses, (x, t, mass, at) => {
      if (t === 0) return
      const h = beliefs.factor[at * k + s]!
      const w = (mass * weigh(residual(x, t) / Math.sqrt(variance * h)).core) / h
      const before = x.returns[t - 1]!
      w0 += w
      w1 += w * before
      w2 += w * before * before
      v0 += w * x.returns[t]!
      v1 += w * x.returns[t]! * before
    })
    w2 += PRIOR.silent * variance
    const determinant = w0 * w2 - w1 * w1
    if (determinant > 0) {
      const slope = Math.max(-0.9, Math.min(0.9, (w0 * v1 - w1 * v0) / determinant))
      echo[s] = slope
      drift[s] = (v0 - slope * w1) / w0 / (1 - slope)
    }
    let square = 0
    let freedom = 0
    each(series, masses, (x, t, mass, at) => {
      const h = beliefs.factor[at * k + s]!
      const e = residual(x, t)
      const { core, jump } = weigh(e / Math.sqrt(variance * h))
      square += (mass * (core * e * e + x.spread[t]!)) / h
      freedom += mass * (1 - jump + x.freedom[t]!)
    })
    if (square > 0 && freedom > 1) scale[s] = Math.sqrt(square / freedom)
  }
  if (k > 1) maximizeStays(p, pairs)
}

function each(
  series: readonly BarSeries[],
  masses: Float64Array,
  visit: (x: BarSeries, t: number, mass: number, at: number) => void,
): void {
  let base = 0
  for (const x of series) {
    for (let t = 0; t < x.rows; t++) if (masses[base + t]! > LEAST) visit(x, t, masses[base + t]!, base + t)
    base += x.rows
  }
}

/** Given a shock: the expected precision of its normal core, and P(it is a jump). The answer is one object, reused. */
function shockWeights(shocks: Shocks): (z: number) => { core: number; jump: number } {
  const { degrees: v, jumpRate, jumpMean, jumpDeviation } = shocks
  const { tail, jump: peak } = shockScale(shocks)
  const out = { core: 1, jump: 0 }
  return (z) => {
    const j = (z - jumpMean) / jumpDeviation
    const jump = jumpRate > 0 ? peak * Math.exp(-0.5 * j * j) : 0
    const body = tail * Math.exp((-(v + 1) / 2) * Math.log1p((z * z) / (v - 2)))
    out.jump = jump / (jump + body)
    out.core = ((1 - out.jump) * (v + 1)) / (v - 2 + z * z)
    return out
  }
}

/** Each stage is held or ended bar by bar: the leaving probability is ends / (ends + bars held). */
function maximizeStays(p: BarParameters, pairs: Float64Array): void {
  const { k, stages, leave, moves } = p
  const n = k * stages
  const to = new Float64Array(k)
  for (let s = 0; s < k; s++) {
    let ended = PRIOR.end
    let held = PRIOR.hold
    to.fill(PRIOR.move)
    to[s] = 0
    for (let a = 0; a < stages; a++) {
      const row = (s * stages + a) * n
      for (let b = a; b < stages; b++) {
        ended += (b - a) * pairs[row + s * stages + b]!
        held += pairs[row + s * stages + b]!
      }
      for (let j = 0; j < k; j++) {
        if (j === s) continue
        to[j]! += pairs[row + j * stages]!
        ended += (stages - a) * pairs[row + j * stages]!
      }
    }
    leave[s] = ended / (ended + held)
    const total = to.reduce((sum, value) => sum + value, 0)
    for (let j = 0; j < k; j++) moves[s * k + j] = to[j]! / total
  }
}

/** Units in which the shared numbers are of a size, and their bounds: alpha, gamma, beta, ln(degrees − 2), jumps. */
const UNIT = [0.01, 0.01, 0.02, 0.1, 0.001, 0.3, 0.3]
const LOWER = [0, -0.1, 0, Math.log(0.5), 0, -3, 2]
const UPPER = [0.3, 0.3, 0.98, Math.log(100), 0.03, 3, 6]

/** Climbs the likelihood in what all regimes share, a few quasi-Newton steps. */
export function maximizeShocks(p: BarParameters, series: readonly BarSeries[], maxIterations: number): void {
  const { alpha, gamma, beta, degrees, jumpRate, jumpMean, jumpDeviation } = p.shocks
  const read = (v: Float64Array): Shocks => {
    const [a, g, b, d, rate, mean, deviation] = v.map((value, i) => value * UNIT[i]!)
    // Projected to where variance is positive and has a mean.
    const gamma = Math.max(g!, -a!)
    return {
      alpha: a!,
      gamma,
      beta: Math.min(b!, 0.995 - a! - gamma / 2),
      degrees: 2 + Math.exp(d!),
      jumpRate: rate!,
      jumpMean: mean!,
      jumpDeviation: deviation!,
    }
  }
  const loss = (v: Float64Array): number => {
    p.shocks = read(v)
    let total = 0
    for (const x of series) total += filterBars(p, x)
    return -total
  }
  const units = (values: readonly number[]): number[] => values.map((value, i) => value / UNIT[i]!)
  const from = units([alpha, gamma, beta, Math.log(degrees - 2), jumpRate, jumpMean, jumpDeviation])
  const { x } = lbfgs(
    (v, gradient) => {
      numericalGradient(loss, v, gradient)
      return loss(v)
    },
    from,
    { maxIterations, lower: units(LOWER), upper: units(UPPER), gradientTolerance: 1e-3 },
  )
  p.shocks = read(x)
}
