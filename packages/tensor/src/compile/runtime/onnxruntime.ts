import type * as Ort from 'onnxruntime-node'
import type { TensorDtype } from '../../tree.ts'
import type { Numbers } from '../signature.ts'
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
      return open(loaded.default ?? loaded, name, device === 'gpu' ? 'webgpu' : device)
    }
    // Two builds: an app that computes on the CPU never loads the larger one.
    return device === 'cpu'
      ? open((await import('onnxruntime-web/wasm')) as OrtModule, 'onnxruntime-web', 'wasm')
      : open((await import('onnxruntime-web/webgpu')) as OrtModule, 'onnxruntime-web', 'webgpu')
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

function open(ort: OrtModule, name: string, provider: string): Runtime {
  const version = ort.env.versions.common ?? ''
  return {
    name: `${name} ${version}`,
    provider,
    start: async (model, options) => {
      if (name === 'onnxruntime-web') ort.env.wasm.numThreads = options.threads
      const session = await ort.InferenceSession.create(model, sessionOptions(options, provider))
      return new OrtSession(ort, session, options)
    },
  }
}

function sessionOptions(options: SessionOptions, provider: string): Ort.InferenceSession.SessionOptions {
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
    ...(options.saveOptimized ? { optimizedModelFilePath: options.saveOptimized } : {}),
    ...(options.profile ? { enableProfiling: true, profileFilePrefix: options.profile } : {}),
  }
}

class OrtSession implements Session {
  readonly #ort: OrtModule
  readonly #session: Ort.InferenceSession
  readonly #options: SessionOptions

  constructor(ort: OrtModule, session: Ort.InferenceSession, options: SessionOptions) {
    this.#ort = ort
    this.#session = session
    this.#options = options
  }

  async run(inputs: readonly RuntimeArray[]): Promise<RuntimeArray[]> {
    const feeds: Record<string, Ort.Tensor> = {}
    const { inputs: names, outputs } = this.#options
    for (let i = 0; i < names.length; i++) {
      const { dtype, data, shape } = inputs[i]!
      // The tensor wraps the caller's array; nothing is copied.
      feeds[names[i]!] = new this.#ort.Tensor(dtype, data as Float32Array, shape as number[])
    }
    const results = await this.#session.run(feeds)
    return outputs.map((name) => {
      const tensor = results[name]!
      return { dtype: tensor.type as TensorDtype, shape: tensor.dims, data: tensor.data as Numbers }
    })
  }

  async dispose(): Promise<void> {
    if (this.#options.profile) this.#session.endProfiling()
    await this.#session.release()
  }
}
