import { boundTransform } from '../cma-es/bounds.ts'
import { type Engine, type EngineState, rankBatch } from '../engine/engine.ts'
import { checkCount, checkRange, type Setting } from '../engine/factory.ts'
import { type AnyPoint, middleOf, rangeScale } from '../engine/space.ts'

/** Options that the search distributions share. */
export interface GaussianOptions {
  /**
   * Initial step size, in units of a vector space's coordinates or widths of the range for named parameters, above 0.
   * @default 0.3 of each coordinate's range (1 where it has none)
   */
  readonly sigma?: number
  /**
   * Candidates per generation, from 4; even for algorithms that mirror.
   * @default 4 + floor(3 ln n), more for those that mirror
   */
  readonly populationSize?: number
}

/** A distribution over the space that samples and learns; the loop around it exists once. */
export interface Distribution {
  /** Its numbers, kept in the engine's state. */
  readonly state: EngineState
  /** Writes the step that the standard normal `z` stands for. */
  step(z: Float64Array, out: Float64Array): void
  /** Moves towards what `z` (count × n) did well: `order` is best first, `count` of them. */
  learn(z: Float64Array, order: Int32Array, count: number, mean: Float64Array): void
}

/** What the distribution is made from. */
export interface GaussianSetting {
  readonly n: number
  readonly size: number
  readonly scale: Float64Array
  readonly sigma: number
}

/**
 * Makes an engine that draws x = m + step(z) with z standard normal, in mirrored pairs where asked, and lets the
 * distribution learn from the ranks. Bounds are met by the transform of `cmaEs`.
 */
export function createGaussianEngine<Options extends GaussianOptions>(
  { id, options, codec, rng, start }: Setting<Options>,
  mirrored: boolean,
  defaultSize: (n: number) => number,
  create: (setting: GaussianSetting) => Distribution,
): Engine<AnyPoint> {
  const { n, lower, upper } = codec
  const asked = checkCount(id, 'populationSize', options.populationSize ?? defaultSize(n), 4)
  const size = mirrored ? asked + (asked % 2) : asked
  const sigma = checkRange(id, 'sigma', options.sigma ?? 0.3, Number.MIN_VALUE, 1e100)
  const scale = rangeScale(codec, options.sigma !== undefined)
  const transform = boundTransform(lower, upper)
  const distribution = create({ n, size, scale, sigma })
  const s: EngineState & { mean: Float64Array; pending: Float64Array; hasPending: boolean } = {
    ...distribution.state,
    mean: transform.invert(start ?? middleOf(codec)),
    pending: new Float64Array(n),
    hasPending: false,
  }
  // The distribution and the snapshot look at the same arrays.
  const z = new Float64Array(n)
  const step = new Float64Array(n)
  const shown = new Float64Array(n)
  const zs = new Float64Array(size * n)
  const order = new Int32Array(size)
  return {
    width: 2 * n,
    size,
    stopped: undefined,
    state: s,
    decode(rows, at) {
      transform.apply(rows, at, shown)
      return codec.decode(shown, 0)
    },
    propose(rows, at) {
      if (mirrored && s.hasPending) {
        for (let i = 0; i < n; i++) z[i] = -s.pending[i]!
        s.hasPending = false
      } else {
        rng.fillNormal(z)
        if (mirrored) {
          s.pending.set(z)
          s.hasPending = true
        }
      }
      distribution.step(z, step)
      for (let i = 0; i < n; i++) {
        rows[at + i] = s.mean[i]! + step[i]!
        rows[at + n + i] = z[i]!
      }
    },
    learn(batch) {
      rankBatch(batch, order)
      if (batch.violations[order[0]!] === Number.POSITIVE_INFINITY) return
      for (let k = 0; k < size; k++) zs.set(batch.rows.subarray(k * 2 * n + n, (k + 1) * 2 * n), k * n)
      distribution.learn(zs, order, size, s.mean)
    },
  }
}

/**
 * A distribution with a deviation of its own for each coordinate. `move` takes Σ w_k·z_k and Σ w_k·(z_k² − 1) of a coordinate, with
 * the weights by rank, and returns by how much its mean moves and by what factor its deviation changes.
 */
export function separable(
  { n, scale, sigma }: GaussianSetting,
  weights: Float64Array,
  move: (toMean: number, toSigma: number, i: number, deviation: number, count: number, out: Float64Array) => void,
): Distribution {
  const deviation = scale.map((one) => one * sigma)
  const change = new Float64Array(2)
  return {
    state: { deviation },
    step(z, out) {
      for (let i = 0; i < n; i++) out[i] = deviation[i]! * z[i]!
    },
    learn(z, order, count, mean) {
      for (let i = 0; i < n; i++) {
        let toMean = 0
        let toSigma = 0
        for (let k = 0; k < count; k++) {
          const one = z[order[k]! * n + i]!
          toMean += weights[k]! * one
          toSigma += weights[k]! * (one * one - 1)
        }
        move(toMean, toSigma, i, deviation[i]!, count, change)
        mean[i]! += change[0]!
        deviation[i]! *= change[1]!
      }
    },
  }
}

/** Utilities of natural evolution strategies by rank: log-shaped, summing to 0. */
export function utilities(count: number): Float64Array {
  const u = Float64Array.from({ length: count }, (_, k) => Math.max(0, Math.log(count / 2 + 1) - Math.log(k + 1)))
  const total = u.reduce((sum, one) => sum + one, 0)
  return u.map((one) => one / total - 1 / count)
}

/** Centred ranks from ½ (best) to −½. */
export function centredRanks(count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, k) => 0.5 - k / (count - 1))
}
