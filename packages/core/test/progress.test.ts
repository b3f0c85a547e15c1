import {
  createPacer,
  manualClock,
  type Progress,
  reportProgress,
  throwIfAborted,
  yieldToEventLoop,
} from '@regimen/core'
import { describe, expect, it } from 'vitest'

// Browsers have no setImmediate; there a timer of 0 ms is what the pacer itself waits for.
const soon: (run: () => void) => unknown = globalThis.setImmediate ?? ((run) => setTimeout(run, 0))

describe('reportProgress', () => {
  it('reports the first, one an interval, and the last', () => {
    const clock = manualClock()
    const seen: Progress[] = []
    const report = reportProgress((progress) => seen.push(progress), { total: 10, interval: 30, clock })
    for (let done = 1; done <= 10; done++) {
      report(done, `step ${done}`)
      clock.advance(10)
    }
    // Steps come at 0, 10, …, 90 ms: reported at 0, 30, 60 and 90 ms, and the last is the tenth.
    expect(seen.map(({ done }) => done)).toEqual([1, 4, 7, 10])
    expect(seen[0]).toEqual({ done: 1, total: 10, message: 'step 1' })
  })

  it('reports the last even within the interval, and works without a total or a listener', () => {
    const clock = manualClock()
    const seen: Progress[] = []
    const report = reportProgress((progress) => seen.push(progress), { total: 2, clock })
    report(1)
    report(2)
    expect(seen.map(({ done }) => done)).toEqual([1, 2])
    const open: Progress[] = []
    reportProgress((progress) => open.push(progress), { clock })(5)
    expect(open).toEqual([{ done: 5 }])
    expect(reportProgress(undefined)(1)).toBeUndefined()
  })
})

describe('abort and pace', () => {
  it('throws the reason of the signal', () => {
    expect(throwIfAborted(undefined)).toBeUndefined()
    expect(throwIfAborted(new AbortController().signal)).toBeUndefined()
    expect(() => throwIfAborted(AbortSignal.abort(new Error('enough')))).toThrow('enough')
  })

  it('lets timers run', async () => {
    let ran = false
    setTimeout(() => {
      ran = true
    })
    for (let i = 0; i < 1_000 && !ran; i++) await yieldToEventLoop()
    expect(ran).toBe(true)
  })

  it('yields only after the interval, and notices an abort that came meanwhile', async () => {
    const clock = manualClock()
    const stop = new AbortController()
    const pacer = createPacer({ clock, signal: stop.signal, interval: 10 })
    let turns = 0
    soon(() => turns++)
    await pacer()
    expect(turns).toBe(0)
    clock.advance(10)
    await pacer()
    expect(turns).toBe(1)
    clock.advance(10)
    soon(() => stop.abort(new Error('stopped')))
    await expect(pacer()).rejects.toThrow('stopped')
    await expect(pacer()).rejects.toThrow('stopped')
  })
})
