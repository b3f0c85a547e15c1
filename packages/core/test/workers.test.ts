import { RegimenError } from '@regimen/core'
import { createPool, type Pool, type PoolOptions, serve } from '@regimen/core/workers'
import { afterEach, describe, expect, it } from 'vitest'

type Item = { do?: string; x?: unknown; wait?: number; f?: unknown }

const module = new URL('./fixtures/task.mjs', import.meta.url)
const open: Pool<Item, unknown>[] = []
const pool = (options: Partial<PoolOptions<Item, unknown>> = {}): Pool<Item, unknown> => {
  const made = createPool<Item, unknown>({ module, size: 2, ...options })
  open.push(made)
  return made
}
afterEach(async () => {
  for (const made of open.splice(0)) await made.dispose()
})

describe('createPool', () => {
  it('gives results in the order of the items, whatever finishes first', async () => {
    const items = [30, 0, 20, 0, 10, 0].map((wait, x) => ({ do: 'square', x, wait }))
    const done: number[] = []
    const squares = await pool().map(items, { onProgress: (progress) => done.push(progress.done) })
    expect(squares).toEqual([0, 1, 4, 9, 16, 25])
    expect(done.at(-1)).toBe(6)
    expect(await pool({ size: 1 }).map(items)).toEqual(squares)
    expect(await pool().map([])).toEqual([])
  })

  it('passes NaN, −0, bigints and typed arrays through unchanged', async () => {
    const items = [Number.NaN, -0, 2n ** 70n, new Float64Array([Number.NaN, 1])].map((x) => ({ x }))
    expect(await pool().map(items)).toEqual(items.map(({ x }) => x))
  })

  it('tells a task its place, its attempt and the shared data', async () => {
    const data = { rate: 0.1 }
    expect(await pool({ data }).map([{ do: 'context' }, { do: 'context' }])).toEqual([
      { index: 0, attempt: 1, data },
      { index: 1, attempt: 1, data },
    ])
  })

  it('rejects with the first failure in input order', async () => {
    const items = [{ do: 'square', x: 1, wait: 30 }, { do: 'throw', x: 'A' }, { do: 'throw', x: 'B' }, { x: 1 }]
    const outcome = pool().map(items)
    await expect(outcome).rejects.toThrow('[core/workers] task 1 failed: no A.')
    await expect(outcome).rejects.toBeInstanceOf(RegimenError)
    await expect(outcome).rejects.toMatchObject({ code: 'TASK_FAILED', cause: { name: 'RangeError', message: 'no A' } })
  })

  it('records failures where that is asked for', async () => {
    const items = [{ do: 'throw', x: 1 }, { x: 2 }, { do: 'throw text' }, { do: 'function' }, { f: () => 1 }, { x: 5 }]
    const settled = await pool({ retries: 1 }).settled(items)
    expect(settled.map((one) => (one.status === 'done' ? one.value : one.attempts))).toEqual([2, 2, 2, 2, 1, 5])
    const problems = settled.map((one) => (one.status === 'failed' ? one.error.message : ''))
    expect(problems[0]).toBe('[core/workers] task 0 failed in each of 2 attempts, at last: no 1.')
    expect(problems[2]).toContain('just text')
    expect(problems[3]).toContain('could not be cloned')
    expect(problems[4]).toContain('task 4 failed: it could not be sent')
  })

  it('terminates a worker that hangs, and goes on with another', async () => {
    const hanging = pool({ timeoutMs: 300, size: 1 })
    const settled = await hanging.settled([{ x: 1 }, { do: 'hang' }, { x: 3 }])
    expect(settled.map(({ status }) => status)).toEqual(['done', 'failed', 'done'])
    expect(settled[1]).toMatchObject({
      error: { message: '[core/workers] task 1 failed: it took longer than 300 ms.' },
    })
    // The worker that answers now is a new one: it has served one other task since it started, and not two.
    expect(await hanging.map([{ do: 'served' }])).toEqual([2])
  })

  it('retries after a hang and after an exit', async () => {
    const settled = await pool({ timeoutMs: 300, retries: 1 }).settled([{ do: 'hang once' }, { do: 'exit once' }])
    expect(settled).toEqual([
      { status: 'done', value: { attempt: 2 } },
      { status: 'done', value: { attempt: 2 } },
    ])
  })

  it('survives a worker that exits', async () => {
    const settled = await pool({ size: 1 }).settled([{ do: 'exit' }, { x: 2 }])
    expect(settled[0]).toMatchObject({
      error: { message: '[core/workers] task 0 failed: the worker exited with code 3.' },
    })
    expect(settled[1]).toEqual({ status: 'done', value: 2 })
  })

  it('hands buffers over in both directions', async () => {
    const x = new Float64Array([1, 2])
    const answer = await pool({ transfer: (item) => [(item.x as Float64Array).buffer as ArrayBuffer] }).map([
      { do: 'buffer', x },
    ])
    expect(answer).toEqual([new Float64Array([2, 2])])
    expect(x.length).toBe(0)
  })

  it('stops a call that is aborted and stays usable', async () => {
    const both = pool()
    const stop = new AbortController()
    const outcome = both.map([{ do: 'hang' }, { do: 'hang' }, { x: 1 }], { signal: stop.signal })
    const other = both.map([{ x: 7 }])
    stop.abort(new Error('changed my mind'))
    await expect(outcome).rejects.toThrow('changed my mind')
    expect(await other).toEqual([7])
    await expect(both.map([{ x: 1 }], { signal: stop.signal })).rejects.toThrow('changed my mind')
  })

  it('rejects what is unfinished when it is disposed, or its signal aborted', async () => {
    const first = pool()
    const outcome = first.map([{ do: 'hang' }])
    const rejected = expect(outcome).rejects.toThrow('[core/workers] the pool was disposed. Open a new one.')
    await first.dispose()
    await rejected
    await expect(first.map([{ x: 1 }])).rejects.toMatchObject({ code: 'DISPOSED' })

    const stop = new AbortController()
    const second = pool({ signal: stop.signal })
    const running = expect(second.map([{ do: 'hang' }])).rejects.toThrow('shutting down')
    stop.abort(new Error('shutting down'))
    await running
  })

  it('says what is wrong with a module', async () => {
    const missing = pool({ module: new URL('./fixtures/missing.mjs', import.meta.url) })
    await expect(missing.map([{}])).rejects.toThrow('module could not be loaded: Cannot find module')
    const without = pool({ module: new URL('./fixtures/no-handle.mjs', import.meta.url) })
    await expect(without.map([{}])).rejects.toThrow('exports no function "handle"')
  })

  it('limits the start of a worker apart from its tasks', async () => {
    const module = 'data:text/javascript,await new Promise(() => setInterval(() => {}, 1e6)); export const handle = 1'
    const never = pool({ module, startTimeoutMs: 200, timeoutMs: 20 })
    await expect(never.map([{}])).rejects.toThrow('task 0 failed: the worker took longer than 200 ms to start.')
  })

  it('refuses impossible options', () => {
    expect(() => pool({ size: 0 })).toThrow('size must be an integer from 1, got 0')
    expect(() => pool({ retries: -1 })).toThrow('retries must be an integer from 0, got -1')
    expect(() => pool({ timeoutMs: 0 })).toThrow('timeoutMs must be above 0')
    expect(() => pool({ module: './task.mjs' })).toThrow('module must be a full URL, got "./task.mjs"')
    expect(() => createPool({})).toThrow('exactly one of module and worker')
    expect(() => pool({ retries: 1, transfer: () => [] })).toThrow('transfer goes with retries 0')
  })
})

