export type { Assignment } from './math/assignment.ts'
export { assign } from './math/assignment.ts'
export type { Cholesky, CholeskyOptions } from './math/cholesky.ts'
export {
  cholesky,
  choleskyInto,
  choleskyInverse,
  choleskySolve,
  inverseSpd,
  logDetOf,
  solveSpd,
} from './math/cholesky.ts'
export type { Svd } from './math/decompositions.ts'
export { leastSquares, svd } from './math/decompositions.ts'
export { numericalGradient, numericalHessian } from './math/differences.ts'
export type { SymmetricEigen } from './math/eigen.ts'
export { symmetricEigen, symmetricEigenInto } from './math/eigen.ts'
export { erf, erfc, erfcx } from './math/erf.ts'
export { digamma, lbeta, lgamma, trigamma } from './math/gamma.ts'
export { hypervolume } from './math/hypervolume.ts'
export type { TestResult } from './math/hypothesis.ts'
export { holm, pairedT, wilcoxon } from './math/hypothesis.ts'
export { betaI, betaQuantile, studentTCdf, studentTQuantile } from './math/incomplete-beta.ts'
export { chiSquarePValue, chiSquareQuantile, gammaP, gammaQ, gammaQuantile } from './math/incomplete-gamma.ts'
export type { LbfgsOptions, LbfgsResult } from './math/lbfgs.ts'
export { lbfgs } from './math/lbfgs.ts'
export { logAddExp, logSumExp, softmax } from './math/log-sum-exp.ts'
export { mahalanobis, mahalanobisBatch } from './math/mahalanobis.ts'
export type { Dense, MatrixLike, VectorLike } from './math/matrix.ts'
export { identity, toMatrix, toRows } from './math/matrix.ts'
export { erfInverse, normalCdf, normalLogCdf, normalPdf, normalQuantile } from './math/normal.ts'
export { crowdingDistance, dominates, nonDominatedSort, paretoFilter } from './math/pareto.ts'
export { dot, matmul, matmulInto, matvec, transpose } from './math/products.ts'
export {
  correlation,
  median,
  quantile,
  quantileInPlace,
  quantiles,
  ranks,
  selectInPlace,
  spearman,
} from './math/quantile.ts'
export type { Moments, RunningCovariance } from './math/running.ts'
export {
  addCovariance,
  addMoment,
  covarianceOf,
  createCovariance,
  createMoments,
  mergeCovariance,
  mergeMoments,
  momentSummary,
} from './math/running.ts'
export { mean, sum, variance } from './math/sums.ts'
export { autocorrelation, stationaryBootstrap } from './math/time-series.ts'
export {
  solveLowerInto,
  solveLowerManyInto,
  solveLowerTransposedInto,
  solveLowerTransposedManyInto,
} from './math/triangular.ts'
