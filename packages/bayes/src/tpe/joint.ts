import type { Rng } from '@regimen/core'
import type { ParzenSettings } from './axis.ts'
import type { Column } from './column.ts'
import { drawTruncated, insideMass, massBetween, pickKernel } from './mixture.ts'
import { type Grade, Ranking } from './ranking.ts'

const LOG_SQRT_2PI = 0.5 * Math.log(2 * Math.PI)

/** Kernels over several parameters at once; kernel 0 is the prior. */
interface Kernels {
  size: number
  /** Row-major size × D: coordinates, or choices. */
  centers: Float64Array
  /** Width of all kernels but the prior. */
  sigma: number
  weight: Float64Array
  /** ln weight − Σ ln(σ·√2π·Z) over the real dimensions, − Σ ln Z over the grids; with equal heights − Σ ln Z. */
  base: Float64Array
  /** Scratch of one candidate. */
  scores: Float64Array
}

/**
 * The model of several parameters that always occur together: one product kernel per observation, so that interactions are
 * seen. Widths follow Scott's rule, 0.2·n^(−1/(D+4)). Beyond `maxKernels` the older half of the rest is thinned evenly.
 */
export class Joint {
  readonly #columns: readonly Column[]
  readonly #settings: ParzenSettings
  readonly #maxKernels: number
  readonly #ranking: Ranking
  readonly #arrivals: number[] = []
  readonly #isBelow: Map<number, boolean> = new Map()
  readonly #belowWeights: Map<number, number> = new Map()
  readonly #good: Kernels
  readonly #rest: Kernels

  constructor(columns: readonly Column[], settings: ParzenSettings, maxKernels: number, grade: (id: number) => Grade) {
    this.#columns = columns
    this.#settings = settings
    this.#maxKernels = maxKernels
    this.#ranking = new Ranking(settings.gamma, grade)
    this.#good = createKernels(64, columns.length)
    this.#rest = createKernels(256, columns.length)
  }

  get size(): number {
    return this.#arrivals.length
  }

  add(id: number): void {
    this.#arrivals.push(id)
    this.#ranking.add(id, (moved, below) => this.#isBelow.set(moved, below))
  }

  split(below: readonly number[], weights: readonly number[]): void {
    this.#belowWeights.clear()
    for (const [k, id] of below.entries()) this.#belowWeights.set(id, weights[k]!)
    for (const id of this.#arrivals) this.#isBelow.set(id, this.#belowWeights.has(id))
  }

  /** The best of `candidates` draws, as coordinates; `liars` are running trials. */
  propose(rng: Rng, liars: readonly number[]): Float64Array {
    const columns = this.#columns
    const d = columns.length
    this.#fit(liars)
    const good = this.#good
    const best = new Float64Array(d)
    const candidate = new Float64Array(d)
    const bounds = new Float64Array(2 * d)
    const stretch = new Float64Array(3)
    let bestScore = Number.NEGATIVE_INFINITY
    for (let k = 0; k < this.#settings.candidates; k++) {
      const kernel = pickKernel(rng, good.weight, good.size)
      for (let j = 0; j < d; j++) {
        const column = columns[j]!
        const center = good.centers[kernel * d + j]!
        if (column.categorical) {
          candidate[j] = this.#drawChoice(rng, column.levels, kernel === 0 ? -1 : center, good.size)
          continue
        }
        candidate[j] = drawTruncated(rng, center, kernel === 0 ? 1 : good.sigma)
        if (Number.isFinite(column.levels)) {
          column.stretch(candidate[j]!, stretch)
          candidate[j] = stretch[0]!
          bounds[2 * j] = stretch[1]!
          bounds[2 * j + 1] = stretch[2]!
        }
      }
      const score = this.#logDensity(good, candidate, bounds) - this.#logDensity(this.#rest, candidate, bounds)
      if (score > bestScore) {
        bestScore = score
        best.set(candidate)
      }
    }
    return best
  }

  #drawChoice(rng: Rng, choices: number, center: number, kernels: number): number {
    const spread = this.#settings.priorWeight / kernels
    if (center < 0 || rng.uniform() * (1 + choices * spread) >= 1) return rng.int(0, choices)
    return center
  }

