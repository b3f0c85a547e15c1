import { type ArrayLeaf, arrayLeaf, check, createSnapshot, describe, restore, schema } from '@regimen/core'
import type { Forecaster, Open } from '../forecaster.ts'
import { loadObservation, type Observation, observationSchema, saveObservation } from '../observation.ts'
import { calibrate, calibrated, calibrationSchema, openCalibration } from './calibration.ts'

/** Samples on which a net is adapted. */
export interface SupportSet {
  /** Features, samples × features. */
  readonly x: ArrayLeaf<'float32'>
  /** Returns in units of the scale, samples × 1. */
  readonly y: ArrayLeaf<'float32'>
}

/** A net adapted to a {@link SupportSet}; what `adapt` of `@regimen/meta` returns is one. */
export interface AdaptedNet {
  predict(x: ArrayLeaf<'float32'>): Promise<{ readonly data: ArrayLike<number> }>
  readonly lossBefore: number
  readonly lossAfter: number
}

/** Options of {@link adaptingForecaster}. */
export interface AdaptingForecasterOptions {
  /**
   * Adapts the meta-learned net: an adapter of `@regimen/meta`. Its first output is the mean of the next return in units of the
   * scale; a second one, where there is one, the logarithm of its variance.
   */
  adapt: (support: SupportSet) => Promise<AdaptedNet>
  /** Observations to adapt on, from 2. @default 32 */
  samples?: number
  /** Observations that are remembered to choose from, at least `samples`. @default 512 */
  memory?: number
  /** Bars between adaptations while the regime stays, from 1. @default 5 */
  every?: number
  /** Hears of each adaptation: the losses on its own support before and after. @default nobody */
  onAdapt?: (row: number, lossBefore: number, lossAfter: number) => void
}

const ID = 'pipeline/adapting-forecaster'

const STATE = schema.object({
  known: schema.list(schema.object({ observation: observationSchema, z: schema.number() })),
  support: schema.list(schema.object({ observation: observationSchema, z: schema.number() })),
  regime: schema.integer({ min: -1 }),
  age: schema.integer({ min: 0 }),
  calibration: calibrationSchema,
})

interface Known {
  readonly observation: Observation
  /** Its return in units of the scale. */
  readonly z: number
}

/**
 * Forecasts with a meta-learned net that is adapted to the present regime: the support are the observations whose regime
 * probabilities are most like today's, the latest first among equals. It adapts anew when the likeliest regime changes and every
 * few bars. Before there are `samples` known returns it forecasts a mean of 0.
 *
 * ```ts
 * import { adaptingForecaster } from '@regimen/pipeline'
 *
 * // An adapter that answers with the mean of its support.
 * const adapt = async ({ y }: { y: { data: Float32Array } }) => {
 *   const mean = y.data.reduce((a, b) => a + b, 0) / y.data.length
 *   return { predict: async () => ({ data: [mean] }), lossBefore: 1, lossAfter: 0 }
 * }
 * const forecaster = await adaptingForecaster({ adapt, samples: 4 })()
 * const at = (first: number) => {
 *   const regimes = Float64Array.of(first, 1 - first)
 *   return { row: 0, time: 0, features: Float32Array.of(1), regimes, ahead: regimes, logScore: Number.NaN, scale: 1 }
 * }
 * for (let i = 0; i < 400; i++) await forecaster.learn(at(i % 200 < 100 ? 0 : 1), i % 200 < 100 ? -2 : 2)
 * // The last four observations of the second regime make the support; its mean is believed after a while.
 * const forecast = await forecaster.forecast(at(1))
 * forecast.mean > 1 // => true
 * ```
 */
