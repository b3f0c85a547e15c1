import { check, createRng, RegimenError, type Rng, systemClock } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { withOwnGradients } from '../gradients/higher-order.ts'
import { makeNoise, withNoise } from '../random.ts'
import { type TensorLeaf, unflattenTree } from '../tree.ts'
import { crop, type Padding, pad, planPadding } from './buckets.ts'
import { type Candidate, type Opened, openFastest, openOnly } from './choose-device.ts'
import type { CompileOptions, Explanation } from './compile.ts'
import { openDiskCache } from './disk-cache.ts'
import { announceMissing, runEagerly, runtimeName } from './eager.ts'
import { packArrays, unpackArrays } from './pack.ts'
import { exportModel, type Program, writeProgram } from './program.ts'
import { DeviceArray } from './runtime/device-array.ts'
import { asDeviceError, deviceError } from './runtime/device-error.ts'
import { findRuntime } from './runtime/onnxruntime.ts'
import type { DeviceName, Runtime, RuntimeArray, Session } from './runtime/runtime.ts'
import { type InputLeaf, type Numbers, readArguments, type Signature, signatureOf, zeros } from './signature.ts'
import { openTracer, type Trace } from './trace.ts'

const REWRITE_BELOW = 2500
const LARGE_BYTES = 2 ** 24
const UNSTARTED = 'it has not started yet.'

/** One form of arguments: what was recorded, the programs for the devices, and the session while one is open. */
interface Plan {
  readonly signature: Signature
  readonly trace: Trace
  /** Those that may run; once several were measured, the fastest alone. */
  programs: readonly Program[]
  /** What runs where a measured choice fails later: the CPU's. */
  fallback: Program | undefined
  readonly explanation: { -readonly [K in keyof Explanation]: Explanation[K] }
  session: Promise<Opened> | undefined
  running: number
}

type Runtimes = ReadonlyMap<DeviceName, Runtime>

/** What stands behind a compiled function: one plan for each form of arguments, and a bounded number of sessions. */
export class Compiler {
  rng: Rng
  readonly #fn: (...args: never[]) => unknown
  readonly #options: CompileOptions
  /** Whether results stay on the device. Borders are not packed then, so that arrays there can enter one by one. */
  readonly #keeps: boolean
  readonly #maxSignatures: number
  readonly #maxSessions: number
  /** In order of last use, oldest first. */
  readonly #plans = new Map<string, Promise<Plan>>()
  #disposed = false

  constructor(fn: (...args: never[]) => unknown, options: CompileOptions) {
    this.#fn = fn
    this.#options = options
    this.#keeps = options.outputs === 'device'
    this.#maxSignatures = options.maxSignatures ?? 16
    this.#maxSessions = options.maxSessions ?? 8
    this.rng = createRng(options.seed ?? 0)
  }

