// Three regimes whose labels contradict each other, learned one after the other: by fine-tuning, with EWC, and with replay.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ContinualMetrics, continualMetrics, openTrainer, type Strategy, type TaskData } from '@regimen/continual'
import { createRng } from '@regimen/core'
import { heatMap, renderReport } from '@regimen/report'
import { mlp } from '@regimen/tensor'
import '@tensorflow/tfjs'

const REGIMES = ['calm', 'nervous', 'panic']

/** Last return and volatility; in every other regime the market turns around. */
function regime(k: number, seed: number, samples = 256): TaskData {
  const rng = createRng(seed)
  const x = new Float32Array(2 * samples)
  const y = new Int32Array(samples)
  for (let i = 0; i < samples; i++) {
    const last = rng.uniform(-1, 1)
    x[2 * i] = last
    x[2 * i + 1] = 1.5 * (k - 1) + rng.uniform(-0.4, 0.4)
    y[i] = last > 0 === (k % 2 === 0) ? 1 : 0
  }
  return { x, y }
}

async function follow(strategy: Strategy): Promise<{ matrix: number[][]; metrics: ContinualMetrics }> {
  const net = mlp({ sizes: [2, 32, 2] })
  const trainer = openTrainer({ net, inputs: 2, outputs: 2, rate: 0.02, seed: 1, strategy })
  const matrix: number[][] = []
  for (let i = 0; i < REGIMES.length; i++) {
    await trainer.learn(regime(i, i), { epochs: 15 })
    const row: number[] = []
    for (let j = 0; j < REGIMES.length; j++) row.push(await trainer.accuracy(regime(j, 100 + j)))
    matrix.push(row)
  }
  await trainer.dispose()
  return { matrix, metrics: continualMetrics(matrix, { chance: 0.5 }) }
}

const runs = {
  'fine-tuning': await follow({}),
  EWC: await follow({ penalty: { kind: 'ewc', lambda: 30 } }),
  replay: await follow({ replay: { bytes: 8000 } }),
}

console.log('accuracy on each regime after learning the last, and how much was forgotten')
for (const [name, { matrix, metrics }] of Object.entries(runs)) {
  const last = matrix.at(-1)!.map((value, j) => `${REGIMES[j]} ${(100 * value).toFixed(0)} %`)
  console.log(`${name.padEnd(12)} ${last.join(', ').padEnd(40)} forgotten ${(100 * metrics.forgetting).toFixed(0)} %`)
}

const charts = Object.entries(runs).map(([name, { matrix }]) =>
  heatMap({
    title: `${name}: accuracy on each regime (columns) after learning each (rows)`,
    rows: REGIMES,
    columns: REGIMES,
    values: matrix,
    format: 'percent',
    range: [0, 1],
  }),
)
const folder = join(fileURLToPath(new URL('../../../', import.meta.url)), 'runs', 'ewc-against-forgetting')
mkdirSync(folder, { recursive: true })
const file = join(folder, 'report.html')
writeFileSync(
  file,
  await renderReport({ title: 'What is forgotten', sections: [{ title: 'Accuracy', blocks: charts }] }),
)
console.log(`report: ${relative(process.cwd(), file)}`)

assert(runs['fine-tuning'].metrics.forgetting > 0.2)
assert(runs.EWC.metrics.forgetting < runs['fine-tuning'].metrics.forgetting)
assert(runs.replay.metrics.averageAccuracy > 0.9)