describe('a worker that the app starts', () => {
  // A web worker by hand: two ends joined by a task queue, as the browser does it.
  const webWorker = (handle: (message: { task: number; item: Item }) => unknown) => {
    const listeners = new Map<string, (event: { data: unknown; message?: string }) => void>()
    return {
      terminated: false,
      postMessage(message: unknown) {
        queueMicrotask(() => {
          try {
            listeners.get('message')?.({ data: { ready: true } })
            listeners.get('message')?.({ data: handle(message as { task: number; item: Item }) })
          } catch (error) {
            listeners.get('error')?.({ data: undefined, message: (error as Error).message })
          }
        })
      },
      terminate() {
        this.terminated = true
      },
      addEventListener(type: string, listener: (event: { data: unknown; message?: string }) => void) {
        listeners.set(type, listener)
      },
    }
  }

  it('is used in place of a module', async () => {
    const made: { terminated: boolean }[] = []
    const worker = () => {
      const one = webWorker(({ task, item }) => {
        if (item.do === 'throw') throw new Error('syntax error in the script')
        return { task, value: [item.x] }
      })
      made.push(one)
      return one
    }
    const own = createPool<Item, unknown>({ worker, size: 1 })
    expect(await own.map([{ x: 1 }, { x: 2 }])).toEqual([[1], [2]])
    const settled = await own.settled([{ do: 'throw' }, { x: 3 }])
    expect(settled.map(({ status }) => status)).toEqual(['failed', 'done'])
    await own.dispose()
    expect(made.map(({ terminated }) => terminated)).toEqual([false, true])
  })

  it('serves nothing outside a worker', () => {
    expect(serve(() => 1)).toBeUndefined()
  })
})
