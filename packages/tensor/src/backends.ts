import { check, describe, RegimenError } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { isNode } from './compile/runtime/onnxruntime.ts'

/** Backends of tfjs by the name of what does the work; `auto` takes the fastest that is at hand. */
export type BackendName = 'cpu' | 'wasm' | 'webgpu' | 'node' | 'auto'

/** What {@link useBackend} chose, and why. */
export interface BackendReport {
  readonly requested: BackendName
  readonly backend: Exclude<BackendName, 'auto'>
  /** One sentence for a log. */
  readonly reason: string
  /** Backends that were tried before and could not be used, each with the reason. */
  readonly skipped: readonly { readonly backend: string; readonly reason: string }[]
}

interface Backend {
  /** The name under which tfjs knows it. */
  readonly registered: string
  readonly install: () => string
  /** Loads it, or says why it cannot work here. Throws where it is not installed. */
  load(unasked: boolean): Promise<string | undefined>
  readonly praise: string
}

const BACKENDS: Readonly<Record<Exclude<BackendName, 'auto'>, Backend>> = {
  cpu: {
    registered: 'cpu',
    install: () => '@tensorflow/tfjs-backend-cpu',
    load: async () => {
      await import('@tensorflow/tfjs-backend-cpu')
      return undefined
    },
    praise: 'plain JavaScript, which runs everywhere',
  },
  wasm: {
    registered: 'wasm',
    install: () => '@tensorflow/tfjs-backend-wasm',
    load: loadWasm,
    praise: 'WebAssembly with SIMD, several times faster than plain JavaScript',
  },
  webgpu: {
    registered: 'webgpu',
    install: () => (isNode() ? '@tensorflow/tfjs-backend-webgpu webgpu' : '@tensorflow/tfjs-backend-webgpu'),
    load: async (unasked) => {
      const reason = await openGpu(unasked)
      if (reason === undefined) await import('@tensorflow/tfjs-backend-webgpu')
      return reason
    },
    praise: 'the graphics card',
  },
  node: {
    registered: 'tensorflow',
    install: () => '@tensorflow/tfjs-node',
    load: async () => {
      if (!isNode()) return 'this is not Node'
      // A name in a variable: most apps do not have it, and no bundler should look for it.
      const name = '@tensorflow/tfjs-node'
      await import(/* @vite-ignore */ name)
      return undefined
    },
    praise: "TensorFlow's native library",
  },
}

/**
 * Chooses the backend on which tfjs runs what is not compiled, loads it, and says what was chosen and why. The files of
 * the WASM backend are found in Node and by bundlers without configuration. `auto` takes, in Node, tfjs-node where the
 * app has installed it, then WebGPU where there is a real card and the app has installed `webgpu`, then WASM, then plain
 * JavaScript; in browsers WebGPU, WASM, plain JavaScript. Cards that are software are only used when asked for. A backend
 * asked for by name is used or refused, never replaced. Compiled functions do not depend on it.
 *
 * ```ts
 * import { useBackend } from '@regimen/tensor'
 *
 * const { backend } = await useBackend('wasm')
 * backend // => 'wasm'
 * ```
 */
export async function useBackend(name: BackendName = 'auto'): Promise<BackendReport> {
  check(
    name === 'auto' || Object.hasOwn(BACKENDS, name),
    'tensor/backends',
    () => `backend must be cpu, wasm, webgpu, node or auto, got ${describe(name)}.`,
  )
  if (name !== 'auto') {
    const problem = await tryBackend(name, false)
    if (problem) throw unavailable(name, problem)
    return { requested: name, backend: name, reason: `${name} was asked for: ${BACKENDS[name].praise}.`, skipped: [] }
  }
  const order = isNode() ? (['node', 'webgpu', 'wasm', 'cpu'] as const) : (['webgpu', 'wasm', 'cpu'] as const)
  const skipped: { backend: string; reason: string }[] = []
  for (const backend of order) {
    const problem = await tryBackend(backend, true)
    if (!problem) {
      const rest = skipped.map((other) => `${other.backend}: ${other.reason}`).join('; ')
      const reason = `${backend}: ${BACKENDS[backend].praise}${rest ? ` (passed over ${rest})` : ''}.`
      return { requested: name, backend, reason, skipped }
    }
    skipped.push({ backend, reason: problem.reason })
  }
  throw unavailable(name, { reason: skipped.map((other) => `${other.backend}: ${other.reason}`).join('; ') })
}

