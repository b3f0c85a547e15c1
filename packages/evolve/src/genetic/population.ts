import { check, describe, type Rng } from '@regimen/core'
import { type Engine, isBetter } from '../engine/engine.ts'
import { checkCount, checkRange } from '../engine/factory.ts'

/** Options of all genetic algorithms. */
export interface GeneticOptions {
  /**
   * Members of each island, from 4.
   * @default 60
   */
  readonly populationSize?: number
  /**
   * Islands that evolve on their own, from 1.
   * @default 1
   */
  readonly islands?: number
  /**
   * Generations between two migrations: each island's best goes to the next in a ring, from 1.
   * @default 10
   */
  readonly migrationEvery?: number
  /**
   * Best members of each island that survive unchanged, from 0.
   * @default 2
   */
  readonly elites?: number
  /**
   * How parents are chosen: the best of a few, in proportion to fitness, or in proportion to rank.
   * @default 'tournament'
   */
  readonly selection?: 'tournament' | 'roulette' | 'rank'
  /**
   * Members that meet in a tournament, from 1.
   * @default 3
   */
  readonly tournamentSize?: number
  /**
   * Probability that a child has two parents, 0 to 1.
   * @default 0.9
   */
  readonly crossoverRate?: number
  /**
   * Probability that a gene mutates (a child, for permutations), 0 to 1.
   * @default 1 / genes (0.3 for permutations)
   */
  readonly mutationRate?: number
  /**
   * Lets the mutation rate follow success, between a fifth and five times what was given: up when more than a fifth of the children beat
   * their parents, down when fewer do.
   * @default true
   */
  readonly adaptive?: boolean
}

/** What a kind of genome can do. */
export interface GenomeKind<Point> {
  /** Numbers in a genome. */
  readonly length: number
  readonly mutationRate: number
  create(out: Float64Array, first: boolean): void
  /** Writes one child of two parents. */
  cross(a: Float64Array, b: Float64Array, child: Float64Array): void
  mutate(child: Float64Array, rate: number): void
  decode(rows: Float64Array, at: number): Point
}

