import type { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { useHigherOrderGradients } from '../gradients/higher-order.ts'
import type { TensorDtype } from '../tree.ts'
import type { Attrs } from './shapes.ts'
import { type Numbers, zeros } from './signature.ts'

/** What the backend tells whoever records. */
export interface Listener {
  /** A tensor was made from numbers. */
  written(data: TracedData, values: unknown, shape: readonly number[], dtype: tf.DataType): void
  /** A kernel was called. */
  called(base: tf.KernelConfig, inputs: Record<string, tf.TensorInfo>, attrs: Attrs): tf.TensorInfo | tf.TensorInfo[]
  /** Somebody reads a tensor's numbers. */
  refuseReading(): void
  /** Somebody uses a tensor of another backend. */
  refuseForeign(shape: readonly number[], dtype: string): never
}

/** tfjs's backend `trace`: it has the kernels of `cpu`, and tells its listener of every call. */
export type TraceBackend = MathBackendCPU & { listener: Listener | undefined }

/**
 * A tensor's data on this backend. It is its own key, so that no table is searched, and its numbers, zeros unless it
 * was made from some, exist only once a kernel really reads them.
 */
export class TracedData {
  readonly dtype: tf.DataType
  /** Number of the value in the recording of `owner`. */
  id = -1
  owner: Listener | undefined
  refCount = 1
  alive = true
  readonly #shape: readonly number[]
  #values: tf.backend_util.BackendValues | undefined

  constructor(shape: readonly number[], dtype: tf.DataType, values?: tf.backend_util.BackendValues) {
    this.#shape = shape
    this.dtype = dtype
    this.#values = values
  }

  get values(): tf.backend_util.BackendValues {
    this.#values ??= zeros(this.dtype as TensorDtype, this.#shape) as Numbers
    return this.#values
  }
}

/** The storage in which every key is the data itself. */
class SelfStorage extends tf.DataStorage<TracedData> {
  override get(data: object): TracedData {
    return data instanceof TracedData ? data : super.get(data)
  }

  override has(data: object): boolean {
    return data instanceof TracedData && data.alive
  }

  override delete(data: object): boolean {
    if (data instanceof TracedData) data.alive = false
    return true
  }

  override numDataIds(): number {
    return 0
  }
}

let backend: Promise<TraceBackend> | undefined

/** Registers the backend and its kernels, once per process, when something is compiled for the first time. */
export function openTraceBackend(): Promise<TraceBackend> {
  backend ??= create()
  return backend
}

async function create(): Promise<TraceBackend> {
  const { MathBackendCPU: Base } = await import('@tensorflow/tfjs-backend-cpu')
  useHigherOrderGradients()
  // Without a backend of its own yet, the app gets the one that tfjs would choose, as with any first op.
  if (tf.getBackend() === undefined || tf.getBackend() === null) await tf.ready()

  class Backend extends Base {
    listener: Listener | undefined
    override data = new SelfStorage(this, tf.engine()) as MathBackendCPU['data']

    override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): object {
      const data = new TracedData(shape, dtype, values)
      this.listener?.written(data, values, shape, dtype)
      return data
    }

    override readSync(data: object): tf.backend_util.BackendValues {
      this.listener?.refuseReading()
      return super.readSync(data)
    }

    override read(data: object): Promise<tf.backend_util.BackendValues> {
      this.listener?.refuseReading()
      return super.read(data)
    }

    override move(_data: object, _values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): void {
      this.listener?.refuseForeign(shape, dtype)
    }
  }

  const opened: TraceBackend = new Backend()
  tf.registerBackend('trace', () => opened, 0)
  for (const base of tf.getKernelsForBackend('cpu')) {
    tf.registerKernel({
      kernelName: base.kernelName,
      backendName: 'trace',
      kernelFunc: ({ inputs, attrs }) =>
        opened.listener!.called(base, inputs as Record<string, tf.TensorInfo>, (attrs ?? {}) as Attrs),
    })
  }
  return opened
}
