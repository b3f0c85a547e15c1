export { barRegimeFilter, fitBarRegimes } from './bars/bar-regimes.ts'
export { onlineBarRegimes } from './bars/online-bars.ts'
export { bayesianChangePoints } from './change/bayesian.ts'
export { openCusum } from './change/cusum.ts'
export { hindsightChangePoints } from './change/pelt.ts'
export { fitDbscan } from './cluster/dbscan.ts'
export { fitKMeans } from './cluster/k-means.ts'
export { fitKMedoids } from './cluster/k-medoids.ts'
export { fitMiniBatchKMeans } from './cluster/mini-batch.ts'
export { fitHmm } from './hmm/hmm.ts'
export {
  hmmFilter,
  hmmFixedLagSmooth,
  hmmPredictNext,
  hmmSample,
  hmmScore,
  hmmSmooth,
  hmmStandardErrors,
  hmmStatistics,
  hmmViterbi,
} from './hmm/inference.ts'
export { fitInputHmm, inputHmmFilter, inputHmmTransition } from './hmm/input-hmm.ts'
export { onlineHmm } from './hmm/online-hmm.ts'
export { fitSemiMarkov, semiMarkovFilter, semiMarkovSmooth, semiMarkovViterbi } from './hmm/semi-markov.ts'
export { fitJumpModel, jumpFilter } from './jump/jump-model.ts'
export { onlineJump } from './jump/online-jump.ts'
export { fitGaussianMixture, mixtureScore } from './mixture/gaussian-mixture.ts'
export { onlineMixture } from './mixture/online-mixture.ts'
export { alignStates } from './route/align.ts'
export { regimeEnsemble } from './route/ensemble.ts'
export { labelStates } from './route/labels.ts'
export { regimeRouter, switchEvent } from './route/router.ts'
export { ruleDetector, segmentByRegime } from './route/rule-detector.ts'
export {
  fitMarkovSwitching,
  switchingFilter,
  switchingForecast,
  switchingStandardErrors,
} from './switching/markov-switching.ts'

// Types.

export type { BarRegimeBeliefs, BarRegimeModel, BarRegimeOptions } from './bars/bar-regimes.ts'
export type { BarColumns } from './bars/bar-series.ts'
export type { OnlineBarRegimesConfig, PriceBar } from './bars/online-bars.ts'
export type { BayesianChangeOptions, BayesianChanges } from './change/bayesian.ts'
export type { CusumConfig } from './change/cusum.ts'
export type { PeltOptions } from './change/pelt.ts'
export type { DbscanModel, DbscanOptions } from './cluster/dbscan.ts'
export type { KMeansModel, KMeansOptions } from './cluster/k-means.ts'
export type { KMedoidsModel, KMedoidsOptions } from './cluster/k-medoids.ts'
export type { MiniBatchOptions } from './cluster/mini-batch.ts'
export type { CovarianceType } from './gaussian/kernel.ts'
export type { EmissionModel, EmissionOptions } from './hmm/emission.ts'
export type { HmmModel, HmmOptions } from './hmm/hmm.ts'
export type { HmmBeliefs, RegimeStatistics, StandardErrors } from './hmm/inference.ts'
export type { InputHmmModel, InputHmmOptions } from './hmm/input-hmm.ts'
export type { OnlineHmmConfig } from './hmm/online-hmm.ts'
export type { SemiMarkovModel, SemiMarkovOptions } from './hmm/semi-markov.ts'
export type { JumpModel, JumpModelOptions } from './jump/jump-model.ts'
export type { OnlineJumpConfig } from './jump/online-jump.ts'
export type { GaussianMixture, GaussianMixtureOptions, MixtureStart } from './mixture/gaussian-mixture.ts'
export type { OnlineMixtureConfig } from './mixture/online-mixture.ts'
export type { Float64Leaf, Observations } from './observations.ts'
export type { RegimeFactory, RegimeModel } from './regime-model.ts'
export type { EnsembleConfig, EnsembleInput } from './route/ensemble.ts'
export type { LabelOptions, StateLabel, StateReturns } from './route/labels.ts'
export type { Route, RouterConfig, RouterInput, SwitchData } from './route/router.ts'
export type { RuleBar, RuleConfig, RuleRegime } from './route/rule-detector.ts'
export type { SwitchingLayout } from './switching/layout.ts'
export type {
  MarkovSwitchingModel,
  MarkovSwitchingOptions,
  SwitchingBeliefs,
  SwitchingForecast,
} from './switching/markov-switching.ts'
