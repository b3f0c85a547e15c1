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
  readonly install: string
  /** Why it cannot work here; undefined where it may. */
  unfit(): string | undefined
  load(): Promise<unknown>
  readonly praise: string
}

const BACKENDS: Readonly<Record<Exclude<BackendName, 'auto'>, Backend>> = {
  cpu: {
    registered: 'cpu',
    install: '@tensorflow/tfjs-backend-cpu',
    unfit: () => undefined,
    load: () => import('@tensorflow/tfjs-backend-cpu'),
    praise: 'plain JavaScript, which runs everywhere',
  },
  wasm: {
    registered: 'wasm',
    install: '@tensorflow/tfjs-backend-wasm',
    unfit: () => (typeof WebAssembly === 'object' ? undefined : 'there is no WebAssembly here'),
    load: loadWasm,
    praise: 'WebAssembly with SIMD, several times faster than plain JavaScript',
  },
  webgpu: {
    registered: 'webgpu',
    install: '@tensorflow/tfjs-backend-webgpu',
    unfit: () => (hasGpu() ? undefined : 'navigator.gpu is missing'),
    load: () => import('@tensorflow/tfjs-backend-webgpu'),
    praise: 'the graphics card',
  },
  node: {
    registered: 'tensorflow',
    install: '@tensorflow/tfjs-node',
    unfit: () => (isNode() ? undefined : 'this is not Node'),
    load: () => {
      // A name in a variable: most apps do not have it, and no bundler should look for it.
      const name = '@tensorflow/tfjs-node'
      return import(/* @vite-ignore */ name)
    },
    praise: "TensorFlow's native library",
  },
}

/**
 * Chooses the backend on which tfjs runs what is not compiled, loads it, and says what was chosen and why. The files of
 * the WASM backend are found in Node and by bundlers without configuration. `auto` takes, in Node, tfjs-node where the
 * app has installed it, then WASM, then plain JavaScript; in browsers WebGPU, WASM, plain JavaScript. A backend asked
 * for by name is used or refused, never replaced. Compiled functions do not depend on it.
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
    const problem = await tryBackend(name)
    if (problem) throw unavailable(name, problem)
    return { requested: name, backend: name, reason: `${name} was asked for: ${BACKENDS[name].praise}.`, skipped: [] }
  }
  const order = isNode() ? (['node', 'wasm', 'cpu'] as const) : (['webgpu', 'wasm', 'cpu'] as const)
  const skipped: { backend: string; reason: string }[] = []
  for (const backend of order) {
    const problem = await tryBackend(backend)
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

async function tryBackend(name: Exclude<BackendName, 'auto'>): Promise<Problem | undefined> {
  const backend = BACKENDS[name]
  const unfit = backend.unfit()
  if (unfit) return { reason: unfit }
  try {
    await backend.load()
  } catch (cause) {
    return { reason: `${backend.install} is not installed or does not load`, cause }
  }
  try {
    if (await tf.setBackend(backend.registered)) return undefined
  } catch (cause) {
    return { reason: 'it could not be started', cause }
  }
  return { reason: 'it could not be started' }
}

function unavailable(name: BackendName, { reason, cause }: Problem): RegimenError {
  const install = name === 'auto' ? '' : ` (npm install ${BACKENDS[name].install})`
  return new RegimenError(`the backend ${name} cannot be used: ${reason}.`, {
    code: 'BACKEND_UNAVAILABLE',
    where: 'tensor/backends',
    hint: `Install it${install}, or call useBackend('auto').`,
    ...(cause === undefined ? {} : { cause }),
  })
}

async function loadWasm(): Promise<void> {
  const wasm = await import('@tensorflow/tfjs-backend-wasm')
  if (isNode()) return
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
}

function hasGpu(): boolean {
  return typeof navigator === 'object' && 'gpu' in navigator
}
