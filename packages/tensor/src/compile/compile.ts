import { check, createRng, describe, type RngState } from '@regimen/core'
import type { Fed, Fetched, Kept } from '../tree.ts'
import type { Buckets } from './buckets.ts'
import type { DeviceReport } from './choose-device.ts'
import { Compiler } from './compiler.ts'
import type { PassReport } from './passes/passes.ts'
import type { DeviceName } from './runtime/runtime.ts'

/** Options of {@link compile}. */
export interface CompileOptions {
  /** Start of the stream from which `random` draws inside the function. @default 0 */
  seed?: number | string
  /**
   * What the graph runs on. `gpu` is any card through WebGPU (in Node and in browsers), `cuda` an NVIDIA card where the
   * app has installed onnxruntime's CUDA libraries (Node only); both are used or refused with `NO_DEVICE`. `auto` runs each
   * form of arguments on the CPU and the card once, keeps the faster, and never fails for want of a card. Small nets
   * are faster on the CPU; a card pays for many tasks or large layers.
   * @default 'cpu'
   */
  device?: DeviceName | 'auto'
  /** Threads inside one operation, 1 to 256. Small nets are fastest on one. @default 1 */
  threads?: number
  /** Sizes to which a varying axis is padded, so that few graphs serve many sizes. @default none */
  buckets?: Buckets
  /** Distinct forms of arguments (shapes, dtypes, flags) that are accepted, 1 or more. @default 16 */
  maxSignatures?: number
  /** Runtime sessions kept open; the least recently used is closed and reopened on demand. @default 8 */
  maxSessions?: number
  /**
   * Whether the runtime also rewrites the graph when it starts: `always`, `never`, or only below 2,500 operations
   * (`auto`). It makes graphs run up to a quarter faster; the time it takes grows faster than the graph.
   * @default 'auto'
   */
  rewrite?: 'auto' | 'always' | 'never'
  /** Directory where graphs optimized for the CPU are kept between processes (Node only). @default none */
  cache?: string
  /** `eager` runs the function with plain tfjs, for debugging. @default 'compiled' */
  execution?: 'compiled' | 'eager'
  /**
   * `arrays` returns plain numbers, `tensors` tf tensors, which the caller disposes. `device` leaves results where they
   * were computed, as {@link DeviceArray}s: for parameters and optimizer state that go into the next step on a card.
   * @default 'arrays'
   */
  outputs?: 'arrays' | 'tensors' | 'device'
}

/** What {@link Compiled.explain} tells about one form of arguments. */
export interface Explanation {
  /** The arguments' leaves: path, dtype and shape of each. */
  readonly signature: string
  /** Kernel calls that were recorded. */
  readonly kernels: number
  /** Operations after lowering, and after each pass in turn. */
  readonly passes: readonly PassReport[]
  /** Milliseconds of recording (twice), lowering, the passes with writing, and the runtime's start. */
  readonly milliseconds: {
    readonly trace: number
    readonly lower: number
    readonly passes: number
    readonly start: number
  }
  /** What runs the graph. */
  readonly runtime: string
  /** What it runs on and why; with `device: 'auto'` also what was measured. */
  readonly device: DeviceReport
  /** Whether the runtime's optimized graph came from the cache directory. */
  readonly cached: boolean
}

/** A compiled function: call it like the original; plain numbers come back. */
export interface Compiled<Args extends readonly unknown[], Result> {
  (...args: { [K in keyof Args]: Fed<Args[K]> }): Promise<Result>
  /** Prepares forms of arguments ahead of their first use. Leaves may be `{ dtype, shape }` without numbers. */
  warmup(signatures: readonly (readonly unknown[])[]): Promise<void>
  /**
   * The graph as an ONNX model, for the form of the given arguments (or the only form seen). Inputs listed in `freeze`
   * (a path, or the start of one: `'0'` is the whole first argument) become constants of the file with the values given.
   */
  toOnnx(args?: readonly unknown[], options?: { freeze?: readonly string[] }): Promise<Uint8Array>
  /** What was recorded and how long it took, one entry for each form of arguments. */
  explain(): readonly Explanation[]
  /** State of the random stream, for snapshots. */
  randomState(): RngState
  /** Continues the random stream from a saved state. */
  restoreRandom(state: RngState): void
  /** Closes every session. The function cannot be called afterwards. */
  dispose(): Promise<void>
}

