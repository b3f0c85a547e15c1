import {
  arrayLeaf,
  type Candidate,
  check,
  createSnapshot,
  type Direction,
  describe,
  type Evaluation,
  type Incumbent,
  isSnapshot,
  Rng,
  type RngState,
  restore,
  type Snapshot,
  schema,
  type Tree,
} from '@regimen/core'
import type { Batch, Engine } from './engine.ts'
import { isBetter } from './engine.ts'
import { pack, plain, RNG, type Saved, stateSchema, unpack } from './saved.ts'

/** An {@link Evaluation} that may also say how the candidate behaved. */
export type BehaviourEvaluation = Evaluation & { readonly behaviour?: readonly number[] }

/** What all options of this package have in common. */
export interface CommonConfig {
  readonly seed?: number | string
  readonly direction: Direction | readonly Direction[]
}

/** An opened optimizer: the ask/tell contract over an {@link Engine}. */
export interface Opened<Point, E extends Engine<Point>> {
  readonly direction: Direction | readonly Direction[]
  readonly best: Incumbent<Point> | undefined
  readonly stopped: string | undefined
  readonly evaluations: number
  readonly generations: number
  readonly populationSize: number
  readonly engine: E
  ask(n?: number): Candidate<Point>[]
  tell(evaluations: readonly BehaviourEvaluation[]): void
  snapshot(): Snapshot
}

/**
 * Opens an optimizer over an engine: numbers the candidates, checks results before anything changes, keeps the best, hands
 * whole generations to the engine in the order of their ids, and writes and reads snapshots.
 */
export function openOptimizer<Config extends CommonConfig, Point, E extends Engine<Point>>(
  id: string,
  version: number,
  from: Config | Snapshot,
  create: (config: Config, rng: Rng) => E,
): Opened<Point, E> {
  if (!isSnapshot(from)) {
    check(typeof from === 'object' && from !== null, id, () => `options must be an object, got ${describe(from)}.`)
    const config = plain(from, id) as unknown as Config
    checkDirection(config.direction, id)
    const rng = new Rng(config.seed ?? 0)
    return run(id, version, config, rng, create(config, rng), undefined)
  }
  let engine: E | undefined
  let rng: Rng | undefined
  const saved = restore(from, {
    id,
    version,
    config: schema.any(),
    state: (config) => {
      const state = from.state as { readonly rng?: Tree } | null
      const rngState = state?.rng
      const broken = RNG.problem(rngState, 'state.rng')
      check(broken === undefined, id, () => `${broken}.`, 'Pass what snapshot() returned.')
      rng = new Rng(rngState as RngState)
      engine = create(config as unknown as Config, rng)
      return stateSchema(engine)
    },
  })
  // `restore` has called the function above.
  return run(id, version, saved.config as unknown as Config, rng!, engine!, saved.state as unknown as Saved)
}

