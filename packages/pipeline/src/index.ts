// Types.
export type {
  GuardOptions,
  Improvement,
  LiveScore,
  Pipeline,
  PipelineExecutor,
  PipelineOptions,
  RouterDecision,
  Scored,
  Step,
  StrategyRouter,
  TrainingContext,
} from './contracts.ts'
export type {
  Challenger,
  Deployment,
  Moment,
  StoreDeploymentOptions,
  StoredModel,
  Verdict,
} from './deployment.ts'
export { storeDeployment } from './deployment.ts'
export type { Forecast, ForecastPart } from './forecast.ts'
export { createForecast, logDensity, probabilityBelow } from './forecast.ts'
export type { Forecaster, Open } from './forecaster.ts'
export type { AdaptedNet, AdaptingForecasterOptions, SupportSet } from './forecasters/adapting.ts'
export { adaptingForecaster } from './forecasters/adapting.ts'
export type { RegimeForecasterOptions } from './forecasters/by-regime.ts'
export { regimeForecaster } from './forecasters/by-regime.ts'
export type { ForecastMixture, MixOptions } from './forecasters/mixture.ts'
export { mixForecasters } from './forecasters/mixture.ts'
export type { StreamingForecasterOptions, StreamLearner } from './forecasters/streaming.ts'
export { streamingForecaster } from './forecasters/streaming.ts'
export { volatilityForecaster } from './forecasters/volatility.ts'
export type { FeatureStage, MarketModel, RegimeStage, StackOptions } from './model.ts'
export { stackModel } from './model.ts'
export type { Observation } from './observation.ts'
export { openPipeline } from './pipeline.ts'
export type { PrequentialOptions, PrequentialResult } from './prequential.ts'
export { prequential } from './prequential.ts'
export type { RunOptions } from './run.ts'
export { runPipeline } from './run.ts'
export type { RegimeFilter, RegimeRow } from './stages.ts'
export { filteredRegimes, returnAndRange, scaledFeatures } from './stages.ts'
export type { Decision, SharpeSizingOptions, Strategy } from './strategy.ts'
export { sharpeSizing } from './strategy.ts'
