import { RegimenError } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { useHigherOrderGradients, withOwnGradients } from '../gradients/higher-order.ts'
import type { NoiseSpec } from '../random.ts'
import { withNoise } from '../random.ts'
import type { TensorDtype } from '../tree.ts'
import { flattenTree, type Structure } from '../tree.ts'
import { type Attrs, type Info, inferShape } from './shapes.ts'
import { type Signature, zeros } from './signature.ts'
import { type Listener, openTraceBackend, type TraceBackend, TracedData } from './trace-backend.ts'

/** A tensor seen while tracing. */
export interface TracedValue {
  readonly shape: readonly number[]
  readonly dtype: TensorDtype
  /** Numbers of a tensor that was made inside the function. */
  readonly data?: Float32Array | Int32Array | Uint8Array
}

/** One kernel call. */
export interface TracedNode {
  readonly kernel: string
  /** Scope of the tfjs op that called the kernel; see {@link publicName}. */
  readonly op: string
  readonly inputs: Readonly<Record<string, number>>
  readonly attrs: Attrs
  readonly outputs: readonly number[]
}

/** What the function did: every kernel it called on tensors of the given shapes. */
export interface Trace {
  readonly values: readonly TracedValue[]
  readonly nodes: readonly TracedNode[]
  /** The function's inputs, then its random inputs. */
  readonly inputs: readonly number[]
  readonly noise: readonly NoiseSpec[]
  readonly outputs: readonly number[]
  readonly outputPaths: readonly string[]
  readonly structure: Structure
}

/** Records a function's kernels. Made once per process by {@link openTracer}. */
export interface Tracer {
  trace(fn: (...args: never[]) => unknown, signature: Signature): Trace
}

type TensorInfo = tf.TensorInfo

let tracer: Promise<Tracer> | undefined

/**
 * Opens the recorder. Kernels whose result's shape is known from their inputs are only recorded; the rest also run, on
 * zeros, for their shapes.
 */
export function openTracer(): Promise<Tracer> {
  useHigherOrderGradients()
  tracer ??= openTraceBackend().then((backend) => ({ trace: (fn, signature) => traceTwice(backend, fn, signature) }))
  return tracer
}

/** Traces, then traces again to see that every constant came out the same. */
function traceTwice(backend: TraceBackend, fn: (...args: never[]) => unknown, signature: Signature): Trace {
  const first = traceOnce(backend, fn, signature)
  traceOnce(backend, fn, signature, first)
  return first
}

function traceOnce(
  backend: TraceBackend,
  fn: (...args: never[]) => unknown,
  signature: Signature,
  previous?: Trace,
): Trace {
  const before = tf.getBackend()
  const recorder = new Recorder(backend, previous)
  backend.listener = recorder
  // Registered and built synchronously, so the switch is complete when the call returns.
  void tf.setBackend('trace')
  try {
    tf.engine().startScope('compile')
    try {
      const args = signature.build((shape, dtype) => recorder.input(shape, dtype))
      const result = withNoise(
        (spec) => recorder.noise(spec),
        () => withOwnGradients(() => fn(...(args as never[]))),
      )
      if (result instanceof Promise) {
        result.catch(() => {})
        throw new RegimenError('the function returned a promise, but a function can only be recorded in one go.', {
          code: 'ASYNC_FUNCTION',
          where: 'tensor/compile',
          hint: 'Make the function synchronous: no async, no await, no callbacks that run later.',
        })
      }
      return recorder.finish(result)
    } finally {
      tf.engine().endScope()
    }
  } catch (error) {
    dropTape()
    throw translate(error)
  } finally {
    backend.listener = undefined
    void tf.setBackend(before)
  }
}

/** tfjs keeps what a gradient saved when the gradient throws; nobody else would dispose of it. */
function dropTape(): void {
  const { state } = tf.engine()
  if (state.gradientDepth > 0 || !state.activeTape) return
  for (const { saved } of state.activeTape) tf.dispose(saved ?? [])
  state.activeTape = []
}

