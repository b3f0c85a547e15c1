import { RegimenError } from '../errors.ts'

/** The part of a web worker that a pool uses. */
export interface WorkerLike {
  postMessage(message: unknown, transfer: Transferable[]): void
  terminate(): void
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
  addEventListener(type: 'error' | 'messageerror', listener: (event: { message?: string }) => void): void
}

/** A worker of either kind. After `stop` neither listener is called again. */
export interface Thread {
  post(message: unknown, transfer: Transferable[]): void
  stop(): Promise<void>
  /** Whether the thread keeps the process alive. */
  hold(busy: boolean): void
}

export interface ThreadListener {
  message(data: unknown): void
  /** The worker died by itself. */
  death(problem: string, cause?: unknown): void
}

interface NodeWorker {
  postMessage(message: unknown, transfer: readonly unknown[]): void
  terminate(): Promise<number>
  on(event: 'message' | 'messageerror' | 'error', listener: (value: unknown) => void): void
  on(event: 'exit', listener: (code: number) => void): void
  ref(): void
  unref(): void
}

interface NodeThreads {
  Worker: new (source: string, options: { eval: true; name: string }) => NodeWorker
  parentPort: NodePort | null
}

/** A thread's own end of the line, in Node. */
export interface NodePort {
  postMessage(message: unknown, transfer: readonly unknown[]): void
  on(event: 'message', listener: (message: unknown) => void): void
}

/** Node's threads; undefined in a browser. Asked for at run time, so that no bundler sees an import. */
export function nodeThreads(): NodeThreads | undefined {
  return builtin<NodeThreads>('worker_threads')
}

/** How many workers a machine can keep busy. */
export function parallelism(): number {
  const os = builtin<{ availableParallelism(): number }>('os')
  return Math.max(1, os?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1)
}

function builtin<T>(name: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }
  return process?.getBuiltinModule?.(name) as T | undefined
}

/** Starts a worker that imports `module` and serves its exported `handle`. */
export function startThread(module: string, listener: ThreadListener): Thread {
  const source = bootstrap(module)
  const threads = nodeThreads()
  if (threads) return startNodeThread(new threads.Worker(source, { eval: true, name: 'regimen' }), listener)
  if (typeof Worker !== 'function') {
    throw new RegimenError('this platform has no workers.', {
      code: 'NO_WORKERS',
      where: 'core/workers',
      hint: 'Run the tasks in the main thread.',
    })
  }
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
  const thread = startWebThread(new Worker(url, { type: 'module' }), listener)
  return {
    ...thread,
    async stop() {
      URL.revokeObjectURL(url)
      await thread.stop()
    },
  }
}

/** Wraps a worker that the app has started, whose module calls `serve`. */
export function startWebThread(worker: WorkerLike, listener: ThreadListener): Thread {
  let alive = true
  const death = (event: { message?: string }): void => {
    if (alive) listener.death(event.message || 'the worker could not be started')
  }
  worker.addEventListener('message', ({ data }) => {
    if (alive) listener.message(data)
  })
  worker.addEventListener('error', death)
  worker.addEventListener('messageerror', death)
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    hold: () => {},
    async stop() {
      alive = false
      worker.terminate()
    },
  }
}

function startNodeThread(worker: NodeWorker, listener: ThreadListener): Thread {
  let alive = true
  const death = (problem: string, cause?: unknown): void => {
    if (!alive) return
    alive = false
    listener.death(problem, cause)
  }
  worker.on('message', (data) => {
    if (alive) listener.message(data)
  })
  worker.on('messageerror', (error) => death('its answer could not be read', error))
  worker.on('error', (error) => death(error instanceof Error ? error.message : String(error), error))
  worker.on('exit', (code) => death(`the worker exited with code ${code}`))
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    hold: (busy) => (busy ? worker.ref() : worker.unref()),
    async stop() {
      alive = false
      await worker.terminate()
    },
  }
}

// A worker must be able to start before it can import anything of ours, so this repeats serve.ts as plain text. Messages
// that arrive during the import are kept.
function bootstrap(module: string): string {
  return `
const port = globalThis.process?.getBuiltinModule?.('worker_threads')?.parentPort ?? globalThis
const waiting = []
let handle
const plain = (error) => error instanceof Error
  ? { name: error.name, message: error.message, stack: error.stack }
  : { name: 'Error', message: String(error) }
const work = async ({ task, item, index, attempt, data }) => {
  const buffers = []
  try {
    const value = await handle(item, { index, attempt, data, transfer: (...more) => buffers.push(...more) })
    port.postMessage({ task, value }, buffers)
  } catch (error) {
    port.postMessage({ task, error: plain(error) }, [])
  }
}
const receive = (message) => (handle ? work(message) : waiting?.push(message))
if (port.on) port.on('message', receive)
else port.onmessage = (event) => receive(event.data)
import(${JSON.stringify(module)}).then((module) => {
  if (typeof module.handle !== 'function') throw new TypeError('the worker module exports no function "handle"')
  handle = module.handle
  port.postMessage({ ready: true }, [])
  for (const message of waiting.splice(0)) work(message)
}).catch((error) => port.postMessage({ fatal: plain(error) }, []))
`
}