/** The loop of a generational genetic algorithm with elites and islands, for any kind of genome. */
export function createGeneticEngine<Point>(
  id: string,
  options: GeneticOptions,
  rng: Rng,
  kind: GenomeKind<Point>,
): Engine<Point> {
  const { selection = 'tournament', adaptive = true, crossoverRate = 0.9 } = options
  const members = checkCount(id, 'populationSize', options.populationSize ?? 60, 4)
  const islands = checkCount(id, 'islands', options.islands ?? 1, 1, 1000)
  const migrationEvery = checkCount(id, 'migrationEvery', options.migrationEvery ?? 10, 1)
  const elites = checkCount(id, 'elites', options.elites ?? 2, 0, members - 1)
  const tournamentSize = checkCount(id, 'tournamentSize', options.tournamentSize ?? 3, 1, members)
  const rate0 = checkRange(id, 'mutationRate', options.mutationRate ?? kind.mutationRate, 0, 1)
  checkRange(id, 'crossoverRate', crossoverRate, 0, 1)
  check(
    selection === 'tournament' || selection === 'roulette' || selection === 'rank',
    id,
    () => `selection must be 'tournament', 'roulette' or 'rank', got ${describe(selection)}.`,
  )
  const n = kind.length
  const width = n + 2
  const total = members * islands
  const s = {
    filled: false,
    slot: 0,
    generation: 0,
    rate: rate0,
    // Each island's members, best first.
    genomes: new Float64Array(total * n),
    values: new Float64Array(total),
    violations: new Float64Array(total),
  }
  const child = new Float64Array(n)
  const weights = new Float64Array(members)
  const genome = (i: number): Float64Array => s.genomes.subarray(i * n, i * n + n)

  /** A parent's place on the island, 0 for the best. */
  const select = (island: number): number => {
    if (selection === 'tournament') {
      let best = members
      for (let k = 0; k < tournamentSize; k++) best = Math.min(best, rng.int(0, members))
      return best
    }
    // Linear ranking with pressure 2: the square root turns a uniform number into a falling line.
    if (selection === 'rank') return Math.floor(members * (1 - Math.sqrt(1 - rng.uniform())))
    const base = island * members
    let worst = Number.NEGATIVE_INFINITY
    for (let k = 0; k < members; k++) {
      if (s.violations[base + k] === s.violations[base] && Number.isFinite(s.values[base + k]!)) {
        worst = Math.max(worst, s.values[base + k]!)
      }
    }
    let sum = 0
    for (let k = 0; k < members; k++) {
      const usable = s.violations[base + k] === s.violations[base] && Number.isFinite(s.values[base + k]!)
      weights[k] = usable ? worst - s.values[base + k]! : 0
      sum += weights[k]!
    }
    return sum > 0 && Number.isFinite(sum) ? rng.categorical(weights) : rng.int(0, members)
  }

  return {
    width,
    size: total,
    stopped: undefined,
    state: s,
    decode: kind.decode,
    propose(rows, at) {
      const slot = s.slot
      s.slot = (slot + 1) % total
      const island = Math.floor(slot / members)
      rows[at + n] = island
      if (!s.filled) {
        kind.create(child, slot === 0)
        rows[at + n + 1] = Number.NaN
      } else {
        const base = island * members
        const first = select(island)
        let parent = first
        if (rng.uniform() < crossoverRate) {
          const second = select(island)
          kind.cross(genome(base + first), genome(base + second), child)
          parent = Math.min(first, second)
        } else child.set(genome(base + first))
        kind.mutate(child, s.rate)
        rows[at + n + 1] = s.violations[base + parent] === 0 ? s.values[base + parent]! : Number.NaN
      }
      rows.set(child, at)
    },
    learn(batch) {
      let compared = 0
      let wins = 0
      const kept = s.filled ? elites : 0
      const nextGenomes = s.genomes.slice()
      const nextValues = s.values.slice()
      const nextViolations = s.violations.slice()
      for (let island = 0; island < islands; island++) {
        const base = island * members
        const children: number[] = []
        for (let k = 0; k < batch.count; k++) {
          if (batch.rows[k * width + n] !== island) continue
          children.push(k)
          const before = batch.rows[k * width + n + 1]!
          if (Number.isNaN(before)) continue
          compared++
          if (batch.violations[k] === 0 && batch.values[k]! < before) wins++
        }
        const violationOf = (i: number): number => (i < 0 ? s.violations[base - i - 1]! : batch.violations[i]!)
        const fitnessOf = (i: number): number => (i < 0 ? s.values[base - i - 1]! : batch.values[i]!)
        const compare = (a: number, b: number): number => {
          if (isBetter(violationOf(a), fitnessOf(a), violationOf(b), fitnessOf(b))) return -1
          return isBetter(violationOf(b), fitnessOf(b), violationOf(a), fitnessOf(a)) ? 1 : a - b
        }
        children.sort(compare)
        // Old members carry negative numbers: −1 is the island's best.
        const pool: number[] = []
        for (let k = 0; k < kept; k++) pool.push(-1 - k)
        pool.push(...children.slice(0, members - kept))
        if (s.filled) for (let k = kept; pool.length < members; k++) pool.push(-1 - k)
        else for (let k = 0; pool.length < members; k++) pool.push(k)
        pool.sort(compare)
        pool.forEach((i, place) => {
          const to = base + place
          const from =
            i < 0
              ? s.genomes.subarray((base - i - 1) * n, (base - i) * n)
              : batch.rows.subarray(i * width, i * width + n)
          nextGenomes.set(from, to * n)
          nextValues[to] = fitnessOf(i)
          nextViolations[to] = violationOf(i)
        })
      }
      s.genomes.set(nextGenomes)
      s.values.set(nextValues)
      s.violations.set(nextViolations)
      s.filled = true
      s.generation++
      if (adaptive && compared > 0) {
        s.rate *= wins / compared > 0.2 ? 1.1 : 0.96
        s.rate = Math.min(1, Math.max(rate0 / 5, Math.min(rate0 * 5, s.rate)))
      }
      if (islands > 1 && s.generation % migrationEvery === 0) migrate()
    },
  }

  /** Each island's best replaces the worst of the next one, where it is better. */
  function migrate(): void {
    const bests = Array.from({ length: islands }, (_, island) => ({
      genome: genome(island * members).slice(),
      value: s.values[island * members]!,
      violation: s.violations[island * members]!,
    }))
    bests.forEach(({ genome: newcomer, value, violation }, island) => {
      const base = ((island + 1) % islands) * members
      let place = members - 1
      if (!isBetter(violation, value, s.violations[base + place]!, s.values[base + place]!)) return
      // Keeps the island sorted.
      while (place > 0 && isBetter(violation, value, s.violations[base + place - 1]!, s.values[base + place - 1]!)) {
        s.genomes.copyWithin((base + place) * n, (base + place - 1) * n, (base + place) * n)
        s.values[base + place] = s.values[base + place - 1]!
        s.violations[base + place] = s.violations[base + place - 1]!
        place--
      }
      s.genomes.set(newcomer, (base + place) * n)
      s.values[base + place] = value
      s.violations[base + place] = violation
    })
  }
}
