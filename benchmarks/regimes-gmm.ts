import { createRng } from '@regimen/core'
import { fitGaussianMixture } from '@regimen/regimes'
import { bench } from './harness.ts'

const ROWS = 100_000
const COLUMNS = 8
const COMPONENTS = 6
const ITERATIONS = 20

export default bench({
  name: 'regimes-gmm',
  description: 'Gaussian mixture, 100,000 × 8, six full covariances, 20 iterations, beside scikit-learn',
  async run(context) {
    const rng = createRng('gmm')
    const centres = rng.fillNormal(new Float64Array(COMPONENTS * COLUMNS), 0, 3)
    const x = Float64Array.from({ length: ROWS * COLUMNS }, (_, i) => {
      const row = Math.floor(i / COLUMNS)
      return centres[(row % COMPONENTS) * COLUMNS + (i % COLUMNS)]! + rng.normal()
    })
    // Start in the wrong place, so that every iteration has work to do.
    const means = Array.from({ length: COMPONENTS * COLUMNS }, (_, i) => centres[i]! * 0.7)
    const covariances = Array.from({ length: COMPONENTS * COLUMNS * COLUMNS }, (_, i) =>
      (i % (COLUMNS * COLUMNS)) % (COLUMNS + 1) === 0 ? 4 : 0,
    )
    const start = { weights: new Array<number>(COMPONENTS).fill(1 / COMPONENTS), means, covariances }
    const data = { rows: ROWS, cols: COLUMNS, data: x }
    let best = Number.POSITIVE_INFINITY
    let logLikelihood = 0
    for (let run = 0; run < 4; run++) {
      const begin = performance.now()
      const model = fitGaussianMixture(data, {
        components: COMPONENTS,
        start,
        floor: 0,
        regularization: 1e-6,
        tolerance: 0,
        maxIterations: ITERATIONS,
      })
      best = Math.min(best, (performance.now() - begin) / 1000)
      logLikelihood = model.logLikelihood
    }
    const peer = await context.python<{ seconds: number; logLikelihood: number }>(PEER, {
      needs: ['sklearn', 'numpy'],
      input: { x: Array.from(x), columns: COLUMNS, means, iterations: ITERATIONS },
    })
    const figures = { seconds: { value: best, unit: 's' }, logLikelihood }
    if (peer.absent !== undefined) return { figures, peers: { 'scikit-learn': { absent: peer.absent } } }
    const { seconds, logLikelihood: theirs } = peer.value
    return {
      figures: { ...figures, ratio: best / seconds, logLikelihood_difference: Math.abs(1 - logLikelihood / theirs) },
      peers: { 'scikit-learn': { seconds: { value: seconds, unit: 's' }, logLikelihood: theirs } },
    }
  },
})

const PEER = `
import json, sys, time, warnings
import numpy as np
from sklearn.mixture import GaussianMixture
warnings.filterwarnings('ignore')
p = json.load(sys.stdin)
d = p['columns']
x = np.array(p['x']).reshape(-1, d)
means = np.array(p['means']).reshape(-1, d)
k = len(means)
best = float('inf')
for run in range(3):
    m = GaussianMixture(k, max_iter=p['iterations'], tol=0, weights_init=np.full(k, 1 / k), means_init=means,
                        precisions_init=np.tile(np.eye(d) / 4, (k, 1, 1)), init_params='random', random_state=0)
    begin = time.perf_counter()
    m.fit(x)
    best = min(best, time.perf_counter() - begin)
print(json.dumps({'seconds': best, 'logLikelihood': float(m.score_samples(x).sum())}))
`
