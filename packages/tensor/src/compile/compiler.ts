import { check, createRng, RegimenError, type Rng, systemClock } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { withOwnGradients } from '../gradients/higher-order.ts'
import { makeNoise, withNoise } from '../random.ts'
import { flattenTree, type TensorLeaf, unflattenTree } from '../tree.ts'
import { crop, type Padding, pad, planPadding } from './buckets.ts'
import type { CompileOptions, Explanation } from './compile.ts'
import { openDiskCache } from './disk-cache.ts'
import { lower } from './lower/index.ts'
import { type OnnxNames, writeOnnx } from './onnx.ts'
import { type Packing, packArrays, packBorders, packNames, unpackArrays } from './pack.ts'
import { optimize } from './passes/passes.ts'
import { findRuntime, isNode } from './runtime/onnxruntime.ts'
import type { Runtime, RuntimeArray, Session } from './runtime/runtime.ts'
import { type InputLeaf, type Numbers, readArguments, type Signature, signatureOf } from './signature.ts'
import { openTracer, type Trace } from './trace.ts'

const REWRITE_BELOW = 2500

/** One form of arguments: what was recorded, the ONNX bytes, and the session while one is open. */
interface Plan {
  readonly signature: Signature
  readonly trace: Trace
  readonly model: Uint8Array
  readonly names: OnnxNames
  readonly packing: Packing
  /** Where small inputs are laid end to end; a call that overlaps another makes its own. */
  readonly buffer: Float32Array
  readonly explanation: { -readonly [K in keyof Explanation]: Explanation[K] }
  session: Promise<Session> | undefined
  running: number
}

/** What stands behind a compiled function: one plan for each form of arguments, and a bounded number of sessions. */
export class Compiler {
  rng: Rng
  readonly #fn: (...args: never[]) => unknown
  readonly #options: CompileOptions
  readonly #maxSignatures: number
  readonly #maxSessions: number
  /** In order of last use, oldest first. */
  readonly #plans = new Map<string, Promise<Plan>>()
  #disposed = false

  constructor(fn: (...args: never[]) => unknown, options: CompileOptions) {
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
      const packed = plan.packing.inputs
      const buffer = plan.running > 1 ? new Float32Array(plan.buffer.length) : plan.buffer
      const results = unpackArrays(await session.run(packArrays(inputs, packed, buffer)), plan.packing.outputs)
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
      return this.#export((await [...this.#plans.values()][0]!).signature, () => undefined)
    }
    const { key, leaves } = readArguments(args)
    const frozen = (path: string): boolean => freeze.some((start) => path === start || path.startsWith(`${start}.`))
    const signature = signatureOf(args, key)
    const arrays = freeze.length > 0 ? await readLeaves(leaves) : []
    return this.#export(signature, (i) => (frozen(signature.specs[i]!.path) ? arrays[i]!.data : undefined))
  }

  /** Records anew, because the graph that runs has packed borders. */
  async #export(signature: Signature, constantAt: (input: number) => Numbers | undefined): Promise<Uint8Array> {
    const trace = (await openTracer()).trace(this.#fn, signature)
    const graph = lower(trace)
    const names = namesOf(signature, trace)
    const kept: number[] = []
    graph.inputs.forEach((id, i) => {
      const data = i < signature.specs.length ? constantAt(i) : undefined
      if (data) graph.values[id] = { ...graph.values[id]!, data }
      else kept.push(i)
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
    const trace = tracer.trace(this.#fn, signature)
    const traced = clock.monotonic()
    const { graph, packing } = packBorders(lower(trace))
    const lowered = clock.monotonic()
    const passes = optimize(graph)
    const plain = namesOf(signature, trace)
    const names = {
      inputs: packNames(plain.inputs, packing.inputs, 'packed'),
      outputs: packNames(plain.outputs, packing.outputs, 'out.packed'),
    }
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
    const buffer = new Float32Array(packing.inputs?.size ?? 0)
    return { signature, trace: kept, model, names, packing, buffer, explanation, session: undefined, running: 0 }
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
        return withNoise(draw, () => withOwnGradients(() => this.#fn(...(built as never[]))))
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
