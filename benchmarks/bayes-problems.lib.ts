import type { SearchPoint, Trial } from '@regimen/bayes'
import { Rng } from '@regimen/core'

/** A test problem for `bayes-quality`, minimized. The Python peer has the same formulas. */
export interface Problem {
  readonly name: string
  run(trial: Trial, seed: number): number
}

const HARTMANN_ALPHA = [1, 1.2, 3, 3.2]
const HARTMANN3_A = [[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]] // biome-ignore format: a matrix
const HARTMANN3_P = [
  [0.3689, 0.117, 0.2673],
  [0.4699, 0.4387, 0.747],
  [0.1091, 0.8732, 0.5547],
  [0.0381, 0.5743, 0.8828],
]
const HARTMANN6_A = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
]
const HARTMANN6_P = [
  [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
  [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
  [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.665],
  [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]

function hartmann(x: readonly number[], a: readonly number[][], p: readonly number[][]): number {
  let total = 0
  for (let i = 0; i < 4; i++) {
    let inner = 0
    for (let j = 0; j < x.length; j++) inner += a[i]![j]! * (x[j]! - p[i]![j]!) ** 2
    total -= HARTMANN_ALPHA[i]! * Math.exp(-inner)
  }
  return total
}

function floats(trial: Trial, n: number, low: number, high: number): number[] {
  return Array.from({ length: n }, (_, i) => trial.float(`x${i}`, low, high))
}

/** Hartmann's function of six variables; minimum −3.32237. */
export function hartmann6(trial: Trial): number {
  return hartmann(floats(trial, 6, 0, 1), HARTMANN6_A, HARTMANN6_P)
}

/** The loss surface of a made-up network whose parameters depend on its optimizer and its depth. */
function mlp(trial: Trial): number {
  const optimizer = trial.categorical('optimizer', ['sgd', 'adam', 'rmsprop'])
  const rate = trial.float('rate', 1e-5, 1, { log: true })
  const layers = trial.int('layers', 1, 4)
  let loss = 0
  if (optimizer === 'sgd') {
    const momentum = trial.float('momentum', 0, 0.99)
    loss += 0.1 * (Math.log10(rate) + 1) ** 2 + 0.5 * (momentum - 0.9) ** 2 + 0.05
  } else {
    const beta = trial.float('beta', 0.8, 0.999)
    loss += 0.1 * (Math.log10(rate) + 3) ** 2 + 2 * (beta - 0.95) ** 2 + (optimizer === 'adam' ? 0 : 0.03)
  }
  loss += 0.05 * (layers - 2) ** 2
  for (let l = 0; l < layers; l++) {
    const width = trial.int(`width${l}`, 4, 256, { log: true })
    loss += 0.03 * (Math.log2(width) - 6 + l) ** 2
  }
  return loss + 0.2 * trial.float('dropout', 0, 0.8) ** 2
}

/** Sharpe ratio, negated, of a made-up momentum strategy; the noise of a short backtest is as large as the differences. */
function backtest(trial: Trial, seed: number): number {
  const fast = trial.int('fast', 2, 50)
  const slow = trial.int('slow', 20, 250)
  const stop = trial.float('stop', 0.005, 0.2, { log: true })
  const kind = trial.categorical('kind', ['ema', 'sma', 'wma'])
  const sharpe =
    1.2 * Math.exp(-(((fast - 12) / 10) ** 2) - ((slow - 100) / 60) ** 2) +
    0.4 * Math.exp(-(Math.log(stop / 0.03) ** 2)) +
    (kind === 'ema' ? 0.1 : 0)
  trial.setAttribute('clean', -sharpe)
  return -sharpe + new Rng(`${seed}/${trial.number}`).normal(0, 0.3)
}

/** The problems in the order of the issue that set them. */
export const problems: readonly Problem[] = [
  {
    name: 'branin',
    run(trial) {
      const x = trial.float('x0', -5, 10)
      const y = trial.float('x1', 0, 15)
      const inner = y - (5.1 * x * x) / (4 * Math.PI ** 2) + (5 * x) / Math.PI - 6
      return inner ** 2 + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10
    },
  },
  { name: 'hartmann3', run: (trial) => hartmann(floats(trial, 3, 0, 1), HARTMANN3_A, HARTMANN3_P) },
  { name: 'hartmann6', run: hartmann6 },
  {
    name: 'ackley10',
    run(trial) {
      const x = floats(trial, 10, -32.768, 32.768)
      const square = x.reduce((s, v) => s + v * v, 0) / 10
      const cosine = x.reduce((s, v) => s + Math.cos(2 * Math.PI * v), 0) / 10
      return -20 * Math.exp(-0.2 * Math.sqrt(square)) - Math.exp(cosine) + 20 + Math.E
    },
  },
  {
    name: 'rosenbrock10',
    run(trial) {
      const x = floats(trial, 10, -2.048, 2.048)
      let total = 0
      for (let i = 0; i < 9; i++) total += 100 * (x[i + 1]! - x[i]! ** 2) ** 2 + (1 - x[i]!) ** 2
      return total
    },
  },
  {
    name: 'levy6',
    run(trial) {
      const w = floats(trial, 6, -10, 10).map((v) => 1 + (v - 1) / 4)
      let total = Math.sin(Math.PI * w[0]!) ** 2 + (w[5]! - 1) ** 2 * (1 + Math.sin(2 * Math.PI * w[5]!) ** 2)
      for (let i = 0; i < 5; i++) total += (w[i]! - 1) ** 2 * (1 + 10 * Math.sin(Math.PI * w[i]! + 1) ** 2)
      return total
    },
  },
  { name: 'mlp', run: mlp },
  { name: 'backtest', run: backtest },
]

/** The declared form of Hartmann6, for samplers that want it. */
export const hartmann6Space = Object.fromEntries(
  Array.from({ length: 6 }, (_, i) => [`x${i}`, { type: 'float', low: 0, high: 1 }] as const),
)

/** A point of it. */
export type Hartmann6Point = SearchPoint<typeof hartmann6Space>
