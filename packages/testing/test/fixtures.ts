import {
  type ArrayLeaf,
  arrayLeaf,
  type Candidate,
  check,
  createLifetime,
  createRng,
  createSnapshot,
  type Direction,
  isSnapshot,
  type Live,
  type LiveFactory,
  type Optimizer,
  RegimenError,
  type RngState,
  restore,
  type Snapshot,
  schema,
} from '@regimen/core'

export interface MeanConfig {
  /** Standard deviation of the noise on a prediction, so that randomness is tested too. */
  noise: number
  seed: number
}

const configSchema = schema.object({ noise: schema.number({ min: 0 }), seed: schema.integer() })
const rngSchema = schema.object({
  key: schema.string(),
  c: schema.number(),
  s0: schema.number(),
  s1: schema.number(),
  s2: schema.number(),
})
const stateSchema = schema.object({
  count: schema.integer({ min: 0 }),
  sums: schema.leaf('float64', [2]),
  rng: rngSchema,
})

/** Ways to break the learner, each against one promise. */
export type Flaw =
  | 'mutates input'
  | 'ignores seed'
  | 'predict learns'
  | 'update does not learn'
  | 'forgets generator'
  | 'forgets negative zero'
  | 'aliases snapshot'
  | 'snapshot disturbs'
  | 'writes into snapshot'
  | 'accepts any snapshot'
  | 'accepts any shape'
  | 'vague refusal'
  | 'wrong id'
  | 'swallows NaN'
  | 'plain error'
  | 'half update'
  | 'works when disposed'
  | 'leaks per update'
  | 'leaks on dispose'

/** How many resources the learners hold, as a tensor engine would count them. */
export const resources = { count: 0 }

let unseeded = 1

/** A mean with a noisy memory: an honest learner, or one with a flaw. */
export function noisyMean(flaw?: Flaw): LiveFactory<MeanConfig, Float64Array, undefined, Float64Array> {
  const id = 'testing/noisy-mean'
  return {
    id,
    version: 1,
    open(from): Live<Float64Array, undefined, Float64Array> {
      const life = createLifetime(id)
      let config: MeanConfig
      let count = 0
      let sums = new Float64Array(2)
      let rng = createRng(0)
      if (isSnapshot(from)) {
        if (flaw === 'vague refusal') {
          try {
            restore(from, { id, version: 1, config: configSchema, state: stateSchema })
          } catch {
            throw new RegimenError('wrong snapshot.', { code: 'INVALID_SNAPSHOT', where: id })
          }
        }
        const loose = flaw === 'accepts any snapshot' || flaw === 'accepts any shape'
        const own = flaw === 'accepts any snapshot' ? { ...from, id, version: 1 } : from
        const saved = restore(own, {
          id: flaw === 'wrong id' ? 'other/mean' : id,
          version: 1,
          config: configSchema,
          state: loose ? schema.any() : stateSchema,
        })
        const state = (flaw === 'writes into snapshot' ? from.state : saved.state) as {
          count: number
          sums: ArrayLeaf<'float64'>
          rng: RngState
        }
        config = saved.config
        count = state.count
        sums = state.sums.data as Float64Array<ArrayBuffer>
        rng = createRng(flaw === 'forgets generator' ? config.seed : state.rng)
      } else {
        config = { ...from }
        check(config.noise >= 0, id, () => `noise must be at least 0, got ${config.noise}.`)
        rng = createRng(flaw === 'ignores seed' ? unseeded++ : config.seed)
      }
      resources.count += 1
      const prediction = new Float64Array(2)
      return {
        update(x) {
          if (flaw !== 'works when disposed') life.check()
          if (flaw === 'update does not learn') return
          if (flaw === 'half update') count++
          if (flaw === 'plain error' && !(x.length === 2)) throw new TypeError('two numbers, please')
          check(x.length === 2, id, () => `x must hold 2 numbers, got ${x.length}.`)
          if (flaw !== 'swallows NaN')
            check(x.every(Number.isFinite), id, () => `x must be finite, got ${x[0]}, ${x[1]}.`)
          if (flaw === 'leaks per update') resources.count++
          for (let i = 0; i < 2; i++) sums[i]! += x[i]! + config.noise * rng.normal()
          if (flaw !== 'half update') count++
          if (flaw === 'mutates input') x[0] = 0
        },
        predict() {
          if (flaw !== 'works when disposed') life.check()
          if (flaw === 'predict learns') count++
          for (let i = 0; i < 2; i++) prediction[i] = count === 0 ? 0 : sums[i]! / count
          return prediction
        },
        snapshot() {
          life.check()
          if (flaw === 'snapshot disturbs') rng.normal()
          const saved =
            flaw === 'aliases snapshot'
              ? { dtype: 'float64' as const, shape: [2], data: sums }
              : arrayLeaf('float64', [2], sums)
          return createSnapshot({
            id: flaw === 'wrong id' ? 'other/mean' : id,
            version: 1,
            config: { ...config },
            state: { count, sums: saved, rng: rng.state() },
          })
        },
        dispose() {
          if (life.end() && flaw !== 'leaks on dispose') resources.count--
        },
      }
    },
  }
}

