export { continualMetrics } from './metrics.ts'
export { balancedReplay } from './replay/balanced.ts'
export { exemplarReplay } from './replay/exemplars.ts'
export { herdingSelection, kCenterSelection } from './replay/herding.ts'
export { prioritizedReplay } from './replay/prioritized.ts'
export { reservoirReplay } from './replay/reservoir.ts'
export { ringReplay } from './replay/ring.ts'

// Types.

export type { ContinualMetrics, ContinualMetricsOptions } from './metrics.ts'
export type { ExemplarReplay } from './replay/exemplars.ts'
export type { SelectionOptions } from './replay/herding.ts'
export type { PrioritizedOptions, PrioritizedReplay } from './replay/prioritized.ts'
export type { ReplayBuffer, ReplayDraw, ReplayOptions, ReplaySample } from './replay/store.ts'
