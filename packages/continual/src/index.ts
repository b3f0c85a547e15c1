export { averageProject, projectGradient } from './constraint/gem.ts'
export { openGenerativeReplay } from './generative/generative-replay.ts'
export { fisherDiagonal } from './importance/fisher.ts'
export { kroneckerFisher } from './importance/kronecker.ts'
export { kroneckerPenalty } from './importance/kronecker-penalty.ts'
export { outputSensitivity } from './importance/output-sensitivity.ts'
export { openPathIntegral } from './importance/path-integral.ts'
export { consolidate, suggestLambda } from './importance/penalty.ts'
export { continualMetrics } from './metrics.ts'
export { openOnlineLearner } from './online.ts'
export { balancedReplay } from './replay/balanced.ts'
export { diverseReplay } from './replay/diverse.ts'
export { exemplarReplay } from './replay/exemplars.ts'
export { herdingSelection, kCenterSelection } from './replay/herding.ts'
export { prioritizedReplay } from './replay/prioritized.ts'
export { reservoirReplay } from './replay/reservoir.ts'
export { ringReplay } from './replay/ring.ts'
export { spilledReplay } from './replay/spilled.ts'
export { describeTask } from './skills/describe-task.ts'
export { toGraphMl } from './skills/graph-ml.ts'
export { skillNet } from './skills/skill-net.ts'
export { openSkills } from './skills/skills.ts'
export { growMlp } from './structure/grow.ts'
export { openGrowingTrainer } from './structure/growing-trainer.ts'
export { maskedRule } from './structure/masked-rule.ts'
export { openModularNet } from './structure/modular-net.ts'
export { openPackNet } from './structure/pack-net.ts'
export { openProgressiveNet } from './structure/progressive-net.ts'
export { pruneByMagnitude, regenerateWeights } from './structure/prune.ts'
export { architectureSpace, buildArchitecture, searchArchitecture } from './structure/search-architecture.ts'
export { openTrainer } from './trainer.ts'

// Types.

export type { ProjectOptions } from './constraint/gem.ts'
export type { GenerativeReplay, GenerativeReplayOptions } from './generative/generative-replay.ts'
export type { FisherOptions } from './importance/fisher.ts'
export type { KroneckerFactor, KroneckerOptions } from './importance/kronecker.ts'
export type { KroneckerPenaltyOptions } from './importance/kronecker-penalty.ts'
export type { SensitivityOptions } from './importance/output-sensitivity.ts'
export type { PathIntegral, PathIntegralOptions } from './importance/path-integral.ts'
export type { ConsolidateOptions, LambdaData, QuadraticPenalty } from './importance/penalty.ts'
export type { Samples } from './importance/per-sample.ts'
export type { ContinualMetrics, ContinualMetricsOptions, UpdateCost } from './metrics.ts'
export type { GateOptions, Observed, OnlineLearner, OnlineOptions, StreamReport } from './online.ts'
export type { ExemplarReplay } from './replay/exemplars.ts'
export type { SelectionOptions } from './replay/herding.ts'
export type { PrioritizedOptions, PrioritizedReplay } from './replay/prioritized.ts'
export type { SpillBlobs, SpilledReplay, SpilledReplayOptions } from './replay/spilled.ts'
export type { ReplayBuffer, ReplayDraw, ReplayOptions, ReplaySample } from './replay/store.ts'
export type { TaskData } from './rows.ts'
export type { DescribeOptions } from './skills/describe-task.ts'
export type { SkillEdge, SkillGraph, SkillNode } from './skills/graph.ts'
export type { SkillNet, SkillNetOptions } from './skills/skill-net.ts'
export type {
  Added,
  NewSkill,
  RetrieveOptions,
  Skill,
  SkillLibrary,
  SkillMatch,
  SkillSamples,
  SkillsOptions,
  SkillVerdict,
} from './skills/skill-types.ts'
export type { ConstraintStrategy, DistillStrategy, PenaltyStrategy, ReplayStrategy, Strategy } from './strategy.ts'
export type { GrowOptions } from './structure/grow.ts'
export type { GrowingTrainer, GrowingTrainerOptions, GrowthRule } from './structure/growing-trainer.ts'
export type { ModularNet, ModularNetOptions, NetModule } from './structure/modular-net.ts'
export type { PackNet, PackNetOptions } from './structure/pack-net.ts'
export type { ProgressiveColumn, ProgressiveNet, ProgressiveNetOptions } from './structure/progressive-net.ts'
export type { Pruned, PruneOptions, RegenerateOptions } from './structure/prune.ts'
export type {
  Architecture,
  ArchitectureSearch,
  ArchitectureShape,
  ArchitectureSpace,
  ArchitectureSpaceOptions,
  ArchitectureTrial,
  CellName,
  JudgedTask,
  SearchArchitectureOptions,
} from './structure/search-architecture.ts'
export type { TaskNet, TaskNetOptions } from './structure/task-net.ts'
export type { StepReport, Trainer, TrainerOptions } from './trainer-types.ts'
