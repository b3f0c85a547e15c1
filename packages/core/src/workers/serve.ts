import { type NodePort, nodeThreads } from './platform.ts'

/** What a task knows about itself. */
export interface TaskContext<Data = unknown> {
  /** The item's place in the list: derive seeds from it, never from the worker. */
  readonly index: number
  /** 1 for the first attempt. */
  readonly attempt: number
  /** The pool's `data`. */
  readonly data: Data
  /** Hands buffers of the answer over instead of copying them; they are gone in the worker. */
  transfer(...buffers: Transferable[]): void
}

/** What a worker does with an item. */
export type Handler<Item = unknown, Result = unknown, Data = unknown> = (
  item: Item,
  context: TaskContext<Data>,
) => Result | Promise<Result>

/** A task on its way to a worker. */
export interface TaskMessage {
  readonly task: number
  readonly item: unknown
  readonly index: number
  readonly attempt: number
  readonly data: unknown
}

/** What comes back: an answer, a thrown error, or the news that the module was loaded or could not be. */
export type Answer =
  | { readonly task: number; readonly value: unknown }
  | { readonly task: number; readonly error: PlainError }
  | { readonly fatal: PlainError }
  | { readonly ready: true }

export interface PlainError {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

/**
 * Serves a pool's tasks from inside a worker that the app starts itself: `createPool({ worker: () => new Worker(new
 * URL('./task.js', import.meta.url), { type: 'module' }) })`, which is the form that bundlers follow. A module that is only
 * named to the pool (`createPool({ module })`) needs no import: it exports a function called `handle`. Outside a worker it
 * does nothing.
 *
 * ```ts
 * import { serve } from '@regimen/core/workers'
 *
 * serve((item: { low: number; high: number }, { index }) => (item.low + item.high) / 2 + index)
 * ```
 */
export function serve<Item, Result, Data = unknown>(handle: Handler<Item, Result, Data>): void {
  const threads = nodeThreads()
  const port = threads ? threads.parentPort : webPort()
  if (!port) return
  port.on('message', async (message) => {
    const { task, item, index, attempt, data } = message as TaskMessage
    const buffers: Transferable[] = []
    const transfer = (...more: Transferable[]): void => void buffers.push(...more)
    try {
      // The pool and the worker's author agree on these types; a message carries none.
      const value = await handle(item as Item, { index, attempt, data: data as Data, transfer })
      port.postMessage({ task, value }, buffers)
    } catch (error) {
      port.postMessage({ task, error: plain(error) }, [])
    }
  })
  port.postMessage({ ready: true }, [])
}

interface WorkerScope {
  readonly importScripts?: unknown
  postMessage(message: unknown, transfer: readonly unknown[]): void
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
}

function webPort(): NodePort | undefined {
  const scope = globalThis as unknown as WorkerScope
  if (scope.importScripts === undefined) return undefined
  return {
    postMessage: (message, transfer) => scope.postMessage(message, transfer),
    on: (_, listener) => scope.addEventListener('message', ({ data }) => listener(data)),
  }
}

function plain(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { name, message, stack } = error
  return { name, message, ...(stack === undefined ? {} : { stack }) }
}
