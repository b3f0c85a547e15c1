export { cmaEs } from './cma-es/cma-es.ts'
export { augmentedLagrangian } from './constraints/augmented-lagrangian.ts'
export { jso, lshade } from './differential/differential.ts'
export { mapElites } from './diversity/map-elites.ts'
export { noveltySearch } from './diversity/novelty-search.ts'
export { openAiEs, pgpe } from './gaussian/mirrored.ts'
export { snes, xnes } from './gaussian/natural.ts'
export { geneticAlgorithm, geneticPermutation } from './genetic/genetic.ts'
export { maximize, minimize } from './minimize.ts'
export { createParetoArchive } from './multi/archive.ts'
export { nsga2 } from './multi/nsga2.ts'
export { nsga3, referenceDirections } from './multi/nsga3.ts'
export { neat } from './neat/neat.ts'
export { compileNetwork } from './neat/network.ts'
export { denoise } from './noise/denoise.ts'
export { orderCrossover, permutationMutation, pmxCrossover } from './operators/permutation.ts'
export {
  blendCrossover,
  gaussianMutation,
  polynomialMutation,
  sbxCrossover,
  uniformCrossover,
} from './operators/real.ts'
export { geneticProgramming } from './programs/genetic-programming.ts'
export { compileProgram, printProgram } from './programs/tree.ts'
export {
  createLearningRule,
  evolveLearningRule,
  learningRuleSpace,
  scoreLearningRule,
} from './rules/learning-rule.ts'
export { particleSwarm } from './swarm/particle-swarm.ts'
export { averageSnapshots } from './training/average-snapshots.ts'
export { trainSwarm } from './training/learning-swarm.ts'
export { populationTraining } from './training/population-training.ts'
export { trainPopulation } from './training/train-population.ts'

// Types.

export type { CmaEsOptions } from './cma-es/cma-es.ts'
export type { DifferentialOptions } from './differential/differential.ts'
export type {
  BehaviourAxis,
  Elite,
  MapElitesFactory,
  MapElitesOptimizer,
  MapElitesOptions,
} from './diversity/map-elites.ts'
export type { NoveltyFactory, NoveltyOptimizer, NoveltyOptions } from './diversity/novelty-search.ts'
export type { EvolutionOptimizer } from './engine/engine.ts'
export type { SearchFactory, SearchOptions } from './engine/factory.ts'
export type { BehaviourEvaluation } from './engine/optimizer.ts'
export type { AnyPoint, Box, PointFor, SearchSpace } from './engine/space.ts'
export type { GaussianOptions } from './gaussian/gaussian.ts'
export type { MirroredOptions } from './gaussian/mirrored.ts'
export type { GeneticSearchOptions, PermutationFactory, PermutationOptions } from './genetic/genetic.ts'
export type { GeneticOptions } from './genetic/population.ts'
export type { Answer, Evaluator, GenerationInfo, MinimizeOptions, Objective, OptimizeResult } from './minimize.ts'
export type { ArchiveMember, ParetoArchive, ParetoArchiveOptions } from './multi/archive.ts'
export type { FrontMember, MultiFactory, MultiOptimizer, MultiOptions } from './multi/multi.ts'
export type { Nsga3Options } from './multi/nsga3.ts'
export type { NeatFactory, NeatOptimizer, NeatOptions, NeatSpecies } from './neat/neat.ts'
export type { NeatGenome, NeatNetwork } from './neat/network.ts'
export type { DenoiseOptions, Denoiser, NoisyObjective } from './noise/denoise.ts'
export type { GeneticProgrammingFactory, GeneticProgrammingOptions } from './programs/genetic-programming.ts'
export type { ValueType } from './programs/operators.ts'
export type { Program } from './programs/tree.ts'
export type {
  EvolveRuleOptions,
  LearningRule,
  LearningRuleGenome,
  LearningTask,
} from './rules/learning-rule.ts'
export type { ParticleSwarmOptions } from './swarm/particle-swarm.ts'
export type { Peer, SwarmOptions, SwarmResult } from './training/learning-swarm.ts'
export type {
  ExploitMove,
  Life,
  MemberReport,
  PopulationMember,
  PopulationTraining,
  PopulationTrainingOptions,
} from './training/population-training.ts'
export type { Trainee, TrainPopulationOptions, TrainPopulationResult } from './training/train-population.ts'
