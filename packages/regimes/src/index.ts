export { fitDbscan } from './cluster/dbscan.ts'
export { fitKMeans } from './cluster/k-means.ts'
export { fitKMedoids } from './cluster/k-medoids.ts'
export { fitMiniBatchKMeans } from './cluster/mini-batch.ts'
export { fitGaussianMixture, mixtureScore } from './mixture/gaussian-mixture.ts'

// Types.

export type { DbscanModel, DbscanOptions } from './cluster/dbscan.ts'
export type { KMeansModel, KMeansOptions } from './cluster/k-means.ts'
export type { KMedoidsModel, KMedoidsOptions } from './cluster/k-medoids.ts'
export type { MiniBatchOptions } from './cluster/mini-batch.ts'
export type { CovarianceType } from './gaussian/kernel.ts'
export type { GaussianMixture, GaussianMixtureOptions, MixtureStart } from './mixture/gaussian-mixture.ts'
export type { Float64Leaf, Observations } from './observations.ts'