export function adaptingForecaster(options: AdaptingForecasterOptions): Open<Forecaster> {
  const { adapt, samples = 32, memory = 512, every = 5, onAdapt } = options
  check(Number.isInteger(samples) && samples >= 2, ID, () => `samples must be at least 2, got ${describe(samples)}.`)
  check(
    Number.isInteger(memory) && memory >= samples,
    ID,
    () => `memory must be at least samples, ${samples}, got ${describe(memory)}.`,
  )
  check(Number.isInteger(every) && every >= 1, ID, () => `every must be at least 1 bar, got ${describe(every)}.`)
  return (from) => {
    const saved = from && restore(from, { id: ID, version: 1, state: STATE }).state
    const load = (list: readonly { observation: Parameters<typeof loadObservation>[0]; z: number }[] = []): Known[] =>
      list.map(({ observation, z }) => ({ observation: loadObservation(observation), z }))
    const known = load(saved?.known)
    let support = load(saved?.support)
    let regime = saved?.regime ?? -1
    let age = saved?.age ?? 0
    const calibration = openCalibration(saved?.calibration)
    let net: AdaptedNet | undefined

    // A forecast is asked for again when its return is known; until then nothing was learned.
    let last: { readonly observation: Observation; readonly mean: number; readonly deviation: number } | undefined
    const answer = async (observation: Observation): Promise<{ readonly mean: number; readonly deviation: number }> => {
      if (support.length === 0) return { mean: 0, deviation: 1 }
      if (last?.observation === observation) return last
      net ??= await adapt(toSet(support))
      const { features } = observation
      const { data } = await net.predict(arrayLeaf('float32', [1, features.length], features))
      const deviation = data.length > 1 ? Math.exp(Math.max(-10, Math.min(10, data[1]!)) / 2) : 1
      last = { observation, mean: data[0]!, deviation }
      return last
    }
    return {
      async forecast(observation) {
        const { mean, deviation } = await answer(observation)
        return calibrated(calibration, mean, deviation, observation.scale)
      },
      async learn(observation, y) {
        const z = y / observation.scale
        const { mean, deviation } = await answer(observation)
        calibrate(calibration, mean, deviation, z)
        known.push({ observation, z })
        if (known.length > memory) known.shift()
        age++
        const likeliest = argmax(observation.regimes)
        if (known.length < samples || (support.length > 0 && likeliest === regime && age < every)) return
        regime = likeliest
        age = 0
        support = mostAlike(known, observation.regimes, samples)
        net = await adapt(toSet(support))
        last = undefined
        onAdapt?.(observation.row, net.lossBefore, net.lossAfter)
      },
      async snapshot() {
        const save = (list: readonly Known[]) =>
          list.map(({ observation, z }) => ({ observation: saveObservation(observation), z }))
        return createSnapshot({
          id: ID,
          version: 1,
          config: { samples, memory, every },
          state: { known: save(known), support: save(support), regime, age, calibration: { ...calibration } },
        })
      },
      async dispose() {},
    }
  }
}

function toSet(support: readonly Known[]): SupportSet {
  const width = support[0]!.observation.features.length
  const x = new Float32Array(support.length * width)
  support.forEach(({ observation }, i) => {
    x.set(observation.features, i * width)
  })
  return {
    x: arrayLeaf('float32', [support.length, width], x),
    y: arrayLeaf(
      'float32',
      [support.length, 1],
      Float32Array.from(support, ({ z }) => z),
    ),
  }
}

/** Those of the most similar regime probabilities, oldest first; the later of two that are alike. */
function mostAlike(known: readonly Known[], regimes: Float64Array, count: number): Known[] {
  const likeness = known.map(({ observation }) => {
    let sum = 0
    for (let j = 0; j < regimes.length; j++) sum += regimes[j]! * observation.regimes[j]!
    return sum
  })
  return known
    .map((_, i) => i)
    .sort((a, b) => likeness[b]! - likeness[a]! || b - a)
    .slice(0, count)
    .sort((a, b) => a - b)
    .map((i) => known[i]!)
}

function argmax(values: ArrayLike<number>): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i
  return best
}