/**
 * Records an ordinary tfjs function once per form of its arguments and runs it natively from then on: 10 to 60 times
 * faster than eager tfjs for the small nets of trading. Gradients of any order may be taken inside
 * (`tf.grads`, `tf.valueAndGrads`): they are only more kernels.
 *
 * Arguments and results are trees. Where the function takes a tensor, pass a tensor, `{ dtype, shape, data }`, a typed
 * array or a number; results come back as `{ dtype, shape, data }`, which the next call accepts as it is, so state
 * stays in typed arrays and nothing can leak. Booleans, strings and null are part of the form: a new value is recorded anew.
 *
 * Everything that changes from call to call must be an argument. Captured tensors, data read inside and fresh random
 * numbers are errors; a captured JavaScript number cannot be seen and stays as it was when recorded.
 *
 * ```ts
 * import { compile } from '@regimen/tensor'
 * import * as tf from '@tensorflow/tfjs'
 *
 * const slope = compile((x: tf.Tensor) => tf.grad((v: tf.Tensor) => tf.sum(tf.square(v)))(x))
 * const { data } = await slope(new Float32Array([1, 2, 3]))
 * Array.from(data) // => [2, 4, 6]
 * ```
 */
export function compile<Args extends readonly unknown[], R>(
  fn: (...args: Args) => R,
  options: CompileOptions & { outputs: 'tensors' },
): Compiled<Args, R>
export function compile<Args extends readonly unknown[], R>(
  fn: (...args: Args) => R,
  options: CompileOptions & { outputs: 'device' },
): Compiled<Args, Kept<R>>
export function compile<Args extends readonly unknown[], R>(
  fn: (...args: Args) => R,
  options?: CompileOptions,
): Compiled<Args, Fetched<R>>
export function compile<Args extends readonly unknown[], R>(
  fn: (...args: Args) => R,
  options: CompileOptions = {},
): Compiled<Args, unknown> {
  validate(fn, options)
  const compiler = new Compiler(fn as (...args: never[]) => unknown, options)
  return Object.assign((...args: readonly unknown[]) => compiler.call(args), {
    warmup: (signatures: readonly (readonly unknown[])[]) => compiler.warmup(signatures),
    toOnnx: (args?: readonly unknown[], onnx?: { freeze?: readonly string[] }) => compiler.toOnnx(args, onnx?.freeze),
    explain: () => compiler.explain(),
    randomState: () => compiler.rng.state(),
    restoreRandom: (state: RngState) => {
      compiler.rng = createRng(state)
    },
    dispose: () => compiler.dispose(),
  })
}

const DEVICES: readonly string[] = ['cpu', 'gpu', 'cuda', 'auto']

function validate(fn: unknown, options: CompileOptions): void {
  const { threads = 1, maxSignatures = 16, maxSessions = 8, device = 'cpu' } = options
  const where = 'tensor/compile'
  check(typeof fn === 'function', where, () => `the first argument must be a function, got ${describe(fn)}.`)
  check(DEVICES.includes(device), where, () => `device must be one of ${DEVICES.join(', ')}, got ${describe(device)}.`)
  check(
    options.outputs !== 'device' || options.buckets === undefined,
    where,
    () => "outputs: 'device' cannot be padded to buckets.",
    'Leave out one of the two.',
  )
  const whole = (name: string, value: number, high: number): void =>
    check(
      Number.isInteger(value) && value >= 1 && value <= high,
      where,
      () => `${name} must be an integer from 1 to ${high}, got ${describe(value)}.`,
    )
  whole('threads', threads, 256)
  whole('maxSignatures', maxSignatures, 100_000)
  whole('maxSessions', maxSessions, 100_000)
}
