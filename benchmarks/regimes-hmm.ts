import { arrayLeaf, createRng } from '@regimen/core'
import { fitHmm, type HmmModel, hmmSample, hmmScore, hmmViterbi, onlineHmm } from '@regimen/regimes'
import { bench } from './harness.ts'

const STATES = 3
const COLUMNS = 5

export default bench({
  name: 'regimes-hmm',
  description:
    'HMM of 3 states in 5 dimensions, 20 EM iterations, Viterbi, score, online filter; scikit-learn as the yardstick',
  async run(context) {
    const truth = model()
    const all = hmmSample(truth, 100_000, 1).rows
    const timed = (f: () => unknown, runs: number): number => {
      let best = Number.POSITIVE_INFINITY
      for (let run = 0; run < runs; run++) {
        const begin = performance.now()
        f()
        best = Math.min(best, (performance.now() - begin) / 1000)
      }
      return best
    }
    const dense = (rows: number[][]) => ({ rows: rows.length, cols: COLUMNS, data: Float64Array.from(rows.flat()) })
    const long = dense(all)
    const short = dense(all.slice(0, 10_000))
    const options = { states: STATES, start: truth, tolerance: 0, maxIterations: 20 }
    const em10k = timed(() => fitHmm(short, options), 4)
    const em100k = timed(() => fitHmm(long, options), 3)
    const viterbi = timed(() => hmmViterbi(truth, long), 3)
    const score = timed(() => hmmScore(truth, long), 3)
    const live = onlineHmm.open({ model: truth })
    const online = timed(() => {
      for (let t = 0; t < 20_000; t++) live.update(all[t]!)
    }, 4)
    const figures = {
      em10k_s: { value: em10k, unit: 's' },
      em100k_s: { value: em100k, unit: 's' },
      viterbi100k_s: { value: viterbi, unit: 's' },
      score100k_s: { value: score, unit: 's' },
      online_ns_per_bar: { value: (online / 20_000) * 1e9, unit: 'ns' },
    }
    const peer = await context.python<{ seconds: number }>(PEER, { needs: ['sklearn', 'numpy'] })
    if (peer.absent !== undefined) return { figures, peers: { 'scikit-learn': { absent: peer.absent } } }
    return {
      figures: { ...figures, ratio: em100k / peer.value.seconds },
      peers: { 'scikit-learn': { sklearn_gmm_s: { value: peer.value.seconds, unit: 's' } } },
    }
  },
})

function model(): HmmModel {
  const rng = createRng('hmm')
  const leaf = (shape: number[], data: ArrayLike<number>) => arrayLeaf('float64', shape, Float64Array.from(data))
  const covariances = new Float64Array(STATES * COLUMNS * COLUMNS)
  for (let s = 0; s < STATES; s++)
    for (let i = 0; i < COLUMNS; i++)
      for (let j = 0; j < COLUMNS; j++) covariances[(s * COLUMNS + i) * COLUMNS + j] = i === j ? 1 + s : 0.3
  return {
    kind: 'hmm',
    states: STATES,
    columns: COLUMNS,
    start: leaf([STATES], [1 / 3, 1 / 3, 1 / 3]),
    transition: leaf([STATES, STATES], [0.96, 0.02, 0.02, 0.02, 0.96, 0.02, 0.02, 0.02, 0.96]),
    emission: {
      family: 'gaussian',
      covariance: 'full',
      means: leaf([STATES, COLUMNS], rng.fillNormal(new Float64Array(STATES * COLUMNS))),
      covariances: leaf([STATES, COLUMNS, COLUMNS], covariances),
    },
    logLikelihood: 0,
    penalized: 0,
    history: [],
    converged: false,
    rows: 0,
    parameters: 0,
    bic: 0,
    aic: 0,
    vanished: [],
    scales: leaf([COLUMNS], new Float64Array(COLUMNS).fill(1)),
    floor: 0.001,
  }
}

const PEER = `
import json, time, warnings
import numpy as np
from sklearn.mixture import GaussianMixture
warnings.filterwarnings('ignore')
r = np.random.default_rng(0)
x = r.normal(size=(100000, 8)) + r.normal(size=(6, 8))[np.arange(100000) % 6] * 3
best = float('inf')
for run in range(3):
    m = GaussianMixture(6, max_iter=20, tol=0, init_params='random', random_state=0)
    begin = time.perf_counter()
    m.fit(x)
    best = min(best, time.perf_counter() - begin)
print(json.dumps({'seconds': best}))
`
