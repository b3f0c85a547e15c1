export { causalChecks, checkCausal, testCausal } from './causal.ts'
export { asTree, difference, findNaN, fingerprint } from './compare.ts'
export { ContractError } from './contract-error.ts'
export { checkLive, liveChecks, testLive } from './live.ts'
export { checkNoLeak, noLeakChecks, testNoLeak } from './no-leak.ts'
export { checkOptimizer, optimizerChecks, testOptimizer } from './optimizer.ts'
export { checkSnapshot, snapshotChecks, testSnapshot } from './snapshot.ts'

// Types.

export type { CausalSuite } from './causal.ts'
export type { Checks } from './checks.ts'
export type { Awkward, LiveSuite, Observation } from './live.ts'
export type { NoLeakSuite } from './no-leak.ts'
export type { OptimizerSuite } from './optimizer.ts'
export type { SnapshotSuite } from './snapshot.ts'