function run<Config extends CommonConfig, Point, E extends Engine<Point>>(
  id: string,
  version: number,
  config: Config,
  rng: Rng,
  engine: E,
  saved: Saved | undefined,
): Opened<Point, E> {
  const { width, objectives: m = 1, behaviours: b = 0 } = engine
  const { direction } = config
  check(
    m > 1 || typeof direction === 'string',
    id,
    () => `direction must be one of a single objective, got ${describe(direction)}.`,
  )
  const signs = Float64Array.from({ length: m }, (_, k) =>
    (typeof direction === 'string' ? direction : direction[k]) === 'maximize' ? -1 : 1,
  )
  let capacity = Math.max(16, engine.size * 2)
  let rows = new Float64Array(capacity * width)
  let values = new Float64Array(capacity * m)
  let violations = new Float64Array(capacity)
  let behaviours = new Float64Array(capacity * b)
  let idOf = new Float64Array(capacity)
  let stamp = new Int32Array(capacity)
  let stamps = 0
  const free: number[] = []
  for (let i = capacity - 1; i >= 0; i--) free.push(i)
  const asked = new Map<number, number>()
  const told: number[] = []
  let nextId = 0
  let evaluations = 0
  let generations = 0
  let bestId = -1
  let bestValue = Number.POSITIVE_INFINITY
  const bestRow = new Float64Array(width)
  let incumbent: Incumbent<Point> | undefined
  let batch = makeBatch(engine.size, width, m, b)

  const allocate = (): number => {
    if (free.length === 0) {
      const grown = capacity * 2
      rows = enlarge(rows, grown * width)
      values = enlarge(values, grown * m)
      violations = enlarge(violations, grown)
      behaviours = enlarge(behaviours, grown * b)
      idOf = enlarge(idOf, grown)
      const stampGrown = new Int32Array(grown)
      stampGrown.set(stamp)
      stamp = stampGrown
      for (let i = grown - 1; i >= capacity; i--) free.push(i)
      capacity = grown
    }
    return free.pop()!
  }

  /** The first thing that is wrong with a result; nothing has changed yet. */
  const problemOf = (evaluation: BehaviourEvaluation, slot: number | undefined): string | undefined => {
    if (typeof evaluation !== 'object' || evaluation === null)
      return `a result must be an object, got ${describe(evaluation)}`
    if (slot === undefined) return `id ${describe(evaluation.id)} was never asked for, or was told already`
    if (stamp[slot] === stamps) return `id ${evaluation.id} is told twice`
    stamp[slot] = stamps
    if ('failed' in evaluation) return undefined
    const { value, violations: given, behaviour } = evaluation
    if (m === 1) {
      if (typeof value !== 'number' || Number.isNaN(value))
        return `the value of id ${evaluation.id} must be a number, got ${describe(value)}`
      if (value * signs[0]! === Number.NEGATIVE_INFINITY)
        return `the value of id ${evaluation.id} must not be the best infinity, got ${value}`
    } else {
      const list = value as readonly number[]
      if (!Array.isArray(value) && !ArrayBuffer.isView(value))
        return `the value of id ${evaluation.id} must be ${m} numbers, got ${describe(value)}`
      if (list.length !== m) return `the value of id ${evaluation.id} must be ${m} numbers, got ${list.length}`
      for (let k = 0; k < m; k++) {
        if (!Number.isFinite(list[k]!))
          return `objective ${k} of id ${evaluation.id} must be a finite number, got ${describe(list[k])}`
      }
    }
    if (given !== undefined)
      for (let k = 0; k < given.length; k++)
        if (typeof given[k] !== 'number' || Number.isNaN(given[k]))
          return `violation ${k} of id ${evaluation.id} must be a number, got ${describe(given[k])}`
    if (b > 0 && !(behaviour?.length === b && behaviour.every(Number.isFinite)))
      return `the behaviour of id ${evaluation.id} must be ${b} finite numbers, got ${describe(behaviour)}`
    return undefined
  }

  const record = (evaluation: BehaviourEvaluation): void => {
    const slot = asked.get(evaluation.id)!
    asked.delete(evaluation.id)
    evaluations++
    told.push(slot)
    if ('failed' in evaluation) {
      values.fill(Number.POSITIVE_INFINITY, slot * m, slot * m + m)
      violations[slot] = Number.POSITIVE_INFINITY
      behaviours.fill(0, slot * b, slot * b + b)
      return
    }
    let violation = 0
    if (evaluation.violations !== undefined) for (const one of evaluation.violations) violation += Math.max(0, one)
    const { value } = evaluation
    if (m === 1) {
      values[slot] = signs[0]! * (value as number)
      // A penalty of infinity is a failure by another name.
      violations[slot] = values[slot] === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : violation
      if (violations[slot] === 0 && isBetter(0, values[slot]!, 0, bestValue)) {
        bestValue = values[slot]!
        bestId = evaluation.id
        bestRow.set(rows.subarray(slot * width, slot * width + width))
        incumbent = undefined
      }
    } else {
      for (let k = 0; k < m; k++) values[slot * m + k] = signs[k]! * (value as readonly number[])[k]!
      violations[slot] = violation
    }
    for (let k = 0; k < b; k++) behaviours[slot * b + k] = evaluation.behaviour![k]!
  }

  const learn = (): void => {
    while (told.length >= engine.size && engine.stopped === undefined) {
      const { size } = engine
      told.sort((x, y) => idOf[x]! - idOf[y]!)
      if (batch.count !== size) batch = makeBatch(size, width, m, b)
      for (let i = 0; i < size; i++) {
        const slot = told[i]!
        batch.rows.set(rows.subarray(slot * width, slot * width + width), i * width)
        for (let k = 0; k < m; k++) batch.values[i * m + k] = values[slot * m + k]!
        for (let k = 0; k < b; k++) batch.behaviours[i * b + k] = behaviours[slot * b + k]!
        batch.violations[i] = violations[slot]!
        free.push(slot)
      }
      told.splice(0, size)
      generations++
      engine.learn(batch)
    }
  }

  const gather = (slots: readonly number[]) => {
    const k = slots.length
    const out = {
      ids: arrayLeaf('float64', [k]),
      rows: arrayLeaf('float64', [k, width]),
      values: arrayLeaf('float64', [k, m]),
      violations: arrayLeaf('float64', [k]),
      behaviours: arrayLeaf('float64', [k, b]),
    }
    slots.forEach((slot, i) => {
      out.ids.data[i] = idOf[slot]!
      out.rows.data.set(rows.subarray(slot * width, (slot + 1) * width), i * width)
      out.values.data.set(values.subarray(slot * m, (slot + 1) * m), i * m)
      out.violations.data[i] = violations[slot]!
      out.behaviours.data.set(behaviours.subarray(slot * b, (slot + 1) * b), i * b)
    })
    return out
  }

  if (saved) {
    nextId = saved.nextId
    evaluations = saved.evaluations
    generations = saved.generations
    if (saved.best) {
      bestId = saved.best.id
      bestValue = saved.best.value
      bestRow.set(saved.best.row.data)
    }
    for (const part of [saved.told, saved.asked]) {
      part.ids.data.forEach((candidate, i) => {
        const slot = allocate()
        idOf[slot] = candidate
        rows.set(part.rows.data.subarray(i * width, (i + 1) * width), slot * width)
        if (part === saved.asked) asked.set(candidate, slot)
        else {
          values.set(saved.told.values.data.subarray(i * m, (i + 1) * m), slot * m)
          violations[slot] = saved.told.violations.data[i]!
          behaviours.set(saved.told.behaviours.data.subarray(i * b, (i + 1) * b), slot * b)
          told.push(slot)
        }
      })
    }
    unpack(engine.state, saved.engine)
    engine.restored?.()
  }

  return {
    direction,
    engine,
    get best() {
      if (bestId >= 0 && m === 1) {
        incumbent ??= { id: bestId, point: engine.decode(bestRow, 0), value: signs[0]! * bestValue }
      }
      return incumbent
    },
    get stopped() {
      return engine.stopped
    },
    get evaluations() {
      return evaluations
    },
    get generations() {
      return generations
    },
    get populationSize() {
      return engine.size
    },
    ask(n = engine.size) {
      check(Number.isInteger(n) && n >= 1, id, () => `ask needs a number of points from 1, got ${describe(n)}.`)
      if (engine.stopped !== undefined) return []
      const out = new Array<Candidate<Point>>(n)
      for (let i = 0; i < n; i++) {
        const slot = allocate()
        engine.propose(rows, slot * width)
        idOf[slot] = nextId
        asked.set(nextId, slot)
        out[i] = { id: nextId++, point: engine.decode(rows, slot * width) }
      }
      return out
    },
    tell(results) {
      stamps++
      for (let i = 0; i < results.length; i++) {
        const result = results[i]!
        const problem = problemOf(result, asked.get(result?.id))
        if (problem !== undefined)
          check(
            false,
            id,
            () => `${problem}.`,
            'Nothing was changed. Tell a point that could not be valued as { id, failed }.',
          )
      }
      let sorted = true
      for (let i = 1; i < results.length; i++) if (results[i]!.id < results[i - 1]!.id) sorted = false
      const ordered = sorted ? results : [...results].sort((x, y) => x.id - y.id)
      for (let i = 0; i < ordered.length; i++) record(ordered[i]!)
      learn()
    },
    snapshot() {
      const waiting = gather([...asked.values()])
      return createSnapshot({
        id,
        version,
        config: config as unknown as Tree,
        state: {
          nextId,
          evaluations,
          generations,
          rng: rng.state(),
          best: bestId < 0 ? null : { id: bestId, value: bestValue, row: arrayLeaf('float64', [width], bestRow) },
          asked: { ids: waiting.ids, rows: waiting.rows },
          told: gather([...told].sort((x, y) => idOf[x]! - idOf[y]!)),
          engine: pack(engine.state),
        },
      })
    },
  }
}

function makeBatch(count: number, width: number, m: number, b: number): Batch {
  return {
    count,
    rows: new Float64Array(count * width),
    values: new Float64Array(count * m),
    violations: new Float64Array(count),
    behaviours: new Float64Array(count * b),
  }
}

function enlarge(array: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(length)
  out.set(array)
  return out
}

function checkDirection(direction: unknown, where: string): void {
  const list = Array.isArray(direction) ? direction : [direction]
  for (const one of list) {
    check(
      one === 'minimize' || one === 'maximize',
      where,
      () => `direction must be 'minimize' or 'maximize', got ${describe(one)}.`,
      'Say it explicitly.',
    )
  }
}
