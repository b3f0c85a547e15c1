export { type BackendName, type BackendReport, useBackend } from './backends.ts'
export type { Buckets } from './compile/buckets.ts'
export { type Compiled, type CompileOptions, compile, type Explanation } from './compile/compile.ts'
export type { PassReport } from './compile/passes/passes.ts'
export {
  addTaskAxis,
  hessianVectorProduct,
  perSampleGradients,
  type ValueAndGradient,
  valueAndGradient,
} from './differentiate.ts'
export {
  type Arrays,
  paramsFromSafetensors,
  paramsFromSnapshot,
  paramsToSafetensors,
  paramsToSnapshot,
  type Tensors,
  toArrays,
  toTensors,
} from './files.ts'
export { useHigherOrderGradients } from './gradients/higher-order.ts'
export {
  binaryCrossEntropy,
  type GaussianPrediction,
  gaussianNll,
  type HuberOptions,
  huber,
  type LossOptions,
  logSoftmax,
  logSumExp,
  meanSquaredError,
  type QuantileOptions,
  quantileLoss,
  type StudentTOptions,
  type StudentTPrediction,
  softmaxCrossEntropy,
  studentTNll,
} from './losses.ts'
export { type ActivationName, activate } from './nets/activations.ts'
export {
  type AttentionOptions,
  type AttentionParams,
  attention,
  type TransformerOptions,
  type TransformerParams,
  transformerBlock,
} from './nets/attention.ts'
export {
  averagePool2d,
  type Conv1dOptions,
  type Conv2dOptions,
  type ConvParams,
  conv1d,
  conv2d,
  maxPool2d,
  type Pool2dOptions,
  type TcnBlockParams,
  type TcnOptions,
  tcn,
} from './nets/convolution.ts'
export { type DenseOptions, type DenseParams, dense, type MlpOptions, mlp } from './nets/dense.ts'
export { type EmbeddingOptions, type EmbeddingParams, embedding } from './nets/embedding.ts'
export {
  type HierarchicalTimeframeOptions,
  type HierarchicalTimeframeParams,
  hierarchicalTimeframeNet,
} from './nets/hierarchical.ts'
export { type InitializerName, type InitializerOptions, initialize } from './nets/initializers.ts'
export type { Net, NetContext, TensorTree } from './nets/net.ts'
export {
  type BatchNormOptions,
  type BatchNormParams,
  batchNorm,
  type LayerNormOptions,
  layerNorm,
  type NormParams,
  withUpdates,
} from './nets/normalization.ts'
export {
  type BidirectionalParams,
  bidirectional,
  type GruOptions,
  gru,
  lstm,
  type RecurrentOptions,
  type RecurrentParams,
} from './nets/recurrent.ts'
export {
  activation,
  branches,
  dropout,
  flatten,
  type ResidualParams,
  residual,
  sequential,
} from './nets/sequential.ts'
export { type AdamOptions, type AdamWOptions, adam, adamW } from './optimizers/adam.ts'
export { clipByGlobalNorm, globalNorm } from './optimizers/clip.ts'
export {
  type LionOptions,
  lion,
  type MomentumOptions,
  momentum,
  type RmsPropOptions,
  rmsProp,
  type SgdOptions,
  sgd,
} from './optimizers/descent.ts'
export type { RuleState, UpdateInputs, UpdateRule } from './optimizers/rule.ts'
export { random, withRandom } from './random.ts'
export {
  type CosineDecayOptions,
  constantRate,
  cosineDecay,
  type ExponentialDecayOptions,
  exponentialDecay,
  type Schedule,
  type StepDecayOptions,
  stepDecay,
  type WarmupOptions,
  warmup,
} from './schedules.ts'
export { type EpochReport, type TrainData, type TrainOptions, type TrainResult, train } from './train.ts'
export {
  type Fed,
  type Fetched,
  type FlatTree,
  flattenTree,
  mapTree,
  type Structure,
  type TensorDtype,
  type TensorLeaf,
  unflattenTree,
} from './tree.ts'
export { useBackend } from './backends.ts'
export { compile } from './compile/compile.ts'
export { random, withRandom } from './random.ts'
export { flattenTree, mapTree, unflattenTree } from './tree.ts'

// Types.

export type { BackendName, BackendReport } from './backends.ts'
export type { Buckets } from './compile/buckets.ts'
export type { Compiled, CompileOptions, Explanation } from './compile/compile.ts'
export type { PassReport } from './compile/passes/passes.ts'
export type { Fed, Fetched, FlatTree, Structure, TensorDtype, TensorLeaf } from './tree.ts'
