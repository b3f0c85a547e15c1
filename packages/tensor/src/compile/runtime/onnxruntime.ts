import type * as Ort from 'onnxruntime-node'
import type { TensorDtype } from '../../tree.ts'
import type { Numbers } from '../signature.ts'
import { DeviceArray, hostArray } from './device-array.ts'
import { openReader, type Reader } from './reader.ts'
import type { DeviceName, Runtime, RuntimeArray, Session, SessionOptions } from './runtime.ts'

type OrtModule = typeof Ort

const runtimes = new Map<DeviceName, Promise<Runtime | undefined>>()

/** The onnxruntime of this platform for a device, or undefined where none is installed. Looked for once. */
export function findRuntime(device: DeviceName): Promise<Runtime | undefined> {
  let runtime = runtimes.get(device)
  if (!runtime) {
    runtime = load(device)
    runtimes.set(device, runtime)
  }
  return runtime
}

/** True in Node, Bun and Deno; false in browsers and their workers. */
export function isNode(): boolean {
  return typeof process === 'object' && typeof process.versions?.node === 'string'
}

async function load(device: DeviceName): Promise<Runtime | undefined> {
  try {
    if (isNode()) {
      // A name in a variable keeps bundlers for browsers from following this import.
      const name = 'onnxruntime-node'
      const loaded = (await import(/* @vite-ignore */ name)) as OrtModule & { default?: OrtModule }
      return open(loaded.default ?? loaded, name, device, device === 'gpu' ? 'webgpu' : device)
    }
    // Two builds: an app that computes on the CPU never loads the larger one.
    return device === 'cpu'
      ? open((await import('onnxruntime-web/wasm')) as OrtModule, 'onnxruntime-web', device, 'wasm')
      : open((await import('onnxruntime-web/webgpu')) as OrtModule, 'onnxruntime-web', device, 'webgpu')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function isMissing(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  return (
    code === 'ERR_MODULE_NOT_FOUND' ||
    code === 'MODULE_NOT_FOUND' ||
    /Cannot find|Failed to resolve/.test(message ?? '')
  )
}

function open(ort: OrtModule, name: string, device: DeviceName, provider: string): Runtime {
  const version = ort.env.versions.common ?? ''
  let reader: Promise<Reader> | undefined
  return {
    name: `${name} ${version}`,
    provider,
    start: async (model, options) => {
      if (name === 'onnxruntime-web') ort.env.wasm.numThreads = options.threads
      const keeps = options.keep === true && device === 'gpu'
      const session = await ort.InferenceSession.create(model, sessionOptions(options, provider, keeps))
      if (!keeps) return new OrtSession(ort, session, options, device, undefined)
      reader ??= openReader(ort, isNode())
      return new OrtSession(ort, session, options, device, await reader)
    },
  }
}

function sessionOptions(
  options: SessionOptions,
  provider: string,
  keeps: boolean,
): Ort.InferenceSession.SessionOptions {
  return {
    // What a provider lacks runs on the CPU.
    executionProviders: [provider],
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // Level 'all' chooses memory layouts for this very processor, which a file must not.
    graphOptimizationLevel: !options.rewrite ? 'disabled' : options.saveOptimized ? 'extended' : 'all',
    // What fails is thrown; the log would say it a second time.
    logSeverityLevel: 4,
    // A pattern saves small graphs some of their time, and holds one block of the whole beside what the first call took.
    enableMemPattern: options.large !== true,
    ...(keeps ? { preferredOutputLocation: 'gpu-buffer' } : {}),
    ...(options.saveOptimized ? { optimizedModelFilePath: options.saveOptimized } : {}),
    ...(options.profile ? { enableProfiling: true, profileFilePrefix: options.profile } : {}),
  }
}

/** Calls whose results stay on a card, until one waits for it. */
const AHEAD = 32

class OrtSession implements Session {
  readonly #ort: OrtModule
  readonly #session: Ort.InferenceSession
  readonly #options: SessionOptions
  readonly #device: DeviceName
  readonly #reader: Reader | undefined
  #queued = 0

  constructor(
    ort: OrtModule,
    session: Ort.InferenceSession,
    options: SessionOptions,
    device: DeviceName,
    reader: Reader | undefined,
  ) {
    this.#ort = ort
    this.#session = session
    this.#options = options
    this.#device = device
    this.#reader = reader
  }

  async run(inputs: readonly (RuntimeArray | DeviceArray)[]): Promise<(RuntimeArray | DeviceArray)[]> {
    const feeds: Record<string, Ort.Tensor> = {}
    const { inputs: names, outputs, keep } = this.#options
    for (let i = 0; i < names.length; i++) {
      const array = inputs[i]!
      const { dtype, shape } = array
      // The tensor wraps the caller's array; nothing is copied.
      if (!(array instanceof DeviceArray)) feeds[names[i]!] = this.#wrap(dtype, array.data, shape)
      else if (array.device === 'gpu' && this.#device === 'gpu') feeds[names[i]!] = array.buffer.handle as Ort.Tensor
      else feeds[names[i]!] = this.#wrap(dtype, await array.data(), shape)
    }
    const results = await this.#session.run(feeds)
    // Such a call only queues its work: a loop of them would fill memory with what is not done yet.
    if (this.#reader && ++this.#queued % AHEAD === 0) await this.#reader.wait(Object.values(results))
    return outputs.map((name) => {
      const tensor = results[name]!
      if (keep) return this.#kept(tensor)
      return { dtype: tensor.type as TensorDtype, shape: tensor.dims, data: tensor.data as Numbers }
    })
  }

  #wrap(dtype: TensorDtype, data: Numbers, shape: readonly number[]): Ort.Tensor {
    return new this.#ort.Tensor(dtype, data as Float32Array, shape as number[])
  }

  #kept(tensor: Ort.Tensor): DeviceArray {
    const dtype = tensor.type as TensorDtype
    if (tensor.location !== 'gpu-buffer') return hostArray(dtype, tensor.dims, tensor.data as Numbers)
    const reader = this.#reader!
    return new DeviceArray(dtype, tensor.dims, 'gpu', {
      handle: tensor,
      read: () => reader.read(tensor),
      free: () => tensor.dispose(),
    })
  }

  async dispose(): Promise<void> {
    if (this.#options.profile) this.#session.endProfiling()
    await this.#session.release()
  }
}
