import { createRng } from '@regimen/core'
import { choleskyInto, type Dense, mahalanobisBatch, matmul, symmetricEigen, transpose } from '@regimen/core/math'
import { CholeskyDecomposition, EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { bench, interleave } from './harness.ts'

const POINTS = 100_000
const DIMENSION = 8

export default bench({
  name: 'core-linalg',
  description: 'Cholesky, symmetric eigen and batched Mahalanobis distance beside ml-matrix',
  async run(context) {
    const points = {
      rows: POINTS,
      cols: DIMENSION,
      data: createRng('points').fillNormal(new Float64Array(POINTS * DIMENSION)),
    }
    const mean = createRng('mean').fillNormal(new Float64Array(DIMENSION))
    const covariance = randomSpd(DIMENSION)
    const factor = { n: DIMENSION, lower: new Float64Array(DIMENSION * DIMENSION) }
    const ours = new Float64Array(POINTS)
    const peerPoints = toPeer(points)
    const peerFactor = new CholeskyDecomposition(toPeer(covariance))
    let peers: number[] = []

    context.log(`Mahalanobis distance of ${POINTS} points of ${DIMENSION} numbers`)
    const mahalanobis = await interleave({
      regimen: () => {
        choleskyInto(covariance.data, DIMENSION, factor.lower)
        mahalanobisBatch(points, mean, factor, ours)
      },
      'ml-matrix': () => {
        // The same distances with whole-matrix operations, the fastest way that ml-matrix offers.
        const shifted = peerPoints.clone().subRowVector(mean as unknown as number[])
        const solved = peerFactor.solve(shifted.transpose()).transpose()
        peers = shifted.mul(solved).sum('row')
      },
    })
    for (let i = 0; i < POINTS; i++)
      if (!(Math.abs(ours[i]! - peers[i]!) <= 1e-9 * ours[i]!))
        throw new Error(`distance ${i}: ${ours[i]} and ${peers[i]}`)

    const cholesky64 = await choleskyRace(64, 100, context.log)
    const cholesky256 = await choleskyRace(256, 5, context.log)
    const eigen = randomSpd(64)
    const eigenPeer = toPeer(eigen)
    context.log('symmetric eigen of 64 × 64')
    const eigen64 = await interleave({
      regimen: () => symmetricEigen(eigen),
      'ml-matrix': () => new EigenvalueDecomposition(eigenPeer, { assumeSymmetric: true }),
    })
    const races = { mahalanobis, cholesky64, cholesky256, eigen64 }
    const figures: { [name: string]: number | { value: number; unit: string; spread: number } } = {}
    const peer: { [name: string]: { value: number; unit: string; spread: number } } = {}
    for (const [name, { timings, ratios }] of Object.entries(races)) {
      const repeats = name === 'cholesky64' ? 100 : name === 'cholesky256' ? 5 : 1
      const each = (timing: { median: number; spread: number }) => ({
        value: timing.median / repeats,
        unit: 'ms',
        spread: timing.spread,
      })
      figures[`${name}_ms`] = each(timings.regimen)
      figures[`${name}_speedup`] = ratios['ml-matrix']
      peer[`${name}_ms`] = each(timings['ml-matrix'])
    }
    return { figures, peers: { 'ml-matrix': peer } }
  },
})

function choleskyRace(n: number, repeats: number, log: (message: string) => void) {
  log(`Cholesky of ${n} × ${n}`)
  const spd = randomSpd(n)
  const peer = toPeer(spd)
  const lower = new Float64Array(n * n)
  return interleave({
    regimen: () => {
      for (let i = 0; i < repeats; i++) choleskyInto(spd.data, n, lower)
    },
    'ml-matrix': () => {
      for (let i = 0; i < repeats; i++) new CholeskyDecomposition(peer)
    },
  })
}

function randomSpd(n: number): Dense {
  const g = { rows: n, cols: n, data: createRng(n).fillNormal(new Float64Array(n * n)) }
  const spd = matmul(g, transpose(g))
  for (let i = 0; i < n; i++) spd.data[i * n + i]! += 1
  return spd
}

function toPeer({ rows, cols, data }: Dense): Matrix {
  return Matrix.from1DArray(rows, cols, Array.from(data))
}