  #fit(liars: readonly number[]): void {
    const below: number[] = []
    const above: number[] = []
    const weightsAbove: number[] = []
    const n = this.#arrivals.length
    const aging = n - this.#settings.recent
    const slope = aging > 1 ? (1 - 1 / n) / (aging - 1) : 0
    const belowCount = this.#ranking.below
    // Thin the older ones so that about maxKernels stay; what stays weighs for what goes.
    const surplus = n - belowCount - this.#maxKernels
    const half = Math.max(0, n - Math.floor(this.#maxKernels / 2))
    const stride = surplus > 0 ? half / Math.max(1, half - surplus) : 1
    let next = 0
    for (let i = 0; i < n; i++) {
      const id = this.#arrivals[i]!
      if (this.#isBelow.get(id)) {
        below.push(id)
        continue
      }
      const thinned = surplus > 0 && i < half
      if (thinned) {
        if (i < next) continue
        next += stride
      }
      above.push(id)
      weightsAbove.push((i >= aging ? 1 : 1 / n + i * slope) * (thinned ? stride : 1))
    }
    for (const id of liars) {
      above.push(id)
      weightsAbove.push(1)
    }
    const weightsBelow = below.map((id) => this.#belowWeights.get(id) ?? 1)
    this.#build(this.#good, below, weightsBelow, below.length)
    this.#build(this.#rest, above, weightsAbove, n - below.length + liars.length)
  }

  #build(out: Kernels, ids: readonly number[], weights: readonly number[], observations: number): void {
    const columns = this.#columns
    const d = columns.length
    const size = ids.length + 1
    if (out.weight.length < size) Object.assign(out, createKernels(2 * size, d))
    out.size = size
    const least = this.#settings.magicClip ? 1 / Math.min(100, observations + 2) : 1e-12
    const sigma = Math.min(Math.max(0.2 * Math.max(observations, 1) ** (-1 / (d + 4)), least), 1)
    out.sigma = sigma
    const { equalHeights } = this.#settings
    let total = this.#settings.priorWeight
    out.weight[0] = total
    for (let k = 1; k < size; k++) {
      out.weight[k] = weights[k - 1]!
      total += out.weight[k]!
    }
    for (let k = 0; k < size; k++) {
      out.weight[k]! /= total
      let base = Math.log(out.weight[k]!)
      const width = k === 0 ? 1 : sigma
      for (let j = 0; j < d; j++) {
        const column = columns[j]!
        const center = k === 0 ? 0.5 : column.at(ids[k - 1]!)
        out.centers[k * d + j] = center
        if (column.categorical) continue
        const inside = insideMass(center, width)
        if (inside < 1) base -= Math.log(inside)
        if (!Number.isFinite(column.levels) && !equalHeights) base -= Math.log(width) + LOG_SQRT_2PI
      }
      out.base[k] = base
    }
  }

  /** ln of the mixture's density; `bounds` holds the stretches of grid values. */
  #logDensity(kernels: Kernels, x: Float64Array, bounds: Float64Array): number {
    const columns = this.#columns
    const d = columns.length
    const { size, centers, base, scores } = kernels
    const spread = this.#settings.priorWeight / size
    const precision = 0.5 / (kernels.sigma * kernels.sigma)
    let top = Number.NEGATIVE_INFINITY
    for (let k = 0; k < size; k++) {
      let score = base[k]!
      const rate = k === 0 ? 0.5 : precision
      for (let j = 0; j < d; j++) {
        const column = columns[j]!
        if (column.categorical) {
          const choices = column.levels
          score +=
            k === 0
              ? -Math.log(choices)
              : Math.log(((centers[k * d + j] === x[j] ? 1 : 0) + spread) / (1 + choices * spread))
        } else if (column.levels === Number.POSITIVE_INFINITY) {
          const gap = x[j]! - centers[k * d + j]!
          score -= rate * gap * gap
        } else {
          const width = k === 0 ? 1 : kernels.sigma
          score += Math.log(massBetween(centers[k * d + j]!, width, bounds[2 * j]!, bounds[2 * j + 1]!))
        }
        // The prior's kernel came first, so that far kernels are left early.
        if (score < top - 40) break
      }
      scores[k] = score
      if (score > top) top = score
    }
    let sum = 0
    for (let k = 0; k < size; k++) {
      const gap = scores[k]! - top
      if (gap > -40) sum += Math.exp(gap)
    }
    return top + Math.log(sum)
  }
}

function createKernels(capacity: number, d: number): Kernels {
  return {
    size: 0,
    centers: new Float64Array(capacity * d),
    sigma: 1,
    weight: new Float64Array(capacity),
    base: new Float64Array(capacity),
    scores: new Float64Array(capacity),
  }
}
