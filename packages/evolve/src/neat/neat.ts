import type { Direction, Rng, Snapshot } from '@regimen/core'
import type { Batch, Engine, EvolutionOptimizer } from '../engine/engine.ts'
import { checkCount, checkRange } from '../engine/factory.ts'
import { openOptimizer } from '../engine/optimizer.ts'
import {
  addConnection,
  addNode,
  createLayout,
  crossGenomes,
  GENE,
  geneticDistance,
  type Innovations,
  mutateWeights,
  newGeneration,
  toggleGene,
  writeMinimal,
} from './genome.ts'
import type { NeatGenome } from './network.ts'

/** Options of {@link neat}; the defaults are those of the paper. */
export interface NeatOptions {
  /** Inputs of the net, from 1; a bias is added. */
  readonly inputs: number
  /** Outputs of the net, from 1. */
  readonly outputs: number
  readonly direction: Direction
  /** @default 0 */
  readonly seed?: number | string
  /**
   * Nets per generation, from 4.
   * @default 150
   */
  readonly populationSize?: number
  /**
   * Allows cycles: nets with memory.
   * @default false
   */
  readonly recurrent?: boolean
  /**
   * Most hidden nodes, from 1.
   * @default 40
   */
  readonly maxHidden?: number
  /**
   * Most connections, from twice (inputs + 1)·outputs.
   * @default 150, or more where that is needed
   */
  readonly maxConnections?: number
  /**
   * Genetic distance within a species, above 0.
   * @default 3
   */
  readonly compatibility?: number
  /**
   * Probability that a child gets a new node.
   * @default 0.03
   */
  readonly addNodeRate?: number
  /**
   * Probability that a child gets a new connection.
   * @default 0.05
   */
  readonly addConnectionRate?: number
  /**
   * Generations without improvement after which a species gets no children, from 1.
   * @default 15
   */
  readonly stagnation?: number
}

/** One species of the last generation. */
export interface NeatSpecies {
  readonly id: number
  readonly size: number
  /** Generations since its best improved. */
  readonly stagnant: number
}

/** A running {@link neat}. */
export interface NeatOptimizer extends EvolutionOptimizer<NeatGenome> {
  /** The species of the last generation, for a chart over time. */
  species(): NeatSpecies[]
}

/** Opens {@link neat}. */
export interface NeatFactory {
  readonly id: string
  readonly version: number
  open(from: NeatOptions | Snapshot): NeatOptimizer
}

interface NeatEngine extends Engine<NeatGenome> {
  species(): NeatSpecies[]
}

const C12 = 1
const C3 = 0.4
const SURVIVORS = 0.2
const WEIGHT_RATE = 0.8
const REPLACE_RATE = 0.1
const POWER = 2.5
const RANGE = 3
const CLONE_RATE = 0.25
const INTERSPECIES_RATE = 0.001

/**
 * Evolves the structure and the weights of small nets together, by neuroevolution of augmenting topologies: nets start without hidden
 * nodes and grow; genes carry innovation numbers, so that nets of different shape can be crossed (the same change in one
 * generation gets the same number); species share their fitness, so that new structure has time to become useful; species
 * that stagnate get no children. For controllers and rules with a handful of inputs where no gradient is at hand; for the
 * weights of a net of fixed shape take `snes` or `pgpe`.
 *
 * A point is a {@link NeatGenome}; run it with `compileNetwork`. Fitness is shared as told when it is not negative (maximize a
 * positive score), else above the generation's worst.
 *
 * ```ts
 * import { compileNetwork, neat } from '@regimen/evolve'
 *
 * const optimizer = neat.open({ inputs: 1, outputs: 1, direction: 'maximize', populationSize: 30, seed: 1 })
 * for (let generation = 0; generation < 20; generation++) {
 *   const asked = optimizer.ask()
 *   optimizer.tell(
 *     asked.map(({ id, point }) => {
 *       const net = compileNetwork(point)
 *       // Invert the input.
 *       return { id, value: 1 - net.activate([1])[0]! + net.activate([0])[0]! }
 *     }),
 *   )
 * }
 * optimizer.best!.value > 1.8 // => true
 * ```
 *
 * Reference: K. Stanley & R. Miikkulainen, "Evolving neural networks through augmenting topologies", 2002.
 */
export const neat: NeatFactory = {
  id: 'evolve/neat',
  version: 1,
  open(from) {
    const opened = openOptimizer<NeatOptions, NeatGenome, NeatEngine>(neat.id, neat.version, from, createEngine)
    const { engine } = opened
    return Object.defineProperty(opened, 'species', { value: () => engine.species() }) as unknown as NeatOptimizer
  },
}

