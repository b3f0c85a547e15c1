import { check, createSnapshot, describe, restore, schema } from '@regimen/core'
import { createForecast, type Forecaster, type Open } from '@regimen/pipeline'

/** Options of {@link garchForecaster}. */
export interface GarchForecasterOptions {
  /** Bars over which the coefficients are weighed. Above 1. @default 1000 */
  memory?: number
}

const ID = 'example/garch-forecaster'
/** Pairs of the weight of the last square, α, and of the variance before, β; what is left goes to the long-run variance. */
const GRID: readonly (readonly [number, number])[] = [0.02, 0.05, 0.1, 0.2].flatMap((a) =>
  [0.7, 0.8, 0.9, 0.97].filter((b) => a + b < 1).map((b) => [a, b] as const),
)
const STATE = schema.object({
  count: schema.integer({ min: 0 }),
  long: schema.number({ min: 0 }),
  variances: schema.list(schema.number({ min: 0 })),
  scores: schema.list(schema.number()),
})

/**
 * Forecasts the variance by GARCH(1,1), v′ = ω + α y² + β v, with ω from the long-run variance. Several pairs (α, β) run side by
 * side and are weighed by how well each has forecast, exp(Σ ln p) with forgetting, so that nothing has to be fitted.
 */
export function garchForecaster({ memory = 1000 }: GarchForecasterOptions = {}): Open<Forecaster> {
  check(memory > 1, ID, () => `memory must be above 1 bar, got ${describe(memory)}.`)
  const keep = Math.exp(-1 / memory)
  return (from) => {
    const saved = from && restore(from, { id: ID, version: 1, state: STATE }).state
    let { count, long } = saved ?? { count: 0, long: 0 }
    const variances = [...(saved?.variances ?? GRID.map(() => 0))]
    const scores = [...(saved?.scores ?? GRID.map(() => 0))]
    return {
      async forecast({ scale }) {
        // Nothing is known at the beginning but the recent scale.
        if (count === 0) return createForecast([{ weight: 1, mean: 0, variance: scale * scale }])
        const top = Math.max(...scores)
        return createForecast(
          variances.map((variance, i) => ({ weight: Math.exp(scores[i]! - top), mean: 0, variance })),
        )
      },
      async learn({ scale }, y) {
        if (count === 0) long = scale * scale
        count++
        long += (y * y - long) / Math.min(count + 20, memory)
        for (const [i, [alpha, beta]] of GRID.entries()) {
          const before = variances[i] || long
          scores[i] = keep * scores[i]! - 0.5 * Math.log(before) - (0.5 * y * y) / before
          variances[i] = (1 - alpha - beta) * long + alpha * y * y + beta * before
        }
      },
      async snapshot() {
        const state = { count, long, variances: [...variances], scores: [...scores] }
        return createSnapshot({ id: ID, version: 1, config: { memory }, state })
      },
      async dispose() {},
    }
  }
}
