import { check, createRng, describe, RegimenError, type Rng, type RngState, systemClock } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { makeNoise, withNoise } from '../random.ts'
import { type Fed, type Fetched, flattenTree, type TensorLeaf, unflattenTree } from '../tree.ts'
import { type Buckets, crop, type Padding, pad, planPadding } from './buckets.ts'
import { openDiskCache } from './disk-cache.ts'
import { lower } from './lower/index.ts'
import { type OnnxNames, writeOnnx } from './onnx.ts'
import { optimize, type PassReport } from './passes/passes.ts'
import { findRuntime, isNode } from './runtime/onnxruntime.ts'
import type { Runtime, RuntimeArray, Session } from './runtime/runtime.ts'
import { type InputLeaf, type Numbers, readArguments, type Signature, signatureOf } from './signature.ts'
import { openTracer, type Trace } from './trace.ts'

/** Options of {@link compile}. */
export interface CompileOptions {
  /** Start of the stream from which `random` draws inside the function. @default 0 */
  seed?: number | string
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
  /** Directory where optimized graphs are kept between processes (Node only). @default none */
  cache?: string
  /** `eager` runs the function with plain tfjs, for debugging. @default 'compiled' */
  execution?: 'compiled' | 'eager'
  /** `tensors` returns tf tensors, which the caller disposes. @default 'arrays' */
  outputs?: 'arrays' | 'tensors'
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
  options?: CompileOptions,
): Compiled<Args, Fetched<R>>
export function compile<Args extends readonly unknown[], R>(
  fn: (...args: Args) => R,
  options: CompileOptions = {},
): Compiled<Args, unknown> {
  validate(fn, options)
  const compiler = new Compiler(fn as unknown as (...args: unknown[]) => unknown, options)
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

const REWRITE_BELOW = 2500

/** One form of arguments: what was recorded, the ONNX bytes, and the session while one is open. */
interface Plan {
  readonly signature: Signature
  readonly trace: Trace
  readonly model: Uint8Array
  readonly names: OnnxNames
  readonly explanation: { -readonly [K in keyof Explanation]: Explanation[K] }
  session: Promise<Session> | undefined
  running: number
}

class Compiler {
  rng: Rng
  readonly #fn: (...args: unknown[]) => unknown
  readonly #options: CompileOptions
  readonly #maxSignatures: number
  readonly #maxSessions: number
  /** In order of last use, oldest first. */
  readonly #plans = new Map<string, Promise<Plan>>()
  #disposed = false

  constructor(fn: (...args: unknown[]) => unknown, options: CompileOptions) {
    this.#fn = fn
    this.#options = options
    this.#maxSignatures = options.maxSignatures ?? 16
    this.#maxSessions = options.maxSessions ?? 8
    this.rng = createRng(options.seed ?? 0)
  }

  async call(args: readonly unknown[]): Promise<unknown> {
    this.#refuseDisposed()
    const { key, leaves } = readArguments(args)
    const padding = this.#options.buckets && this.#padding(args, key, leaves)
    const inputs = await readLeaves(leaves)
    if (padding)
      inputs.forEach((array, i) => {
        inputs[i] = pad(array, padding.shapes[i]!)
      })
    const runtime = await this.#runtime()
    if (!runtime) return this.#eagerly(args, inputs, padding)
    const plan = await this.#planFor(args, key, padding, runtime)
    for (const spec of plan.trace.noise) {
      inputs.push({ dtype: 'float32', shape: spec.shape, data: makeNoise(spec, this.rng) })
    }
    plan.running++
    try {
      plan.session ??= this.#start(plan, runtime)
      const session = await plan.session
      const results = await session.run(inputs)
      if (padding)
        results.forEach((array, i) => {
          results[i] = crop(array, padding, plan.trace.outputPaths[i]!)
        })
      return unflattenTree(plan.trace.structure, this.#fetched(results))
    } finally {
      plan.running--
    }
  }

  async warmup(signatures: readonly (readonly unknown[])[]): Promise<void> {
    this.#refuseDisposed()
    const runtime = await this.#runtime()
    if (!runtime) return
    for (const args of signatures) {
      const { key, leaves } = readArguments(args)
      const plan = await this.#planFor(args, key, this.#padding(args, key, leaves), runtime)
      plan.session ??= this.#start(plan, runtime)
      await plan.session
    }
  }

  async toOnnx(args: readonly unknown[] | undefined, freeze: readonly string[] = []): Promise<Uint8Array> {
    this.#refuseDisposed()
    if (!args) {
      check(
        this.#plans.size === 1,
        'tensor/compile',
        () => `toOnnx() found ${this.#plans.size} forms of arguments.`,
        'Pass the arguments whose form is meant.',
      )
      check(freeze.length === 0, 'tensor/compile', () => 'freeze needs the values to freeze.', 'Pass the arguments.')
      return (await [...this.#plans.values()][0]!).model.slice()
    }
    const { key, leaves } = readArguments(args)
    const tracer = await openTracer()
    const signature = signatureOf(args, key)
    const trace = tracer.trace(this.#fn as (...args: never[]) => unknown, signature)
    const graph = lower(trace)
    const names = namesOf(signature, trace)
    const frozen = (path: string): boolean => freeze.some((start) => path === start || path.startsWith(`${start}.`))
    const arrays = await readLeaves(leaves)
    const kept: number[] = []
    graph.inputs.forEach((id, i) => {
      const spec = signature.specs[i]
      if (!spec || !frozen(spec.path)) kept.push(i)
      else graph.values[id] = { ...graph.values[id]!, data: arrays[i]!.data }
    })
    const exported = { ...graph, inputs: kept.map((i) => graph.inputs[i]!) }
    optimize(exported)
    return writeOnnx(exported, { inputs: kept.map((i) => names.inputs[i]!), outputs: names.outputs }).slice()
  }

  explain(): readonly Explanation[] {
    return this.#explanations
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    const plans = [...this.#plans.values()]
    this.#plans.clear()
    for (const plan of plans) {
      const session = await plan.then(
        ({ session }) => session,
        () => undefined,
      )
      await session?.dispose()
    }
  }

  readonly #explanations: Explanation[] = []

  async #runtime(): Promise<Runtime | undefined> {
    if (this.#options.execution === 'eager') return undefined
    const runtime = await findRuntime()
    if (!runtime) announceMissing()
    return runtime
  }

  #padding(args: readonly unknown[], key: string, leaves: readonly InputLeaf[]): Padding | undefined {
    const { buckets } = this.#options
    return buckets && planPadding(buckets, signatureOf(args, key).specs, leaves)
  }

  #planFor(args: readonly unknown[], key: string, padding: Padding | undefined, runtime: Runtime): Promise<Plan> {
    const fullKey = padding ? `${key}|${padding.size}` : key
    const lookup = padding ? `${padding.form}|${padding.size}` : fullKey
    const known = this.#plans.get(lookup)
    if (known) {
      // Moves it to the end: last used.
      this.#plans.delete(lookup)
      this.#plans.set(lookup, known)
      return known
    }
    const signature = signatureOf(args, lookup, padding?.shapes)
    if (this.#plans.size >= this.#maxSignatures) return this.#refuseSignature(signature)
    const plan = this.#prepare(signature, runtime)
    this.#plans.set(lookup, plan)
    plan.catch(() => this.#plans.delete(lookup))
    return plan
  }

  async #prepare(signature: Signature, runtime: Runtime): Promise<Plan> {
    const tracer = await openTracer()
    const clock = systemClock
    const started = clock.monotonic()
    const trace = tracer.trace(this.#fn as (...args: never[]) => unknown, signature)
    const traced = clock.monotonic()
    const graph = lower(trace)
    const lowered = clock.monotonic()
    const passes = optimize(graph)
    const names = namesOf(signature, trace)
    const model = writeOnnx(graph, names)
    const optimized = clock.monotonic()
    const explanation: Plan['explanation'] = {
      signature: signature.specs.map(({ path, dtype, shape }) => `${path}: ${dtype}[${shape.join(', ')}]`).join('; '),
      kernels: trace.nodes.length,
      passes,
      milliseconds: { trace: traced - started, lower: lowered - traced, passes: optimized - lowered, start: 0 },
      runtime: runtime.name,
      cached: false,
    }
    this.#explanations.push(explanation)
    // The recording's values are no longer needed; only its borders are.
    const kept: Trace = { ...trace, values: [], nodes: [] }
    return { signature, trace: kept, model, names, explanation, session: undefined, running: 0 }
  }

  async #start(plan: Plan, runtime: Runtime): Promise<Session> {
    await this.#closeOldest()
    const { rewrite = 'auto', threads = 1 } = this.#options
    const small = plan.explanation.passes.at(-1)!.nodes < REWRITE_BELOW
    const options = { ...plan.names, threads, rewrite: rewrite === 'always' || (rewrite === 'auto' && small) }
    const started = systemClock.monotonic()
    const disk = this.#options.cache === undefined ? undefined : openDiskCache(this.#options.cache, runtime.name)
    const session = disk
      ? await disk.start(runtime, plan.model, options, (cached) => {
          plan.explanation.cached = cached
        })
      : await runtime.start(plan.model, options)
    plan.explanation.milliseconds = { ...plan.explanation.milliseconds, start: systemClock.monotonic() - started }
    return session
  }

  async #closeOldest(): Promise<void> {
    const open: Plan[] = []
    for (const promise of this.#plans.values()) {
      const plan = await promise.catch(() => undefined)
      if (plan?.session) open.push(plan)
    }
    for (const plan of open.slice(0, Math.max(0, open.length - this.#maxSessions))) {
      if (plan.running > 0) continue
      const session = plan.session
      plan.session = undefined
      await (await session)?.dispose()
    }
  }

  async #refuseSignature(signature: Signature): Promise<never> {
    const varying = new Set<string>()
    for (const promise of this.#plans.values()) {
      const { specs } = (await promise).signature
      signature.specs.forEach(({ path, dtype, shape }, i) => {
        const other = specs[i]
        if (!other || other.path !== path) varying.add('the form of the tree')
        else if (other.dtype !== dtype) varying.add(`the dtype at "${path}"`)
        else if (other.shape.join() !== shape.join()) {
          const axes = shape.flatMap((dim, axis) => (dim === other.shape[axis] ? [] : [axis]))
          varying.add(`axis ${axes.join(' and ')} at "${path}" (now ${shape.join(' × ')})`)
        }
      })
    }
    const what = varying.size > 0 ? [...varying].join(', ') : 'a flag or string among the arguments'
    throw new RegimenError(`more than ${this.#maxSignatures} forms of arguments were seen; what varies: ${what}.`, {
      code: 'TOO_MANY_SIGNATURES',
      where: 'tensor/compile',
      hint: 'Pad the varying axis with { buckets }, or raise maxSignatures.',
    })
  }

  #fetched(results: readonly RuntimeArray[]): readonly unknown[] {
    if (this.#options.outputs !== 'tensors') return results
    return results.map(({ data, shape, dtype }) => tf.tensor(data, [...shape], dtype))
  }

  #eagerly(args: readonly unknown[], inputs: readonly RuntimeArray[], padding: Padding | undefined): unknown {
    const { key } = readArguments(args)
    const signature = signatureOf(args, key, padding?.shapes)
    let next = 0
    return runEagerly(
      () => {
        const built = signature.build((shape, dtype) => tf.tensor(inputs[next++]!.data, [...shape], dtype))
        const draw = (spec: Parameters<typeof makeNoise>[0]): tf.Tensor =>
          tf.tensor(makeNoise(spec, this.rng), [...spec.shape], 'float32')
        return withNoise(draw, () => this.#fn(...built))
      },
      this.#options.outputs === 'tensors',
      padding,
    )
  }

  #refuseDisposed(): void {
    if (!this.#disposed) return
    throw new RegimenError('the compiled function was disposed.', {
      code: 'DISPOSED',
      where: 'tensor/compile',
      hint: 'Compile it again.',
    })
  }
}

/** Runs in a tidy and reads the results before it ends, so that eager calls leak nothing either. */
function runEagerly(run: () => unknown, asTensors: boolean, padding: Padding | undefined): unknown {
  tf.engine().startScope('compile')
  let kept: tf.Tensor[] = []
  try {
    const { leaves, paths, structure } = flattenTree<tf.Tensor>(run())
    const arrays = leaves.map((tensor, i) => {
      const data = tensor.dataSync().slice() as Numbers
      const array: RuntimeArray = { dtype: tensor.dtype as TensorLeaf['dtype'], shape: tensor.shape, data }
      return padding ? crop(array, padding, paths[i]!) : array
    })
    if (!asTensors) return unflattenTree(structure, arrays)
    kept = arrays.map(({ data, shape, dtype }) => tf.tensor(data, [...shape], dtype))
    return unflattenTree(structure, kept)
  } finally {
    tf.engine().endScope(kept)
  }
}

async function readLeaves(leaves: readonly InputLeaf[]): Promise<RuntimeArray[]> {
  const arrays = new Array<RuntimeArray>(leaves.length)
  for (let i = 0; i < leaves.length; i++) {
    const { shape, dtype, data } = leaves[i]!
    if (data === undefined) {
      throw new RegimenError(`an input of shape [${shape.join(', ')}] has no data.`, {
        code: 'INVALID_ARGUMENT',
        where: 'tensor/compile',
        hint: 'Leaves without numbers are for warmup only.',
      })
    }
    const numbers = data instanceof tf.Tensor ? ((await data.data()) as Numbers) : data
    arrays[i] = { shape, dtype, data: numbers }
  }
  return arrays
}

function namesOf(signature: Signature, trace: Trace): OnnxNames {
  return {
    inputs: [...signature.specs.map(({ path }) => path), ...trace.noise.map((_, i) => `random.${i}`)],
    outputs: trace.outputPaths.map((path) => (path === '' ? 'out' : `out.${path}`)),
  }
}

let announced = false

function announceMissing(): void {
  if (announced) return
  announced = true
  const name = isNode() ? 'onnxruntime-node' : 'onnxruntime-web'
  console.warn(
    `[tensor/compile] ${name} is not installed, so compiled functions run eagerly (slowly). npm install ${name}`,
  )
}

function validate(fn: unknown, options: CompileOptions): void {
  const { threads = 1, maxSignatures = 16, maxSessions = 8 } = options
  const where = 'tensor/compile'
  check(typeof fn === 'function', where, () => `the first argument must be a function, got ${describe(fn)}.`)
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
