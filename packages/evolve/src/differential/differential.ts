import type { Rng } from '@regimen/core'
import { type Engine, isBetter } from '../engine/engine.ts'
import { checkBounded, checkCount, defineSearch, type SearchFactory, type Setting } from '../engine/factory.ts'
import type { AnyPoint } from '../engine/space.ts'

/** Options of {@link lshade} and {@link jso}. */
export interface DifferentialOptions {
  /**
   * Evaluations over which the population shrinks to four, from 100; afterwards it stays at four.
   * @default 1000 × dimensions
   */
  readonly maxEvaluations?: number
  /**
   * Members at the beginning, from 4.
   * @default 18 n for lshade, 25 √n ln n for jso (at least 30)
   */
  readonly populationSize?: number
}

/** What tells the two algorithms apart. */
interface Variant {
  readonly population: (n: number) => number
  readonly memory: number
  readonly f: number
  readonly cr: number
  /** Size of the archive over that of the population. */
  readonly archive: number
  /** Share of the population among which the best are drawn, at the beginning and at the end. */
  readonly p: readonly [number, number]
  readonly jso: boolean
}

const LSHADE: Variant = {
  population: (n) => 18 * n,
  memory: 6,
  f: 0.5,
  cr: 0.5,
  archive: 2.6,
  p: [0.11, 0.11],
  jso: false,
}
const JSO: Variant = {
  population: (n) => Math.max(30, Math.round(25 * Math.sqrt(n) * Math.log(n))),
  memory: 5,
  f: 0.3,
  cr: 0.8,
  archive: 1,
  p: [0.25, 0.125],
  jso: true,
}

/**
 * Minimizes or maximizes by differential evolution that learns its own settings: every member is recombined with the
 * difference towards one of the best and the difference of two others,
 *
 *     v = x + F·(x_pbest − x) + F·(x_r1 − x_r2),
 *
 * F and the crossover rate CR are drawn around a memory of what succeeded, and the population shrinks linearly. It needs no
 * step size and copes with ridges, plateaus, choices and whole numbers; `cmaEs` gets further where parameters
 * interact smoothly, {@link jso} is the tuned successor for longer runs. The space needs finite bounds, and
 * `maxEvaluations` should be what will really be spent.
 *
 * ```ts
 * import { lshade, minimize } from '@regimen/evolve'
 *
 * const found = await minimize((x) => Math.abs(x[0]! - 1) + Math.abs(x[1]!), { dimension: 2, lower: -5, upper: 5 }, {
 *   optimizer: lshade,
 *   options: { maxEvaluations: 4000 },
 *   evaluations: 4000,
 * })
 * found.value // ≈ 0.000
 * ```
 *
 * Reference: R. Tanabe & A. Fukunaga, "Improving the search performance of SHADE using linear population size reduction", 2014.
 */
export const lshade: SearchFactory<DifferentialOptions> = defineSearch<DifferentialOptions>(
  'evolve/lshade',
  1,
  (setting) => createEngine(setting, LSHADE),
)

/**
 * Minimizes or maximizes by jSO, {@link lshade} with a schedule: the pull towards the best is weak at first and strong at the
 * end, large F and small CR are held back early, and the share of the best shrinks. The better of the two for more than
 * about a thousand evaluations per dimension.
 *
 * ```ts
 * import { jso } from '@regimen/evolve'
 *
 * const optimizer = jso.open({ space: { dimension: 4, lower: -1, upper: 1 }, direction: 'minimize' })
 * optimizer.populationSize // => 69
 * ```
 *
 * Reference: J. Brest, M. Maučec & B. Bošković, "Single objective real-parameter optimization: algorithm jSO", 2017.
 */
export const jso: SearchFactory<DifferentialOptions> = defineSearch<DifferentialOptions>('evolve/jso', 1, (setting) =>
  createEngine(setting, JSO),
)

const LEAST = 4

