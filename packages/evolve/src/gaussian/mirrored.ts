import { checkRange, defineSearch, type SearchFactory } from '../engine/factory.ts'
import {
  centredRanks,
  createGaussianEngine,
  type Distribution,
  type GaussianOptions,
  type GaussianSetting,
  separable,
} from './gaussian.ts'

/** Options of {@link openAiEs} and {@link pgpe}. */
export interface MirroredOptions extends GaussianOptions {
  /**
   * Step of the mean: of Adam for openAiEs, in step sizes for both, above 0.
   * @default 0.3
   */
  readonly learningRate?: number
  /**
   * How fast pgpe adapts its step sizes, from 0 (never) to 1.
   * @default 0.2
   */
  readonly sigmaRate?: number
  /**
   * Factor by which openAiEs shrinks its step size each generation, above 0 to 1.
   * @default 0.999
   */
  readonly sigmaDecay?: number
}

const pairs = (n: number): number => 2 * Math.max(8, Math.ceil(4 + 3 * Math.log(n)))

/**
 * Minimizes or maximizes by the evolution strategy of Salimans et al.: mirrored pairs m ± σ·z, centred ranks in place of
 * values, the gradient estimate Σ r_k·z_k/(λ·σ), and Adam to follow it. Made for thousands of parameters and many workers, where
 * the covariance of `cmaEs` is out of reach; its step size only decays. {@link pgpe} adapts it.
 *
 * ```ts
 * import { openAiEs } from '@regimen/evolve'
 *
 * const optimizer = openAiEs.open({ space: { dimension: 20 }, direction: 'minimize', start: Array(20).fill(1), sigma: 0.1 })
 * while (optimizer.evaluations < 20_000) {
 *   optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: point.reduce((sum, x) => sum + x * x, 0) })))
 * }
 * optimizer.best!.value < 0.05 // => true
 * ```
 *
 * Reference: T. Salimans et al., "Evolution strategies as a scalable alternative to reinforcement learning", arXiv:1703.03864.
 */
export const openAiEs: SearchFactory<MirroredOptions> = /* @__PURE__ */ defineSearch<MirroredOptions>(
  'evolve/openai-es',
  1,
  (setting) => {
    const { id, options } = setting
    const rate = checkRange(id, 'learningRate', options.learningRate ?? 0.3, Number.MIN_VALUE, 100)
    const decay = checkRange(id, 'sigmaDecay', options.sigmaDecay ?? 0.999, Number.MIN_VALUE, 1)
    return createGaussianEngine(setting, true, pairs, (given) => adamDistribution(given, rate, decay))
  },
)

/**
 * Minimizes or maximizes by policy gradients with parameter-based exploration: mirrored pairs as in {@link openAiEs}, and a step
 * size of its own for each coordinate, which grows where long steps paid and shrinks where short ones did. For nets
 * and policies with hundreds of parameters on noisy returns.
 *
 * ```ts
 * import { pgpe } from '@regimen/evolve'
 *
 * const optimizer = pgpe.open({ space: { dimension: 3 }, direction: 'maximize', start: [2, 2, 2], sigma: 0.5, seed: 1 })
 * while (optimizer.evaluations < 8000) {
 *   optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: -point.reduce((sum, x) => sum + x * x, 0) })))
 * }
 * optimizer.best!.value > -0.001 // => true
 * ```
 *
 * Reference: F. Sehnke et al., "Parameter-exploring policy gradients", 2010.
 */
export const pgpe: SearchFactory<MirroredOptions> = /* @__PURE__ */ defineSearch<MirroredOptions>(
  'evolve/pgpe',
  1,
  (setting) => {
    const { id, options } = setting
    const rate = checkRange(id, 'learningRate', options.learningRate ?? 0.3, Number.MIN_VALUE, 100)
    const sigmaRate = checkRange(id, 'sigmaRate', options.sigmaRate ?? 0.2, 0, 1)
    return createGaussianEngine(setting, true, pairs, (given) => pgpeDistribution(given, rate, sigmaRate))
  },
)

function adamDistribution(setting: GaussianSetting, rate: number, decay: number): Distribution {
  const first = new Float64Array(setting.n)
  const second = new Float64Array(setting.n)
  const steps = new Float64Array(1)
  const shared = separable(setting, centredRanks(setting.size), (toMean, _, i, deviation, count, out) => {
    const t = steps[0]!
    const gradient = toMean / count
    first[i] = 0.9 * first[i]! + 0.1 * gradient
    second[i] = 0.99 * second[i]! + 0.01 * gradient * gradient
    const m = first[i]! / (1 - 0.9 ** t)
    const v = second[i]! / (1 - 0.99 ** t)
    out[0] = (rate * deviation * m) / (Math.sqrt(v) + 1e-8)
    out[1] = decay
  })
  return {
    ...shared,
    state: { ...shared.state, first, second, steps },
    learn(z, order, count, mean) {
      steps[0]!++
      shared.learn(z, order, count, mean)
    },
  }
}

const pgpeDistribution = (setting: GaussianSetting, rate: number, sigmaRate: number): Distribution =>
  separable(setting, centredRanks(setting.size), (toMean, toSigma, _, deviation, count, out) => {
    // 4/λ makes the step about one deviation on a slope, whatever λ is.
    out[0] = rate * deviation * (4 / count) * toMean * 2
    out[1] = Math.exp(Math.min(0.3, Math.max(-0.3, (sigmaRate * 4 * toSigma) / count)))
  })