  async call(args: readonly unknown[]): Promise<unknown> {
    this.#refuseDisposed()
    const { key, leaves } = readArguments(args)
    const padding = this.#options.buckets && this.#padding(args, key, leaves)
    const runtimes = await this.#runtimes()
    // Arrays on the card stay there where the graph takes them one by one.
    const stays = ({ data }: InputLeaf): boolean => this.#keeps && runtimes !== undefined && data instanceof DeviceArray
    const read = await readLeaves(leaves.filter((leaf) => !stays(leaf)))
    if (padding)
      read.forEach((array, i) => {
        read[i] = pad(array, padding.shapes[i]!)
      })
    if (!runtimes) return this.#eagerly(args, read, padding)
    let next = 0
    const inputs = leaves.map((leaf): Crossing => (stays(leaf) ? (leaf.data as DeviceArray) : read[next++]!))
    const plan = await this.#planFor(args, key, padding, runtimes)
    for (const spec of plan.trace.noise) {
      inputs.push({ dtype: 'float32', shape: spec.shape, data: makeNoise(spec, this.rng) })
    }
    plan.running++
    try {
      const results = await this.#run(plan, runtimes, inputs)
      if (this.#keeps) return unflattenTree(plan.trace.structure, results)
      const arrays = results as RuntimeArray[]
      if (padding)
        arrays.forEach((array, i) => {
          arrays[i] = crop(array, padding, plan.trace.outputPaths[i]!)
        })
      return unflattenTree(plan.trace.structure, this.#fetched(arrays))
    } finally {
      plan.running--
    }
  }

  async #run(plan: Plan, runtimes: Runtimes, inputs: readonly Crossing[]): Promise<Crossing[]> {
    const { session, candidate } = await this.#open(plan, runtimes, inputs)
    const { device, packing, buffer: own } = candidate.program
    const buffer = plan.running > 1 ? new Float32Array(own.length) : own
    try {
      const results = await session.run(packArrays(inputs, packing.inputs, buffer))
      return packing.outputs ? unpackArrays(results as RuntimeArray[], packing.outputs) : results
    } catch (cause) {
      const error = asDeviceError(cause, device)
      const code = error instanceof RegimenError ? error.code : ''
      const { fallback } = plan
      const retreats = fallback && fallback !== candidate.program && code.includes('DEVICE')
      if (code !== 'DEVICE_LOST' && !retreats) throw error
      // The session died with its device; what calls next starts another.
      plan.session = undefined
      await session.dispose().catch(() => undefined)
      if (!retreats) throw error
      plan.programs = [fallback]
      const { provider } = runtimes.get(fallback.device)!
      const reason = `${fallback.device} took over when ${device} failed (${code}).`
      plan.explanation.device = { ...plan.explanation.device, chosen: fallback.device, provider, reason }
      return this.#run(plan, runtimes, inputs)
    }
  }

  async warmup(signatures: readonly (readonly unknown[])[]): Promise<void> {
    this.#refuseDisposed()
    const runtimes = await this.#runtimes()
    if (!runtimes) return
    for (const args of signatures) {
      const { key, leaves } = readArguments(args)
      const plan = await this.#planFor(args, key, this.#padding(args, key, leaves), runtimes)
      const empty = ({ dtype, shape }: { dtype: TensorLeaf['dtype']; shape: readonly number[] }): RuntimeArray => {
        return { dtype, shape, data: zeros(dtype, shape) }
      }
      const noise = plan.trace.noise.map(({ shape }) => empty({ dtype: 'float32', shape }))
      await this.#open(plan, runtimes, [...plan.signature.specs.map(empty), ...noise])
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
    return exportModel((await openTracer()).trace(this.#fn, signature), signature, constantAt)
  }

  explain(): readonly Explanation[] {
    return this.#explanations
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    const plans = [...this.#plans.values()]
    this.#plans.clear()
    for (const plan of plans) {
      const opened = await plan.then(({ session }) => session).catch(() => undefined)
      await opened?.session.dispose().catch(() => undefined)
    }
  }

  readonly #explanations: Explanation[] = []

  /** The runtimes of the devices that may be used; undefined where functions run eagerly. */
  async #runtimes(): Promise<Runtimes | undefined> {
    const { execution, device = 'cpu' } = this.#options
    if (execution === 'eager') return undefined
    if (this.#found) return this.#found
    const found = new Map<DeviceName, Runtime>()
    for (const name of device === 'auto' ? (['cpu', 'gpu'] as const) : [device]) {
      const runtime = await findRuntime(name)
      if (runtime) found.set(name, runtime)
    }
    if (found.size > 0) {
      this.#found = found
      return found
    }
    if (device !== 'cpu' && device !== 'auto') {
      throw deviceError('NO_DEVICE', device, `${runtimeName()} is not installed (npm install ${runtimeName()})`)
    }
    announceMissing()
    return undefined
  }

  #found: Runtimes | undefined

  #padding(args: readonly unknown[], key: string, leaves: readonly InputLeaf[]): Padding | undefined {
    const { buckets } = this.#options
    return buckets && planPadding(buckets, signatureOf(args, key).specs, leaves)
  }

  #planFor(args: readonly unknown[], key: string, padding: Padding | undefined, runtimes: Runtimes): Promise<Plan> {
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
    const plan = this.#prepare(signature, runtimes)
    this.#plans.set(lookup, plan)
    plan.catch(() => this.#plans.delete(lookup))
    return plan
  }

  async #prepare(signature: Signature, runtimes: Runtimes): Promise<Plan> {
    const tracer = await openTracer()
    const started = systemClock.monotonic()
    const trace = tracer.trace(this.#fn, signature)
    const traced = systemClock.monotonic() - started
    const programs = [...runtimes.keys()].map((device) => writeProgram(trace, signature, device, !this.#keeps))
    const [{ device, passes, peakBytes, milliseconds }] = programs as [Program]
    const { name, provider } = runtimes.get(device)!
    const explanation: Plan['explanation'] = {
      signature: signature.specs.map(({ path, dtype, shape }) => `${path}: ${dtype}[${shape.join(', ')}]`).join('; '),
      kernels: trace.nodes.length,
      passes,
      peakBytes,
      milliseconds: { trace: traced, ...milliseconds, start: 0 },
      runtime: name,
      device: { chosen: device, provider, reason: UNSTARTED, milliseconds: {} },
      cached: false,
    }
    this.#explanations.push(explanation)
    // The recording's values are no longer needed; only its borders are.
    const kept: Trace = { ...trace, values: [], nodes: [] }
    const fallback = programs.length > 1 ? programs[0] : undefined
    return { signature, trace: kept, programs, fallback, explanation, session: undefined, running: 0 }
  }

  /** The plan's session, started where none is open. */
  #open(plan: Plan, runtimes: Runtimes, inputs: readonly Crossing[]): Promise<Opened> {
    if (plan.session) return plan.session
    const session = this.#start(plan, runtimes, inputs)
    plan.session = session
    session.catch(() => {
      if (plan.session === session) plan.session = undefined
    })
    return session
  }

  async #start(plan: Plan, runtimes: Runtimes, inputs: readonly Crossing[]): Promise<Opened> {
    await this.#closeOldest()
    const { explanation } = plan
    const started = systemClock.monotonic()
    const candidates = plan.programs.map((program) => this.#candidate(plan, program, runtimes.get(program.device)!))
    const measured = candidates.length > 1
    const opened = measured ? await openFastest(candidates, inputs) : await openOnly(candidates[0]!)
    const { program, runtime } = opened.candidate
    const start = systemClock.monotonic() - started
    if (measured || explanation.device.reason === UNSTARTED) explanation.device = opened.report
    plan.programs = [program]
    explanation.runtime = runtime.name
    explanation.passes = program.passes
    explanation.peakBytes = program.peakBytes
    explanation.milliseconds = { ...explanation.milliseconds, ...program.milliseconds, start }
    return opened
  }

  #candidate(plan: Plan, program: Program, runtime: Runtime): Candidate {
    const { rewrite = 'auto', threads = 1, cache } = this.#options
    const small = program.passes.at(-1)!.nodes < REWRITE_BELOW
    const options = {
      ...program.names,
      threads,
      keep: this.#keeps,
      rewrite: rewrite === 'always' || (rewrite === 'auto' && small),
      large: program.peakBytes > LARGE_BYTES,
    }
    const start = async (): Promise<Session> => {
      // What a card's provider writes is no graph that it could read again.
      if (cache === undefined || program.device !== 'cpu') return runtime.start(program.model, options)
      return openDiskCache(cache, runtime.name).start(runtime, program.model, options, (cached) => {
        plan.explanation.cached = cached
      })
    }
    return { program, runtime, start }
  }

  async #closeOldest(): Promise<void> {
    const open: Plan[] = []
    for (const promise of this.#plans.values()) {
      const plan = await promise.catch(() => undefined)
      if (plan?.session) open.push(plan)
    }
    for (const plan of open.slice(0, Math.max(0, open.length - this.#maxSessions))) {
      if (plan.running > 0) continue
      const opened = plan.session
      plan.session = undefined
      await (await opened?.catch(() => undefined))?.session.dispose()
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

  #eagerly(args: readonly unknown[], inputs: readonly RuntimeArray[], padding: Padding | undefined): Promise<unknown> {
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
      this.#options.outputs,
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

/** What enters or leaves a session. */
type Crossing = RuntimeArray | DeviceArray

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
    const numbers = data instanceof tf.Tensor || data instanceof DeviceArray ? ((await data.data()) as Numbers) : data
    arrays[i] = { shape, dtype, data: numbers }
  }
  return arrays
}