function createEngine(
  { id, options, codec, rng, start }: Setting<DifferentialOptions>,
  variant: Variant,
): Engine<AnyPoint> {
  checkBounded(id, codec)
  const { n, lower, upper } = codec
  const size0 = checkCount(
    id,
    'populationSize',
    options.populationSize ?? Math.max(LEAST, variant.population(n)),
    LEAST,
  )
  const budget = checkCount(id, 'maxEvaluations', options.maxEvaluations ?? 1000 * n, 100, 1e12)
  const memory = variant.memory
  const s = {
    filled: false,
    size: size0,
    spent: 0,
    slot: 0,
    at: 0,
    archived: 0,
    genomes: new Float64Array(size0 * n),
    values: new Float64Array(size0),
    violations: new Float64Array(size0),
    archive: new Float64Array(Math.ceil(size0 * variant.archive) * n),
    memoryF: new Float64Array(memory).fill(variant.f),
    memoryCr: new Float64Array(memory).fill(variant.cr),
    order: new Int32Array(size0),
  }
  const gains = new Float64Array(size0)
  const goodF = new Float64Array(size0)
  const goodCr = new Float64Array(size0)
  const held = new Float64Array(size0 * n)
  const heldValues = new Float64Array(size0)
  const heldViolations = new Float64Array(size0)

  const sortMembers = (): void => {
    const { order, values, violations, size } = s
    for (let i = 0; i < size; i++) order[i] = i
    order.subarray(0, size).sort((a, b) => {
      if (isBetter(violations[a]!, values[a]!, violations[b]!, values[b]!)) return -1
      return isBetter(violations[b]!, values[b]!, violations[a]!, values[a]!) ? 1 : a - b
    })
  }

  /** Draws CR and F around one entry of the memory. */
  const drawCr = (k: number, progress: number): number => {
    const mean = s.memoryCr[k]!
    let cr = mean < 0 ? 0 : Math.min(Math.max(rng.normal(mean, 0.1), 0), 1)
    if (variant.jso && progress < 0.25) cr = Math.max(cr, 0.7)
    else if (variant.jso && progress < 0.5) cr = Math.max(cr, 0.6)
    return cr
  }
  const drawF = (k: number, progress: number): number => {
    let f = 0
    while (f <= 0) f = s.memoryF[k]! + 0.1 * Math.tan(Math.PI * (rng.uniform() - 0.5))
    f = Math.min(f, 1)
    return variant.jso && progress < 0.6 ? Math.min(f, 0.7) : f
  }

  return {
    // The trial, its target, and the F and CR that made it.
    width: n + 3,
    get size() {
      return s.size
    },
    stopped: undefined,
    state: s,
    decode: (rows, at) => codec.decode(rows, at),
    propose(rows, at) {
      const { size, genomes } = s
      const target = s.slot % size
      s.slot = (target + 1) % size
      rows[at + n] = target
      if (!s.filled) {
        for (let i = 0; i < n; i++) rows[at + i] = rng.uniform(lower[i]!, upper[i]!)
        if (target === 0 && start) rows.set(start, at)
        return
      }
      const progress = Math.min(1, s.spent / budget)
      let k = rng.int(0, memory)
      if (variant.jso && k === memory - 1) k = -1
      // jSO keeps one entry of its memory at 0.9 for good.
      const cr = k < 0 ? jsoFixed(rng, 'cr', progress) : drawCr(k, progress)
      const f = k < 0 ? jsoFixed(rng, 'f', progress) : drawF(k, progress)
      const share = variant.p[0] + (variant.p[1] - variant.p[0]) * progress
      const best = s.order[rng.int(0, Math.max(2, Math.round(share * size)))]!
      let r1 = rng.int(0, size)
      while (r1 === target) r1 = rng.int(0, size)
      let r2 = rng.int(0, size + s.archived)
      while (r2 === target || r2 === r1) r2 = rng.int(0, size + s.archived)
      const second = r2 < size ? genomes : s.archive
      const base = target * n
      const from2 = (r2 < size ? r2 : r2 - size) * n
      const pull = variant.jso ? f * (progress < 0.2 ? 0.7 : progress < 0.4 ? 0.8 : 1.2) : f
      const certain = rng.int(0, n)
      for (let i = 0; i < n; i++) {
        const x = genomes[base + i]!
        if (i !== certain && rng.uniform() >= cr) {
          rows[at + i] = x
          continue
        }
        const v = x + pull * (genomes[best * n + i]! - x) + f * (genomes[r1 * n + i]! - second[from2 + i]!)
        rows[at + i] = v < lower[i]! ? (lower[i]! + x) / 2 : v > upper[i]! ? (upper[i]! + x) / 2 : v
      }
      rows[at + n + 1] = f
      rows[at + n + 2] = cr
    },
    learn(batch) {
      s.spent += batch.count
      const width = n + 3
      if (!s.filled) {
        for (let k = 0; k < batch.count; k++) {
          s.genomes.set(batch.rows.subarray(k * width, k * width + n), k * n)
          s.values[k] = batch.values[k]!
          s.violations[k] = batch.violations[k]!
        }
        s.filled = true
        sortMembers()
        return
      }
      let successes = 0
      for (let k = 0; k < batch.count; k++) {
        const row = k * width
        const target = batch.rows[row + n]! % s.size
        const value = batch.values[k]!
        const violation = batch.violations[k]!
        if (isBetter(s.violations[target]!, s.values[target]!, violation, value)) continue
        if (isBetter(violation, value, s.violations[target]!, s.values[target]!)) {
          remember(target)
          const gain = s.violations[target]! > violation ? s.violations[target]! - violation : s.values[target]! - value
          if (batch.rows[row + n + 1]! > 0) {
            gains[successes] = Number.isFinite(gain) ? gain : 1
            goodF[successes] = batch.rows[row + n + 1]!
            goodCr[successes++] = batch.rows[row + n + 2]!
          }
        }
        s.genomes.set(batch.rows.subarray(row, row + n), target * n)
        s.values[target] = value
        s.violations[target] = violation
      }
      if (successes > 0) learnSettings(successes)
      sortMembers()
      shrink()
    },
  }

  function remember(target: number): void {
    const capacity = Math.floor(s.size * variant.archive)
    const from = target * n
    const to = (s.archived < capacity ? s.archived++ : rng.int(0, Math.max(1, Math.min(capacity, s.archived)))) * n
    s.archive.set(s.genomes.subarray(from, from + n), to)
  }

  /** Weighted Lehmer means of what succeeded go into the memory's next entry. */
  function learnSettings(count: number): void {
    let total = 0
    for (let k = 0; k < count; k++) total += gains[k]!
    let f1 = 0
    let f2 = 0
    let cr1 = 0
    let cr2 = 0
    for (let k = 0; k < count; k++) {
      const w = total > 0 ? gains[k]! / total : 1 / count
      f1 += w * goodF[k]!
      f2 += w * goodF[k]! ** 2
      cr1 += w * goodCr[k]!
      cr2 += w * goodCr[k]! ** 2
    }
    const f = f2 / f1
    // Once CR has come down to 0 it stays there: coordinates are then changed one at a time.
    const cr = s.memoryCr[s.at]! < 0 || cr1 === 0 ? -1 : cr2 / cr1
    s.memoryF[s.at] = variant.jso ? (f + s.memoryF[s.at]!) / 2 : f
    s.memoryCr[s.at] = variant.jso && cr >= 0 ? (cr + s.memoryCr[s.at]!) / 2 : cr
    s.at = (s.at + 1) % (variant.jso ? memory - 1 : memory)
  }

  function shrink(): void {
    const next = Math.max(LEAST, Math.round(size0 + ((LEAST - size0) * Math.min(s.spent, budget)) / budget))
    if (next >= s.size) return
    for (let k = 0; k < next; k++) {
      const i = s.order[k]!
      held.set(s.genomes.subarray(i * n, i * n + n), k * n)
      heldValues[k] = s.values[i]!
      heldViolations[k] = s.violations[i]!
    }
    s.genomes.set(held.subarray(0, next * n))
    s.values.set(heldValues.subarray(0, next))
    s.violations.set(heldViolations.subarray(0, next))
    s.size = next
    s.archived = Math.min(s.archived, Math.floor(next * variant.archive))
    for (let k = 0; k < next; k++) s.order[k] = k
  }
}

/** What jSO draws around the entry that is never changed. */
function jsoFixed(rng: Rng, which: 'f' | 'cr', progress: number): number {
  if (which === 'cr')
    return Math.min(1, Math.max(rng.normal(0.9, 0.1), progress < 0.25 ? 0.7 : progress < 0.5 ? 0.6 : 0))
  let f = 0
  while (f <= 0) f = 0.9 + 0.1 * Math.tan(Math.PI * (rng.uniform() - 0.5))
  return Math.min(f, progress < 0.6 ? 0.7 : 1)
}