function createEngine(options: NeatOptions, rng: Rng): NeatEngine {
  const { id } = neat
  const inputs = checkCount(id, 'inputs', options.inputs, 1)
  const outputs = checkCount(id, 'outputs', options.outputs, 1)
  const size = checkCount(id, 'populationSize', options.populationSize ?? 150, 4)
  const minimal = (inputs + 1) * outputs
  const maxHidden = checkCount(id, 'maxHidden', options.maxHidden ?? 40, 1)
  const maxConnections = checkCount(
    id,
    'maxConnections',
    options.maxConnections ?? Math.max(150, 4 * minimal),
    2 * minimal,
  )
  const threshold = checkRange(id, 'compatibility', options.compatibility ?? 3, Number.MIN_VALUE, 1e6)
  const nodeRate = checkRange(id, 'addNodeRate', options.addNodeRate ?? 0.03, 0, 1)
  const linkRate = checkRange(id, 'addConnectionRate', options.addConnectionRate ?? 0.05, 0, 1)
  const stagnation = checkCount(id, 'stagnation', options.stagnation ?? 15, 1)
  const recurrent = options.recurrent ?? false
  const layout = createLayout(inputs, outputs, maxHidden, maxConnections)
  const { width, genes } = layout
  const innovations: Innovations = {
    next: minimal,
    nextNode: inputs + 1 + outputs,
    links: new Map(),
    splits: new Map(),
  }
  const s = {
    filled: false,
    next: 0,
    nextInnovation: innovations.next,
    nextNode: innovations.nextNode,
    nextSpecies: 0,
    stale: 0,
    best: Number.NEGATIVE_INFINITY,
    /** The coming generation. */
    offspring: new Float64Array(size * width),
    speciesIds: new Float64Array(0) as Float64Array,
    speciesSizes: new Float64Array(0) as Float64Array,
    speciesBest: new Float64Array(0) as Float64Array,
    speciesStale: new Float64Array(0) as Float64Array,
    representatives: new Float64Array(0) as Float64Array,
  }
  const child = new Float64Array(width)

  const mutate = (row: Float64Array): void => {
    if (rng.uniform() < nodeRate) addNode(layout, rng, innovations, row)
    else if (rng.uniform() < linkRate) addConnection(layout, rng, innovations, row, recurrent, RANGE)
    else {
      if (rng.uniform() < WEIGHT_RATE) mutateWeights(layout, rng, row, REPLACE_RATE, POWER, RANGE)
      if (rng.uniform() < 0.01) toggleGene(layout, rng, row)
    }
  }

  /** Puts every net into the first species whose representative is near enough. */
  const speciate = (
    rows: readonly Float64Array[],
  ): { representative: Float64Array; id: number; old: number; members: number[] }[] => {
    const groups = Array.from(s.speciesIds, (speciesId, k) => ({
      representative: s.representatives.slice(k * width, (k + 1) * width),
      id: speciesId,
      old: k,
      members: [] as number[],
    }))
    rows.forEach((row, i) => {
      let home = groups.find((one) => geneticDistance(layout, row, one.representative, C12, C3) < threshold)
      if (home === undefined) {
        home = { representative: row.slice(), id: s.nextSpecies++, old: -1, members: [] }
        groups.push(home)
      }
      home.members.push(i)
    })
    return groups.filter((one) => one.members.length > 0)
  }

  const breed = (batch: Batch): void => {
    const { count } = batch
    const rows = Array.from({ length: count }, (_, i) => batch.rows.slice(i * width, (i + 1) * width))
    // Fitness as the paper wants it: positive, larger is better; infeasible and failed nets have none.
    let worst = 0
    for (let i = 0; i < count; i++) if (batch.violations[i] === 0) worst = Math.max(worst, batch.values[i]!)
    const fitness = Float64Array.from({ length: count }, (_, i) =>
      batch.violations[i] === 0 ? worst - batch.values[i]! + 1e-9 : 0,
    )
    const raw = (i: number): number => (batch.violations[i] === 0 ? -batch.values[i]! : Number.NEGATIVE_INFINITY)
    const groups = speciate(rows).map((group) => {
      group.members.sort((a, b) => raw(b) - raw(a) || fitness[b]! - fitness[a]! || a - b)
      const top = raw(group.members[0]!)
      const before = group.old < 0 ? Number.NEGATIVE_INFINITY : s.speciesBest[group.old]!
      const stale = top > before ? 0 : (group.old < 0 ? 0 : s.speciesStale[group.old]!) + 1
      const shared = group.members.reduce((sum, i) => sum + fitness[i]!, 0) / group.members.length
      return { ...group, top, best: Math.max(top, before), stale, shared }
    })
    const top = Math.max(...groups.map((group) => group.top))
    s.stale = top > s.best ? 0 : s.stale + 1
    s.best = Math.max(s.best, top)
    // The species of the best net always lives; after 20 idle generations only the two best do.
    const ranked = [...groups].sort((a, b) => b.top - a.top)
    const alive =
      s.stale > 20 ? ranked.slice(0, 2) : groups.filter((one) => one === ranked[0] || one.stale < stagnation)
    if (s.stale > 20) s.stale = 0
    const sum = alive.reduce((all, one) => all + one.shared, 0)
    const quotas = alive.map((one) =>
      sum > 0 ? Math.floor((one.shared / sum) * size) : Math.floor(size / alive.length),
    )
    let left = size - quotas.reduce((all, one) => all + one, 0)
    for (let k = 0; left > 0; k = (k + 1) % alive.length, left--) quotas[alive.indexOf(alive[k]!)]!++
    newGeneration(innovations)
    let place = 0
    const put = (row: Float64Array): void => {
      s.offspring.set(row, place++ * width)
    }
    alive.forEach((group, k) => {
      const quota = quotas[k]!
      const parents = group.members.slice(0, Math.max(1, Math.ceil(SURVIVORS * group.members.length)))
      for (let made = 0; made < quota; made++) {
        const first = parents[rng.int(0, parents.length)]!
        if (made === 0 && (group.members.length > 5 || group === ranked[0])) {
          put(rows[group.members[0]!]!)
          continue
        }
        if (rng.uniform() < CLONE_RATE) {
          child.set(rows[first]!)
          mutate(child)
        } else {
          const abroad = alive.length > 1 && rng.uniform() < INTERSPECIES_RATE
          const mates = abroad ? alive[rng.int(0, alive.length)]!.members : parents
          const second = mates[abroad ? 0 : rng.int(0, mates.length)]!
          const [a, b] = raw(first) >= raw(second) ? [first, second] : [second, first]
          crossGenomes(layout, rng, rows[a]!, rows[b]!, child)
          if (a === b || rng.uniform() < 0.8) mutate(child)
        }
        put(child)
      }
    })
    s.speciesIds = Float64Array.from(alive, (one) => one.id)
    s.speciesSizes = Float64Array.from(alive, (one) => one.members.length)
    s.speciesBest = Float64Array.from(alive, (one) => one.best)
    s.speciesStale = Float64Array.from(alive, (one) => one.stale)
    s.representatives = new Float64Array(alive.length * width)
    alive.forEach((one, k) => {
      s.representatives.set(rows[one.members[rng.int(0, one.members.length)]!]!, k * width)
    })
    s.nextInnovation = innovations.next
    s.nextNode = innovations.nextNode
    s.next = 0
    s.filled = true
  }

  return {
    width,
    size,
    stopped: undefined,
    state: s,
    grows: ['speciesIds', 'speciesSizes', 'speciesBest', 'speciesStale', 'representatives'],
    restored() {
      innovations.next = s.nextInnovation
      innovations.nextNode = s.nextNode
    },
    propose(rows, at) {
      if (!s.filled) writeMinimal(layout, rng, RANGE, child)
      else if (s.next < size) child.set(s.offspring.subarray(s.next * width, ++s.next * width))
      else {
        // Asked for more than a generation: variations of weights need no new innovations.
        const i = rng.int(0, size)
        child.set(s.offspring.subarray(i * width, (i + 1) * width))
        mutateWeights(layout, rng, child, REPLACE_RATE, POWER, RANGE)
      }
      rows.set(child, at)
    },
    learn: breed,
    decode(rows, at) {
      const count = rows[at]!
      const hidden = rows[at + 1]!
      const gene = (k: number) => Array.from({ length: count }, (_, i) => rows[at + genes + GENE * i + k]!)
      return {
        inputs,
        outputs,
        recurrent,
        hidden: Int32Array.from(rows.subarray(at + 2, at + 2 + hidden)),
        from: Int32Array.from(gene(1)),
        to: Int32Array.from(gene(2)),
        weights: Float64Array.from(gene(3)),
        enabled: Uint8Array.from(gene(4)),
      }
    },
    species: () =>
      Array.from(s.speciesIds, (speciesId, k) => ({
        id: speciesId,
        size: s.speciesSizes[k]!,
        stagnant: s.speciesStale[k]!,
      })),
  }
}
