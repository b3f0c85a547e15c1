import { createRng } from '@regimen/core'
import { makeNoise } from '../random.ts'
import { unflattenTree } from '../tree.ts'
import { interpret } from './interpret/interpret.ts'
import { lower } from './lower/index.ts'
import { readArguments, signatureOf, sizeOf } from './signature.ts'
import { openTracer } from './trace.ts'

/** An input of {@link runReference}: doubles with their shape. */
export interface DoubleLeaf {
  readonly shape: readonly number[]
  readonly data: Float64Array
}

/** A function that was recorded for {@link runReference}, to be run on many inputs. */
export interface Reference {
  /** Results in the order of the result tree's leaves, in double precision. */
  run(inputs: readonly Float64Array[]): Float64Array[]
  readonly shapes: readonly (readonly number[])[]
}

/**
 * Records a function and makes it runnable in double precision. For tests: what a graph should compute, free of the
 * rounding of float32, so that its derivatives can be held against finite differences.
 */
export async function openReference(
  fn: (...args: never[]) => unknown,
  args: readonly unknown[],
  seed: number | string = 0,
): Promise<Reference> {
  const { key } = readArguments(args)
  const trace = (await openTracer()).trace(fn, signatureOf(args, key))
  const graph = lower(trace)
  return {
    run: (inputs) => {
      const rng = createRng(seed)
      const noise = trace.noise.map((spec) => Float64Array.from(makeNoise(spec, rng)))
      return interpret(graph, [...inputs, ...noise])
    },
    shapes: trace.outputs.map((id) => trace.values[id]!.shape),
  }
}

/**
 * Runs a function once in double precision on a tree of `{ shape, data: Float64Array }` and returns a tree of the same.
 * Every input is a float.
 */
export async function runReference(fn: (...args: never[]) => unknown, inputs: readonly unknown[]): Promise<unknown> {
  const doubles: Float64Array[] = []
  const narrow = (node: unknown): unknown => {
    if (typeof node !== 'object' || node === null) return node
    if (Array.isArray(node)) return node.map(narrow)
    const leaf = node as Partial<DoubleLeaf>
    if (leaf.data instanceof Float64Array) {
      doubles.push(leaf.data)
      return { dtype: 'float32', shape: leaf.shape, data: new Float32Array(sizeOf(leaf.shape!)) }
    }
    return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, narrow(value)]))
  }
  const args = inputs.map(narrow)
  const { key } = readArguments(args)
  const trace = (await openTracer()).trace(fn, signatureOf(args, key))
  const results = interpret(lower(trace), doubles)
  const leaves = results.map((data, i): DoubleLeaf => ({ shape: trace.values[trace.outputs[i]!]!.shape, data }))
  return unflattenTree(trace.structure, leaves)
}