class Recorder implements Listener {
  readonly #backend: TraceBackend
  readonly #previous: Trace | undefined
  readonly #values: TracedValue[] = []
  readonly #nodes: TracedNode[] = []
  readonly #inputs: number[] = []
  readonly #noise: NoiseSpec[] = []
  #inKernel = 0
  #expectInput = false

  constructor(backend: TraceBackend, previous: Trace | undefined) {
    this.#backend = backend
    this.#previous = previous
  }

  input(shape: readonly number[], dtype: TensorDtype): tf.Tensor {
    this.#expectInput = true
    const tensor = tf.tensor(zeros(dtype, shape), [...shape], dtype)
    this.#inputs.push(this.#idOf(tensor.dataId)!)
    return tensor
  }

  noise(spec: NoiseSpec): tf.Tensor {
    this.#noise.push(spec)
    return this.input(spec.shape, 'float32')
  }

  written(traced: TracedData, values: unknown, shape: readonly number[], dtype: tf.DataType): void {
    if (this.#inKernel > 0) return
    const checked = checkDtype(dtype, 'made inside the function')
    if (this.#expectInput) {
      this.#expectInput = false
      this.#claim(traced, { shape, dtype: checked })
      return
    }
    const data = toTyped(values as ArrayLike<number>, checked)
    const id = this.#claim(traced, { shape, dtype: checked, data })
    const same = this.#previous?.values[id]
    if (this.#previous && !(same?.data && sameNumbers(same.data, data))) throw frozen(shape)
  }

  called(base: tf.KernelConfig, inputs: Record<string, TensorInfo>, attrs: Attrs): TensorInfo | TensorInfo[] {
    const kernel = base.kernelName
    if (this.#inKernel > 0) return base.kernelFunc({ inputs, attrs: attrs as tf.NamedAttrMap, backend: this.#backend })
    const ids: Record<string, number> = {}
    for (const name of Object.keys(inputs)) {
      const tensor = inputs[name]
      if (tensor === undefined || tensor === null) continue
      const id = this.#idOf(tensor.dataId)
      if (id === undefined) throw captured(tensor.shape, tensor.dtype)
      ids[name] = id
    }
    const inferred = inferShape(kernel, inputs, attrs)
    const infos = inferred ?? this.#run(base, inputs, attrs)
    const results = infos.map((info) => this.#result(info))
    const outputs = results.map((result) => this.#idOf(result.dataId)!)
    const op = tf.engine().state.activeScope?.name ?? ''
    const node: TracedNode = { kernel, op, inputs: ids, attrs, outputs }
    const same = this.#previous?.nodes[this.#nodes.length]
    if (
      this.#previous &&
      !(same && same.kernel === kernel && sameAttrs(same.attrs, attrs) && sameAttrs(same.inputs, ids))
    ) {
      throw frozen(results[0]?.shape ?? [], op)
    }
    this.#nodes.push(node)
    return results.length !== 1 || MANY.has(kernel) ? results : results[0]!
  }

  finish(result: unknown): Trace {
    const { leaves, paths, structure } = flattenTree<tf.Tensor>(result)
    const outputs = leaves.map((tensor, i) => {
      const id = tensor instanceof tf.Tensor ? this.#idOf(tensor.dataId) : undefined
      if (id === undefined) throw captured(tensor.shape, tensor.dtype, `returned at "${paths[i]}"`)
      return id
    })
    return {
      values: this.#values,
      nodes: this.#nodes,
      inputs: this.#inputs,
      noise: this.#noise,
      outputs,
      outputPaths: paths,
      structure,
    }
  }

  refuseReading(): void {
    if (this.#inKernel > 0) return
    throw new RegimenError('the function reads the numbers of a tensor (dataSync, data, arraySync, print, …).', {
      code: 'DATA_READ_INSIDE',
      where: 'tensor/compile',
      hint: 'Return the tensor and read it outside; write branches on values with tf.where.',
    })
  }

  #run(base: tf.KernelConfig, inputs: Record<string, TensorInfo>, attrs: Attrs): Info[] {
    this.#inKernel++
    try {
      const result = base.kernelFunc({ inputs, attrs: attrs as tf.NamedAttrMap, backend: this.#backend })
      const infos = Array.isArray(result) ? result : [result]
      for (const info of infos) this.#backend.disposeData(info.dataId)
      return infos.map(({ shape, dtype }) => ({ shape, dtype }))
    } finally {
      this.#inKernel--
    }
  }

  refuseForeign(shape: readonly number[], dtype: string): never {
    throw captured(shape, dtype)
  }

  #result({ shape, dtype }: Info): TensorInfo {
    const checked = checkDtype(dtype, 'computed inside the function')
    const dataId = new TracedData(shape, checked)
    this.#claim(dataId, { shape, dtype: checked })
    return { dataId, shape, dtype: checked }
  }

  #claim(data: TracedData, value: TracedValue): number {
    data.owner = this
    data.id = this.#values.length
    this.#values.push(value)
    return data.id
  }

  /** Number of a value of this recording; undefined for tensors from elsewhere. */
  #idOf(dataId: object): number | undefined {
    return dataId instanceof TracedData && dataId.owner === this ? dataId.id : undefined
  }
}

/** Kernels that answer with a list even when it has one entry. */
const MANY = new Set(['SplitV', 'Unpack', 'TopK'])

/** The name by which users know an op, from the scope that tfjs opens for it. */
export function publicName(scope: string): string {
  return scope.replace(/__op$/, '')
}

function captured(shape: readonly number[], dtype: string, role = 'used inside the function'): RegimenError {
  return new RegimenError(`a ${dtype} tensor of shape [${shape.join(', ')}] that was made outside is ${role}.`, {
    code: 'CAPTURED_TENSOR',
    where: 'tensor/compile',
    hint: 'Its numbers would be frozen at the first call. Pass it as an argument.',
  })
}

function frozen(shape: readonly number[], op?: string): RegimenError {
  const what = op ? `the call of tf.${publicName(op)}` : 'a constant'
  return new RegimenError(
    `${what} with a result of shape [${shape.join(', ')}] differed between two recordings of the same function.`,
    {
      code: 'FROZEN_RANDOMNESS',
      where: 'tensor/compile',
      hint: 'What changes from call to call would be frozen. Draw with random.normal, random.uniform or random.dropout of @regimen/tensor, or pass it as an argument.',
    },
  )
}

function translate(error: unknown): unknown {
  const underivable = error instanceof Error && /gradient function not found for (\w+)/.exec(error.message)
  if (underivable) {
    return new RegimenError(`tfjs has no gradient for ${underivable[1]}.`, {
      code: 'NO_GRADIENT',
      where: 'tensor/compile',
      hint: 'Write this step with other ops.',
      cause: error,
    })
  }
  const missing = error instanceof Error && /Kernel '(\w+)' not registered for backend 'trace'/.exec(error.message)
  if (!missing) return error
  return new RegimenError(`the tfjs kernel ${missing[1]} has no lowering to ONNX.`, {
    code: 'UNSUPPORTED_KERNEL',
    where: 'tensor/compile',
    hint: 'Write this step with other ops.',
    cause: error,
  })
}

function checkDtype(dtype: string, role: string): TensorDtype {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype
  throw new RegimenError(`a tensor ${role} has dtype ${dtype}; compiled functions know float32, int32 and bool.`, {
    code: 'DTYPE',
    where: 'tensor/compile',
    hint: 'Cast it, or keep this step outside.',
  })
}

function toTyped(values: ArrayLike<number>, dtype: TensorDtype): Float32Array | Int32Array | Uint8Array {
  if (values instanceof Float32Array || values instanceof Int32Array || values instanceof Uint8Array) return values
  return dtype === 'float32'
    ? Float32Array.from(values)
    : dtype === 'int32'
      ? Int32Array.from(values)
      : Uint8Array.from(values)
}

function sameNumbers(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false
  return true
}

function sameAttrs(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => sameAttrs((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
}
