import type { Rng } from '@regimen/core'
import type { Column } from './column.ts'
import {
  createMixture,
  densityAt,
  drawTruncated,
  finishMixture,
  type Mixture,
  massAt,
  neighbourWidths,
  pickKernel,
} from './mixture.ts'
import { type Grade, Ranking } from './ranking.ts'

/** What shapes a Parzen model; the fields are those of `TpeOptions`. */
export interface ParzenSettings {
  readonly candidates: number
  readonly priorWeight: number
  readonly magicClip: boolean
  readonly equalHeights: boolean
  readonly gamma: (n: number) => number
  /** Observations that always count in full; older ones count less the older they are. Infinity: all in full. */
  readonly recent: number
}

const CELLS = 400

/**
 * The model of one parameter by itself. The rest ("above") is kept in 400 cells, a quarter of the narrowest kernel each;
 * observations in one cell act as one kernel at their mean. So an added trial costs a constant time, and a proposal does not
 * depend on how many trials there were. Weights fall linearly with age: with n observations the i-th (from 0) weighs
 * 1/n + i·(1 − 1/n)/(n − recent − 1) unless it is one of the last `recent`, which weigh 1.
 */
export class Axis {
  readonly #column: Column
  readonly #settings: ParzenSettings
  readonly #ranking: Ranking
  readonly #belowIds: number[] = []
  /** Weights of the good ones where they differ. */
  readonly #belowWeights: Map<number, number> = new Map()
  readonly #arrivals: number[] = []
  readonly #arrivalOf: Map<number, number> = new Map()
  readonly #isBelow: Map<number, boolean> = new Map()
  readonly #cells: number
  readonly #count: Float64Array
  readonly #sum: Float64Array
  readonly #old: Float64Array
  readonly #oldIndex: Float64Array
  readonly #good: Mixture
  readonly #rest: Mixture
  readonly #stretch = new Float64Array(3)

  constructor(column: Column, settings: ParzenSettings, grade: (id: number) => Grade) {
    this.#column = column
    this.#settings = settings
    this.#ranking = new Ranking(settings.gamma, grade)
    this.#cells = Math.min(column.levels, CELLS)
    this.#count = new Float64Array(this.#cells)
    this.#sum = new Float64Array(this.#cells)
    this.#old = new Float64Array(this.#cells)
    this.#oldIndex = new Float64Array(this.#cells)
    this.#good = createMixture(64)
    this.#rest = createMixture(this.#cells + 1)
  }

  get size(): number {
    return this.#arrivals.length
  }

  /** Takes a finished trial in. */
  add(id: number): void {
    this.#arrivalOf.set(id, this.#arrivals.length)
    this.#arrivals.push(id)
    const aged = this.#arrivals.length - 1 - this.#settings.recent
    if (aged >= 0 && this.#isBelow.get(this.#arrivals[aged]!) === false) this.#age(this.#arrivals[aged]!, 1)
    this.#ranking.add(id, (moved, below) => this.#move(moved, below))
  }

  /** Replaces the split, for orders that a new observation can turn over (several objectives). */
  split(below: readonly number[], weights: readonly number[]): void {
    this.#belowWeights.clear()
    for (const [k, id] of below.entries()) this.#belowWeights.set(id, weights[k]!)
    for (const id of this.#arrivals) this.#move(id, this.#belowWeights.has(id))
  }

  /** Proposes the candidate with the largest l(x) / g(x) among draws from l; `liars` are running trials' coordinates. */
  propose(rng: Rng, liars: readonly number[]): number {
    for (const x of liars) this.#put(x, 1)
    try {
      return this.#column.categorical ? this.#proposeCategory(rng) : this.#proposeNumber(rng)
    } finally {
      for (const x of liars) this.#put(x, -1)
    }
  }

  #move(id: number, below: boolean): void {
    const before = this.#isBelow.get(id)
    if (before === below) return
    this.#isBelow.set(id, below)
    if (below) this.#belowIds.push(id)
    else if (before) this.#belowIds.splice(this.#belowIds.indexOf(id), 1)
    if (!below || before === false) {
      const sign = below ? -1 : 1
      this.#put(this.#column.at(id), sign)
      if (this.#arrivalOf.get(id)! < this.#arrivals.length - this.#settings.recent) this.#age(id, sign)
    }
  }

  #cellOf(x: number): number {
    return this.#column.categorical ? x : Math.min(Math.floor(x * this.#cells), this.#cells - 1)
  }

  #put(x: number, sign: 1 | -1): void {
    const cell = this.#cellOf(x)
    this.#count[cell]! += sign
    // An emptied cell forgets what rounding left.
    this.#sum[cell] = this.#count[cell]! <= 0 ? 0 : this.#sum[cell]! + sign * x
  }

