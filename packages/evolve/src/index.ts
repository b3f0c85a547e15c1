export { cmaEs } from './cma-es/cma-es.ts'
export { maximize, minimize } from './minimize.ts'

// Types.

export type { CmaEsOptions } from './cma-es/cma-es.ts'
export type { EvolutionOptimizer } from './engine/engine.ts'
export type { SearchFactory, SearchOptions } from './engine/factory.ts'
export type { AnyPoint, Box, PointFor, SearchSpace } from './engine/space.ts'
export type { Answer, Evaluator, GenerationInfo, MinimizeOptions, Objective, OptimizeResult } from './minimize.ts'
