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
export type { SymmetricEigen } from './math/eigen.ts'
export { symmetricEigen, symmetricEigenInto } from './math/eigen.ts'
export { lgamma } from './math/gamma.ts'
export { logAddExp, logSumExp, softmax } from './math/log-sum-exp.ts'
export { mahalanobis, mahalanobisBatch } from './math/mahalanobis.ts'
export type { Dense, MatrixLike, VectorLike } from './math/matrix.ts'
export { identity, toMatrix, toRows } from './math/matrix.ts'
export { dot, matmul, matmulInto, matvec, transpose } from './math/products.ts'
export {
  solveLowerInto,
  solveLowerManyInto,
  solveLowerTransposedInto,
  solveLowerTransposedManyInto,
} from './math/triangular.ts'