  #age(id: number, sign: 1 | -1): void {
    const cell = this.#cellOf(this.#column.at(id))
    this.#old[cell]! += sign
    this.#oldIndex[cell]! += sign * this.#arrivalOf.get(id)!
  }

  /** Weight of everything in a cell. */
  #weight(cell: number): number {
    const n = this.#arrivals.length
    const aging = n - this.#settings.recent
    const fresh = this.#count[cell]! - this.#old[cell]!
    if (aging <= 0) return fresh
    const slope = aging > 1 ? (1 - 1 / n) / (aging - 1) : 0
    return fresh + this.#old[cell]! / n + this.#oldIndex[cell]! * slope
  }

  #proposeNumber(rng: Rng): number {
    const { candidates } = this.#settings
    const good = this.#fitGood()
    const rest = this.#fitRest()
    const grid = Number.isFinite(this.#column.levels)
    const stretch = this.#stretch
    let best = 0.5
    let bestScore = Number.NEGATIVE_INFINITY
    for (let k = 0; k < candidates; k++) {
      const kernel = pickKernel(rng, good.weight, good.size)
      let x = drawTruncated(rng, good.mu[kernel]!, good.sigma[kernel]!)
      let score: number
      if (grid) {
        this.#column.stretch(x, stretch)
        x = stretch[0]!
        score = massAt(good, stretch[1]!, stretch[2]!) / massAt(rest, stretch[1]!, stretch[2]!)
      } else score = densityAt(good, x) / densityAt(rest, x)
      if (score > bestScore) {
        bestScore = score
        best = x
      }
    }
    return best
  }

  #fitGood(): Mixture {
    const ids = this.#belowIds
    if (this.#good.mu.length < ids.length + 1) Object.assign(this.#good, createMixture(2 * ids.length + 2))
    const column = this.#column
    const sorted = [...ids].sort((a, b) => column.at(a) - column.at(b))
    const good = this.#good
    good.size = 0
    let prior = -1
    for (const id of sorted) {
      const x = column.at(id)
      if (prior < 0 && x > 0.5) prior = this.#addPrior(good)
      good.mu[good.size] = x
      good.weight[good.size++] = this.#belowWeights.get(id) ?? 1
    }
    if (prior < 0) prior = this.#addPrior(good)
    neighbourWidths(good, prior, ids.length, this.#settings.magicClip)
    finishMixture(good, this.#settings.equalHeights)
    return good
  }

  #fitRest(): Mixture {
    const rest = this.#rest
    rest.size = 0
    let observations = 0
    let prior = -1
    for (let cell = 0; cell < this.#cells; cell++) {
      const count = this.#count[cell]!
      if (count <= 0) continue
      observations += count
      const x = this.#sum[cell]! / count
      if (prior < 0 && x > 0.5) prior = this.#addPrior(rest)
      rest.mu[rest.size] = x
      rest.weight[rest.size++] = this.#weight(cell)
    }
    if (prior < 0) prior = this.#addPrior(rest)
    neighbourWidths(rest, prior, observations, this.#settings.magicClip)
    finishMixture(rest, this.#settings.equalHeights)
    return rest
  }

  #addPrior(mixture: Mixture): number {
    mixture.mu[mixture.size] = 0.5
    mixture.weight[mixture.size] = this.#settings.priorWeight
    return mixture.size++
  }

  /** Shares of the choices: each observation adds its weight to its own choice and spreads the prior over all. */
  #proposeCategory(rng: Rng): number {
    const { priorWeight, candidates } = this.#settings
    const choices = this.#cells
    const below = new Float64Array(choices)
    for (const id of this.#belowIds) below[this.#column.at(id)]! += this.#belowWeights.get(id) ?? 1
    const above = new Float64Array(choices)
    let aboveCount = 0
    for (let c = 0; c < choices; c++) {
      above[c] = this.#weight(c)
      aboveCount += this.#count[c]!
    }
    smoothCategories(below, this.#belowIds.length, priorWeight)
    smoothCategories(above, aboveCount, priorWeight)
    let best = 0
    let bestScore = Number.NEGATIVE_INFINITY
    for (let k = 0; k < candidates; k++) {
      const c = pickKernel(rng, below, choices)
      const score = below[c]! / above[c]!
      if (score > bestScore) {
        bestScore = score
        best = c
      }
    }
    return best
  }
}

/**
 * Turns summed weights of choices into probabilities. Each of the n + 1 kernels (one an observation, one of the prior) gives
 * its weight to its choice and prior/(n + 1) to every choice, normalized; the prior's own kernel is uniform.
 */
export function smoothCategories(weights: Float64Array, n: number, priorWeight: number): void {
  const choices = weights.length
  const spread = priorWeight / (n + 1)
  let total = priorWeight
  for (let c = 0; c < choices; c++) total += weights[c]!
  const observed = total - priorWeight
  for (let c = 0; c < choices; c++) {
    const own = (weights[c]! + spread * observed) / (1 + choices * spread)
    weights[c] = (own + priorWeight / choices) / total
  }
}
