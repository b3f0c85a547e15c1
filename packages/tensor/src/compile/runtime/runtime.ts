import type { TensorDtype } from '../../tree.ts'
import type { Numbers } from '../signature.ts'
import type { DeviceArray } from './device-array.ts'

/** What a graph runs on. `gpu` is WebGPU, on any card; `cuda` is NVIDIA's library, where the app has installed it. */
export type DeviceName = 'cpu' | 'gpu' | 'cuda'

/** What runs a graph. One small interface, so that Node, browsers and cards differ in one file each. */
export interface Runtime {
  /** Name and version, for reports and cache keys. */
  readonly name: string
  /** What inside the runtime computes: `cpu`, `wasm`, `webgpu` or `cuda`. */
  readonly provider: string
  start(model: Uint8Array, options: SessionOptions): Promise<Session>
}

/** How a session is started. */
export interface SessionOptions {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Threads inside one operation. */
  readonly threads: number
  /** Whether the runtime rewrites the graph on its own before it runs it: slow to start, faster to run. */
  readonly rewrite: boolean
  /** Whether the graph computes so much at once that its memory counts more than the time to ask for it. @default false */
  readonly large?: boolean
  /** Whether results stay on the device, as {@link DeviceArray}s. @default false */
  readonly keep?: boolean
  /** File to which the runtime writes the graph as it optimized it. */
  readonly saveOptimized?: string
  /** File (without its ending) for the runtime's own profile; for tuning. */
  readonly profile?: string
}

/** One array that enters or leaves a session. */
export interface RuntimeArray {
  readonly dtype: TensorDtype
  readonly shape: readonly number[]
  readonly data: Numbers
}

/** A graph that is ready to run. */
export interface Session {
  /** Results are {@link DeviceArray}s where the session keeps them, plain arrays elsewhere. */
  run(inputs: readonly (RuntimeArray | DeviceArray)[]): Promise<(RuntimeArray | DeviceArray)[]>
  dispose(): Promise<void>
}
