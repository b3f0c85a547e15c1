import { check, createRng, createSnapshot, RegimenError, type Snapshot, type Tree } from '@regimen/core'
import { type CompileOptions, compile, flattenTree, paramsFromSnapshot, type TensorLeaf } from '@regimen/tensor'
import type { MetaLearner, Weights } from './learner.ts'

/** A meta-learner with what it has learned: the functions and the data beside each other. */
export interface MetaModel {
  readonly learner: MetaLearner
  /** Plain data. */
  readonly params: Weights
  /** How `adapt` and `evaluate` run the inner loop unless told otherwise. @default as in training */
  readonly inner?: InnerPoint
}

/** Rate and length of an inner loop. */
export interface InnerPoint {
  /** Inner rate, > 0; the factor on learned rates. */
  readonly innerRate: number
  /** Inner steps, ≥ 0. */
  readonly steps: number
}

/** The inner loop of a model. */
export function innerOf({ learner, inner }: MetaModel): InnerPoint {
  return inner ?? { innerRate: learner.innerRate, steps: learner.steps }
}

/** How compiled functions run. */
export type Execution = Pick<CompileOptions, 'device' | 'threads' | 'execution' | 'cache'>

/** A compiled function of trees whose forms only the run knows: static types of them would be infinitely deep. */
export interface Runner {
  (...args: readonly unknown[]): Promise<unknown>
  warmup(signatures: readonly (readonly unknown[])[]): Promise<void>
  dispose(): Promise<void>
}

/** Compiles a function of trees. */
export function compileTrees(fn: (...args: never[]) => unknown, options: CompileOptions): Runner {
  const run = compile(fn as (...args: readonly unknown[]) => unknown, options)
  const call = (...args: readonly unknown[]): Promise<unknown> => run(...(args as readonly never[]))
  return Object.assign(call, { warmup: run.warmup, dispose: run.dispose })
}

/** Version of the snapshots' layout. */
export const MODEL_VERSION = 1

/**
 * Makes a snapshot of a model, for the store or a worker: parameters, the learner's configuration and
 * the inner settings chosen. The net and the loss are
 * functions, so whoever restores it builds the learner anew.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { maml, modelFromSnapshot, modelToSnapshot } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = maml({ net: mlp({ sizes: [1, 4, 1] }) })
 * const snapshot = modelToSnapshot({ learner, params: learner.init(createRng(1)) })
 * snapshot.id // => 'meta/maml'
 * modelFromSnapshot(learner, snapshot).learner === learner // => true
 * ```
 */
export function modelToSnapshot(model: MetaModel): Snapshot {
  const { learner, params, inner } = model
  const config = { ...learner.config, ...(inner ? { innerRate: inner.innerRate, innerSteps: inner.steps } : {}) }
  return createSnapshot({ id: learner.id, version: MODEL_VERSION, config, state: params as Tree })
}

/**
 * Restores a model from a snapshot. The learner must be of the same kind and its net of the same form; the error names what
 * differs.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { anil, maml, modelFromSnapshot, modelToSnapshot } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const net = mlp({ sizes: [1, 4, 1] })
 * const learner = maml({ net })
 * const snapshot = modelToSnapshot({ learner, params: learner.init(createRng(1)) })
 * let message = ''
 * try {
 *   modelFromSnapshot(anil({ net }), snapshot)
 * } catch (error) {
 *   message = (error as Error).message
 * }
 * message.includes('meta/maml') // => true
 * ```
 */
export function modelFromSnapshot(learner: MetaLearner, snapshot: Snapshot): MetaModel {
  check(
    snapshot.id === learner.id && snapshot.version === MODEL_VERSION,
    'meta/model',
    () =>
      `the snapshot is of ${snapshot.id} version ${snapshot.version}, not of ${learner.id} version ${MODEL_VERSION}.`,
    'Pass the learner that the snapshot was made with.',
  )
  const { innerRate, innerSteps } = snapshot.config as { readonly [name: string]: Tree }
  return {
    learner,
    params: paramsFromSnapshot(snapshot, learner.init(createRng(0))),
    ...(typeof innerRate === 'number' && typeof innerSteps === 'number'
      ? { inner: { innerRate, steps: innerSteps } }
      : {}),
  }
}

/** Whether every number of a tree is finite. */
export function allFinite(tree: unknown): boolean {
  for (const { data } of flattenTree<TensorLeaf>(tree).leaves) {
    for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i]!)) return false
  }
  return true
}

/** A number that stayed infinite or NaN whatever was tried. */
export function diverged(where: string, what: string, hint: string): RegimenError {
  return new RegimenError(what, { code: 'DIVERGED', where, hint })
}

/** Reads a scalar result. */
export function scalarOf(leaf: unknown): number {
  return (leaf as TensorLeaf).data[0]!
}
