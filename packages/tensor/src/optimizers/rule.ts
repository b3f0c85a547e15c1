import { check, describe } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { flattenTree, isTensorLeaf, type TensorLeaf, unflattenTree } from '../tree.ts'

/** State of a rule as plain data: one vector per moment, over all parameters in the order of their leaves. */
export type RuleState<T = TensorLeaf> = { readonly [slot: string]: T }

/** What {@link UpdateRule.apply} takes beside the parameters. */
export interface UpdateInputs<P> {
  gradients: P
  state: RuleState<tf.Tensor>
  /** Learning rate; pass it into a compiled function as an input, or it is frozen into the graph. */
  rate: tf.Tensor | number
}

/**
 * A gradient method as two pure functions over trees. `init` makes the state as plain data from parameters (tensors or
 * plain data); `apply` computes the next parameters and state, inside a compiled function or eagerly, and can itself be
 * differentiated.
 */
export interface UpdateRule {
  init(params: unknown): RuleState
  apply<P>(params: P, inputs: UpdateInputs<P>): { params: P; state: RuleState<tf.Tensor> }
}

/** What distinguishes one rule from another; the loop over the tree exists once, in {@link defineRule}. */
export interface RuleDefinition {
  /** Names of the moment vectors. */
  readonly slots: readonly string[]
  /** Names of single numbers in the state, zero at first. */
  readonly scalars?: readonly string[]
  /** From the gradient and the state: how far to move, and the next state. */
  move(
    gradient: tf.Tensor,
    state: RuleState<tf.Tensor>,
    rate: tf.Tensor,
  ): { move: tf.Tensor; state: RuleState<tf.Tensor> }
  /** λ of g + λ p ahead of the rule. */
  readonly l2?: number
  /** λ of p (1 − rate λ) beside the rule. */
  readonly decay?: number
}

/** Turns a definition into a rule. Rules with moments work on one vector: a tenth of the kernels of a loop over leaves. */
export function defineRule(name: string, definition: RuleDefinition): UpdateRule {
  const { slots, scalars = [], l2 = 0, decay = 0 } = definition
  checkFactor(name, 'l2', l2)
  checkFactor(name, 'weightDecay', decay)
  return {
    init(params) {
      const sizes = leafSizes(params)
      check(sizes.length > 0, `tensor/${name}`, () => `the parameters hold no tensors, got ${describe(params)}.`)
      const total = sizes.reduce((sum, size) => sum + size, 0)
      const state: { [slot: string]: TensorLeaf } = {}
      for (const slot of slots) state[slot] = { dtype: 'float32', shape: [total], data: new Float32Array(total) }
      for (const name of scalars) state[name] = { dtype: 'float32', shape: [], data: new Float32Array(1) }
      return state
    },
    apply(params, { gradients, state, rate }) {
      const { leaves, structure } = flattenTree<tf.Tensor>(params)
      const raw = flattenTree<tf.Tensor>(gradients).leaves
      check(
        raw.length === leaves.length,
        `tensor/${name}`,
        () => `there are ${leaves.length} parameters but ${raw.length} gradients.`,
      )
      const speed = typeof rate === 'number' ? tf.scalar(rate) : rate
      const slopes = l2 > 0 ? raw.map((g, i) => tf.add(g, tf.mul(leaves[i]!, l2))) : raw
      const { moves, next } = moveAll(definition, slopes, state, speed)
      const shrink = decay > 0 ? tf.sub(1, tf.mul(speed, decay)) : undefined
      const moved = leaves.map((leaf, i) => tf.sub(shrink ? tf.mul(leaf, shrink) : leaf, moves[i]!))
      return { params: unflattenTree(structure, moved) as typeof params, state: next }
    },
  }
}

function moveAll(
  { slots, move }: RuleDefinition,
  gradients: tf.Tensor[],
  state: RuleState<tf.Tensor>,
  rate: tf.Tensor,
): { moves: tf.Tensor[]; next: RuleState<tf.Tensor> } {
  if (slots.length === 0) return { moves: gradients.map((g) => move(g, {}, rate).move), next: {} }
  const flat = gradients.map((g) => tf.reshape(g, [-1]))
  const all = flat.length === 1 ? flat[0]! : tf.concat(flat)
  const result = move(all, state, rate)
  const parts =
    flat.length === 1
      ? [result.move]
      : tf.split(
          result.move,
          gradients.map((g) => g.size),
        )
  return { moves: parts.map((part, i) => tf.reshape(part, gradients[i]!.shape)), next: result.state }
}

function leafSizes(params: unknown): number[] {
  return flattenTree(params)
    .leaves.filter(isTensorLeaf)
    .map((leaf) => leaf.shape.reduce((product, dim) => product * dim, 1))
}

/** Fails unless a factor is a number of at least zero. */
export function checkFactor(name: string, option: string, value: number): void {
  check(Number.isFinite(value) && value >= 0, `tensor/${name}`, () => `${option} must be ≥ 0, got ${describe(value)}.`)
}

/** Fails unless a share lies in [0, 1). */
export function checkShare(name: string, option: string, value: number): void {
  check(value >= 0 && value < 1, `tensor/${name}`, () => `${option} must be from 0 up to 1, got ${describe(value)}.`)
}