interface Problem {
  readonly reason: string
  readonly cause?: unknown
}

async function tryBackend(name: Exclude<BackendName, 'auto'>, unasked: boolean): Promise<Problem | undefined> {
  const backend = BACKENDS[name]
  try {
    const reason = await backend.load(unasked)
    if (reason !== undefined) return { reason }
  } catch (cause) {
    return { reason: `${backend.install().split(' ').join(' or ')} is not installed or does not load`, cause }
  }
  try {
    if (await tf.setBackend(backend.registered)) return undefined
  } catch (cause) {
    return { reason: 'it could not be started', cause }
  }
  return { reason: 'it could not be started' }
}

function unavailable(name: BackendName, { reason, cause }: Problem): RegimenError {
  const install = name === 'auto' ? '' : ` (npm install ${BACKENDS[name].install()})`
  return new RegimenError(`the backend ${name} cannot be used: ${reason}.`, {
    code: 'BACKEND_UNAVAILABLE',
    where: 'tensor/backends',
    hint: `Install it${install}, or call useBackend('auto').`,
    ...(cause === undefined ? {} : { cause }),
  })
}

async function loadWasm(): Promise<string | undefined> {
  if (typeof WebAssembly !== 'object') return 'there is no WebAssembly here'
  const wasm = await import('@tensorflow/tfjs-backend-wasm')
  if (isNode()) return undefined
  // Bundlers copy files that are named by `new URL(…, import.meta.url)`; each must be written out.
  wasm.setWasmPaths({
    'tfjs-backend-wasm.wasm': new URL('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm', import.meta.url)
      .href,
    'tfjs-backend-wasm-simd.wasm': new URL(
      '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm',
      import.meta.url,
    ).href,
    'tfjs-backend-wasm-threaded-simd.wasm': new URL(
      '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm',
      import.meta.url,
    ).href,
  })
  return undefined
}

/** The part of WebGPU that is asked before tfjs takes over. */
interface Gpu {
  requestAdapter(options?: { powerPreference: 'high-performance' }): Promise<Adapter | null>
}

interface Adapter {
  readonly isFallbackAdapter?: boolean
  readonly info?: {
    readonly architecture?: string
    readonly description?: string
    readonly isFallbackAdapter?: boolean
  }
}

type Navigator = { gpu?: Gpu }

/** Makes `navigator.gpu` in Node, and says why there is no card to use. */
async function openGpu(onlyReal: boolean): Promise<string | undefined> {
  const world = globalThis as { navigator?: Navigator }
  const made = world.navigator?.gpu === undefined && isNode()
  if (made) await makeGpu(world)
  const gpu = world.navigator?.gpu
  if (!gpu) return 'navigator.gpu is missing'
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  const reason = !adapter
    ? 'there is no WebGPU adapter'
    : onlyReal && isSoftware(adapter)
      ? 'its adapter is software'
      : undefined
  // Dawn lives as long as something names it.
  if (reason !== undefined && made) delete world.navigator?.gpu
  return reason
}

/** Google's Dawn, from the package `webgpu`, in the place where browsers have WebGPU. */
async function makeGpu(world: { navigator?: Navigator }): Promise<void> {
  // A name in a variable: no bundler should look for it.
  const name = 'webgpu'
  const dawn = (await import(/* @vite-ignore */ name)) as { create(options: string[]): Gpu; globals: object }
  Object.assign(globalThis, dawn.globals)
  // Node has a navigator since version 21.
  world.navigator ??= {}
  Object.defineProperty(world.navigator, 'gpu', { value: dawn.create([]), configurable: true })
}

function isSoftware({ isFallbackAdapter, info }: Adapter): boolean {
  const fallback = isFallbackAdapter === true || info?.isFallbackAdapter === true
  return fallback || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${info?.architecture} ${info?.description}`)
}
