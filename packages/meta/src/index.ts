export { adapt, openAdapter } from './adapt.ts'
export { chooseLearner } from './choose.ts'
export { inContext } from './context/in-context.ts'
export { snail } from './context/snail.ts'
export { taskNorm } from './context/task-norm.ts'
export { ensemble } from './ensemble.ts'
export { evaluate } from './evaluate.ts'
export { hypernetwork } from './generated/hypernetwork.ts'
export { metaLstm } from './generated/meta-lstm.ts'
export { imaml } from './gradient/imaml.ts'
export { anil, cavia, fomaml, maml, mamlPlusPlus, metaSgd } from './gradient/maml.ts'
export { reptile } from './gradient/reptile.ts'
export { fastWeights } from './memory/fast-weights.ts'
export { mann } from './memory/mann.ts'
export { ntm } from './memory/ntm.ts'
export { featureWise } from './metric/feature-wise.ts'
export { graphNet } from './metric/graph-net.ts'
export { matching } from './metric/matching.ts'
export { prototypical } from './metric/prototypical.ts'
export { relation } from './metric/relation.ts'
export { zeroShot } from './metric/zero-shot.ts'
export { modelFromSnapshot, modelToSnapshot } from './model.ts'
export { chartPatternNames, chartPatterns } from './tasks/chart-patterns.ts'
export { sampleEpisodes } from './tasks/episodes.ts'
export { regimeReturns } from './tasks/regime-returns.ts'
export { regimeCeiling, regimeWindows } from './tasks/regime-windows.ts'
export { curriculum, prefetch, sampleFamily } from './tasks/sampler.ts'
export { sampleSegments } from './tasks/segments.ts'
export { varyMarket } from './tasks/simulated.ts'
export { harmonics, sinusoids, sinusoidsAndLines } from './tasks/synthetic.ts'
export { checkDisjoint, checkTask, stackTasks } from './tasks/task.ts'
export { metaTrain } from './train.ts'
export { tuneInner } from './tune.ts'

// Types.

export type { Adapted, Adapter, AdapterOptions, AdaptOptions, LayerChange, UncertainPrediction } from './adapt.ts'
export type { CandidateScore, ChooseLearnerOptions, LearnerChoice } from './choose.ts'
export type { InContextOptions } from './context/in-context.ts'
export type { TargetOptions } from './context/sets.ts'
export type { SnailOptions } from './context/snail.ts'
export type { TaskNormOptions, TaskNormParams } from './context/task-norm.ts'
export type { AdaptedEnsemble, Ensemble, EnsembleOptions } from './ensemble.ts'
export type { EvaluateOptions, Evaluation, MeanOverTasks } from './evaluate.ts'
export type { HypernetworkOptions } from './generated/hypernetwork.ts'
export type { MetaLstmOptions } from './generated/meta-lstm.ts'
export type { ImamlOptions } from './gradient/imaml.ts'
export type { AnilOptions, CaviaOptions, MamlOptions, MamlPlusPlusOptions } from './gradient/maml.ts'
export type { ReptileOptions } from './gradient/reptile.ts'
export type {
  Adaptation,
  AdaptationSettings,
  Controls,
  IterationControls,
  MetaGradient,
  MetaLearner,
  MetaNet,
  PredictSettings,
  SetTensors,
  TaskLoss,
  Weights,
} from './learner.ts'
export type { FastWeightsOptions } from './memory/fast-weights.ts'
export type { MannOptions } from './memory/mann.ts'
export type { NtmOptions, NtmParams } from './memory/ntm.ts'
export type { FeatureWiseOptions } from './metric/feature-wise.ts'
export type { GraphNetOptions } from './metric/graph-net.ts'
export type { MatchingOptions } from './metric/matching.ts'
export type { PrototypicalOptions } from './metric/prototypical.ts'
export type { RelationFeature, RelationOptions, RelationScale } from './metric/relation.ts'
export type { ZeroShotOptions } from './metric/zero-shot.ts'
export type { Execution, InnerPoint, MetaModel } from './model.ts'
export type { ChartPattern, ChartPatternOptions, ChartPatternSpec } from './tasks/chart-patterns.ts'
export type { LabelledSamples, SampleEpisodesOptions } from './tasks/episodes.ts'
export type { RegimeReturnOptions } from './tasks/regime-returns.ts'
export type { RegimeWindowOptions } from './tasks/regime-windows.ts'
export type {
  CurriculumOptions,
  PrefetchOptions,
  SampleFamilyOptions,
  TaskFamily,
  TaskSampler,
} from './tasks/sampler.ts'
export type { SampleSegmentsOptions, SeriesSamples } from './tasks/segments.ts'
export type { MarketSpread, SimulatedTask } from './tasks/simulated.ts'
export type { FunctionFamilyOptions, Harmonic, Sinusoid, SinusoidOrLine } from './tasks/synthetic.ts'
export type { StackedSet, Task, TaskBatch, TaskSet } from './tasks/task.ts'
export type { FlatOptions, MetaReport, MetaTrainOptions, MetaTrainResult } from './train.ts'
export type { TunedInner, TuneInnerOptions } from './tune.ts'
