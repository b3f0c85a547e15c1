import type { TensorDtype } from '../../tree.ts'
import type { GraphBuilder, Value } from '../graph.ts'
import type { Attrs } from '../shapes.ts'

/** One recorded kernel call, with its inputs already lowered. */
export interface Call {
  readonly b: GraphBuilder
  readonly inputs: Readonly<Record<string, Value>>
  readonly attrs: Attrs
  /** Whether a WebGPU provider runs it, which lacks some operations and has others wrong. */
  readonly gpu: boolean
  readonly outs: readonly { readonly shape: readonly number[]; readonly dtype: TensorDtype }[]
}

/** Turns one kernel call into ONNX operations; undefined where this use of the kernel cannot be expressed. */
export type Lowering = (call: Call) => Value | Value[] | undefined

export type LoweringTable = Readonly<Record<string, Lowering>>

/** The input of the given name, which the kernel always has. */
export function input(call: Call, name: string): Value {
  return call.inputs[name]!
}

/** The inputs of a kernel that takes a list. */
export function inputList(call: Call): Value[] {
  return Object.values(call.inputs)
}

/** Axes as non-negative numbers in ascending order; all of them when none are given. */
export function axesOf(axis: unknown, rank: number): number[] {
  if (axis === undefined || axis === null) return [...Array(rank).keys()]
  const list = (Array.isArray(axis) ? axis : [axis]) as number[]
  return list.map((a) => (a < 0 ? a + rank : a)).sort((a, b) => a - b)
}