export type OptimizerFlaw =
  | 'ignores direction'
  | 'reuses ids'
  | 'order matters'
  | 'forgets outstanding'
  | 'accepts unknown'
  | 'half tell'
  | 'accepts twice'
  | 'best is latest'
  | 'best of failures'
  | 'takes NaN'
  | 'best is wrong point'
  | 'mutates results'
  | 'moves asked points'
  | 'ignores seed'
  | 'leaves the space'
  | 'too few'
  | 'forgets best'

type Point = { x: number; y: number }

/** Random search around the best point: an honest optimizer, or one with a flaw. */
export function randomSearch(from: Direction | Snapshot, flaw?: OptimizerFlaw): Optimizer<Point> {
  const id = 'testing/random-search'
  type State = {
    rng: RngState
    next: number
    asked: { id: number; point: Point }[]
    best: { id: number; point: Point; value: number } | null
  }
  const pointSchema = schema.object({ x: schema.number(), y: schema.number() })
  const config = isSnapshot(from) ? (from.config as { direction: Direction }) : { direction: from }
  const direction = config.direction
  const state: State = isSnapshot(from)
    ? (restore(from, {
        id,
        version: 1,
        state: schema.object({
          rng: rngSchema,
          next: schema.integer(),
          asked: schema.list(schema.object({ id: schema.integer(), point: pointSchema })),
          best: schema.nullable(schema.object({ id: schema.integer(), point: pointSchema, value: schema.number() })),
        }),
      }).state as State)
    : { rng: createRng(flaw === 'ignores seed' ? unseeded++ : 7).state(), next: 0, asked: [], best: null }
  const rng = createRng(state.rng)
  if (isSnapshot(from) && flaw === 'forgets outstanding') state.asked = []
  if (isSnapshot(from) && flaw === 'forgets best') state.best = null
  const sign = direction === 'minimize' || flaw === 'ignores direction' ? 1 : -1
  let handedOut: Candidate<Point>[] = []
  return {
    direction,
    get best() {
      return state.best ?? undefined
    },
    stopped: undefined,
    ask(n = 4) {
      if (flaw === 'moves asked points') for (const { point } of handedOut) point.x += 1
      const count = flaw === 'too few' ? n - 1 : n
      const asked = Array.from({ length: count }, () => {
        const center = state.best?.point ?? { x: 0, y: 0 }
        const clip = (value: number) => (flaw === 'leaves the space' ? value * 9 : Math.min(1, Math.max(-1, value)))
        const point = { x: clip(center.x + rng.normal()), y: clip(center.y + rng.normal()) }
        return { id: flaw === 'reuses ids' ? state.next++ % 6 : state.next++, point }
      })
      state.asked.push(...asked)
      handedOut = asked.map((one) => ({ id: one.id, point: { ...one.point } }))
      return handedOut
    },
    tell(evaluations) {
      const seen = new Set<number>()
      for (const evaluation of evaluations) {
        const known = state.asked.some((one) => one.id === evaluation.id)
        const accepts = flaw === 'accepts unknown' || (flaw === 'accepts twice' && evaluation.id < state.next)
        check(accepts || (known && !seen.has(evaluation.id)), id, () => `id ${evaluation.id} was not asked for.`)
        if (flaw !== 'accepts twice') seen.add(evaluation.id)
        if (flaw === 'half tell') state.asked = state.asked.filter((one) => one.id !== evaluation.id)
        const nan = 'value' in evaluation && Number.isNaN(evaluation.value)
        if (flaw !== 'takes NaN') check(!nan, id, () => 'value must be a number, got NaN.', 'Tell { id, failed }.')
      }
      for (const evaluation of evaluations) {
        const { id: told } = evaluation
        const candidate = state.asked.find((one) => one.id === told) ?? { id: told, point: { x: 0, y: 0 } }
        state.asked = state.asked.filter((one) => one.id !== told)
        if (!('value' in evaluation)) {
          if (flaw === 'best of failures') state.best = { ...candidate, value: 0 }
          continue
        }
        const value = evaluation.value as number
        const better =
          state.best === null || sign * value < sign * state.best.value || (flaw === 'takes NaN' && Number.isNaN(value))
        if (better || flaw === 'best is latest') {
          const point = flaw === 'best is wrong point' ? { x: 0, y: 0 } : candidate.point
          state.best = { id: told, point: { ...point }, value }
        }
        if (flaw === 'order matters' && better) rng.uniform()
        if (flaw === 'mutates results') Object.assign(evaluation, { value: 0 })
      }
    },
    snapshot() {
      state.rng = rng.state()
      const best = state.best && { ...state.best, value: flaw === 'takes NaN' ? 0 : state.best.value }
      return createSnapshot({ id, version: 1, config: { direction }, state: structuredClone({ ...state, best }) })
    },
  }
}
