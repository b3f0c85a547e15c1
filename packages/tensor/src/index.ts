export { averageTrees } from './average.ts'
export { useBackend } from './backends.ts'
export { checkpoint } from './checkpoint.ts'
export { compile } from './compile/compile.ts'
export { DeviceArray } from './compile/runtime/device-array.ts'
export { disposeArrays, fetchArrays } from './device-trees.ts'
export { addTaskAxis, hessianVectorProduct, perSampleGradients, valueAndGradient } from './differentiate.ts'
export {
  paramsFromSafetensors,
  paramsFromSnapshot,
  paramsToSafetensors,
  paramsToSnapshot,
  toArrays,
  toTensors,
} from './files.ts'
export { useHigherOrderGradients } from './gradients/higher-order.ts'
export {
  binaryCrossEntropy,
  gaussianNll,
  huber,
  logSoftmax,
  logSumExp,
  meanSquaredError,
  quantileLoss,
  softmaxCrossEntropy,
  studentTNll,
} from './losses.ts'
export { activate } from './nets/activations.ts'
export { attention, transformerBlock } from './nets/attention.ts'
export { averagePool2d, conv1d, conv2d, maxPool2d, tcn } from './nets/convolution.ts'
export { dense, mlp } from './nets/dense.ts'
export { embedding } from './nets/embedding.ts'
export { hierarchicalTimeframeNet } from './nets/hierarchical.ts'
export { initialize } from './nets/initializers.ts'
export { batchNorm, layerNorm, withUpdates } from './nets/normalization.ts'
export { bidirectional, gru, lstm } from './nets/recurrent.ts'
export { activation, branches, dropout, flatten, residual, sequential } from './nets/sequential.ts'
export { adam, adamW } from './optimizers/adam.ts'
export { clipByGlobalNorm, globalNorm } from './optimizers/clip.ts'
export { lion, momentum, rmsProp, sgd } from './optimizers/descent.ts'
export { random, withRandom } from './random.ts'
export { constantRate, cosineDecay, exponentialDecay, stepDecay, warmup } from './schedules.ts'
export { train } from './train.ts'
export { flattenTree, mapTree, unflattenTree } from './tree.ts'

// Types.

export type { BackendName, BackendReport } from './backends.ts'
export type { Buckets } from './compile/buckets.ts'
export type { DeviceReport } from './compile/choose-device.ts'
export type { Compiled, CompileOptions, Explanation } from './compile/compile.ts'
export type { PassReport } from './compile/passes/passes.ts'
export type { DeviceName } from './compile/runtime/runtime.ts'
export type { FetchedArrays } from './device-trees.ts'
export type { ValueAndGradient } from './differentiate.ts'
export type { Arrays, Tensors } from './files.ts'
export type {
  GaussianPrediction,
  HuberOptions,
  LossOptions,
  QuantileOptions,
  StudentTOptions,
  StudentTPrediction,
} from './losses.ts'
export type { ActivationName } from './nets/activations.ts'
export type { AttentionOptions, AttentionParams, TransformerOptions, TransformerParams } from './nets/attention.ts'
export type {
  Conv1dOptions,
  Conv2dOptions,
  ConvParams,
  Pool2dOptions,
  TcnBlockParams,
  TcnOptions,
} from './nets/convolution.ts'
export type { DenseOptions, DenseParams, MlpOptions } from './nets/dense.ts'
export type { EmbeddingOptions, EmbeddingParams } from './nets/embedding.ts'
export type { HierarchicalTimeframeOptions, HierarchicalTimeframeParams } from './nets/hierarchical.ts'
export type { InitializerName, InitializerOptions } from './nets/initializers.ts'
export type { Net, NetContext, TensorTree } from './nets/net.ts'
export type { BatchNormOptions, BatchNormParams, LayerNormOptions, NormParams } from './nets/normalization.ts'
export type { BidirectionalParams, GruOptions, RecurrentOptions, RecurrentParams } from './nets/recurrent.ts'
export type { ResidualParams } from './nets/sequential.ts'
export type { AdamOptions, AdamWOptions } from './optimizers/adam.ts'
export type { LionOptions, MomentumOptions, RmsPropOptions, SgdOptions } from './optimizers/descent.ts'
export type { RuleState, UpdateInputs, UpdateRule } from './optimizers/rule.ts'
export type {
  CosineDecayOptions,
  ExponentialDecayOptions,
  Schedule,
  StepDecayOptions,
  WarmupOptions,
} from './schedules.ts'
export type { EpochReport, TrainCheckpoint, TrainData, TrainOptions, TrainResult } from './train.ts'
export type { Fed, Fetched, FlatTree, Kept, Structure, TensorDtype, TensorLeaf } from './tree.ts'
