import { createRng } from '@regimen/core'
import { fitKMeans } from '@regimen/regimes'
import { bench } from './harness.ts'

const ROWS = 100_000
const COLUMNS = 8
const CLUSTERS = 8

export default bench({
  name: 'regimes-kmeans',
  description: 'k-means, 100,000 × 8, eight clusters, from the same centres, beside scikit-learn',
  async run(context) {
    const rng = createRng('k-means')
    const centres = rng.fillNormal(new Float64Array(CLUSTERS * COLUMNS), 0, 1.5)
    const x = Float64Array.from(
      { length: ROWS * COLUMNS },
      (_, i) => centres[(Math.floor(i / COLUMNS) % CLUSTERS) * COLUMNS + (i % COLUMNS)]! + rng.normal(),
    )
    const start = x.slice(0, CLUSTERS * COLUMNS)
    const data = { rows: ROWS, cols: COLUMNS, data: x }
    let best = Number.POSITIVE_INFINITY
    let inertia = 0
    for (let run = 0; run < 4; run++) {
      const begin = performance.now()
      inertia = fitKMeans(data, { clusters: CLUSTERS, start, tolerance: 0 }).inertia
      best = Math.min(best, (performance.now() - begin) / 1000)
    }
    const peer = await context.python<{ seconds: number; inertia: number }>(PEER, {
      needs: ['sklearn', 'numpy'],
      input: { x: Array.from(x), columns: COLUMNS, start: Array.from(start) },
    })
    const figures = { seconds: { value: best, unit: 's' }, inertia }
    if (peer.absent !== undefined) return { figures, peers: { 'scikit-learn': { absent: peer.absent } } }
    return {
      figures: { ...figures, ratio: best / peer.value.seconds },
      peers: { 'scikit-learn': { seconds: { value: peer.value.seconds, unit: 's' }, inertia: peer.value.inertia } },
    }
  },
})

const PEER = `
import json, sys, time
import numpy as np
from sklearn.cluster import KMeans
p = json.load(sys.stdin)
x = np.array(p['x']).reshape(-1, p['columns'])
start = np.array(p['start']).reshape(-1, p['columns'])
best = float('inf')
for run in range(3):
    m = KMeans(len(start), init=start, n_init=1, tol=0, algorithm='lloyd')
    begin = time.perf_counter()
    m.fit(x)
    best = min(best, time.perf_counter() - begin)
print(json.dumps({'seconds': best, 'inertia': float(m.inertia_)}))
`
