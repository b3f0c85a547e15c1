import type { DeviceName, Runtime } from '../../src/compile/runtime/runtime.ts'

/** A card of our own making: it computes on the CPU, and fails when told. */
export interface FakeCard {
  /** Thrown by the next start or run, in the words of a real runtime. */
  failStart?: string
  failRun?: string
  /** Runs that succeed before `failRun` strikes; it strikes once. */
  runsBefore?: number
  /** Called at every run, with the device: moves the clock. */
  onRun?: (device: DeviceName) => void
  started: number
  disposed: number
  runs: number
}

type FindRuntime = (device: DeviceName) => Promise<Runtime | undefined>

/** A stand-in for `findRuntime` whose `gpu` and `cuda` are the given card; `cpu` is the real one. */
export function fakeRuntimes(card: FakeCard, findReal: FindRuntime): FindRuntime {
  return async (device) => {
    const real = (await findReal('cpu'))!
    return {
      name: real.name,
      provider: device === 'gpu' ? 'webgpu' : device,
      start: async (model, options) => {
        const isCard = device !== 'cpu'
        if (isCard && card.failStart) throw new Error(card.failStart)
        const session = await real.start(model, options)
        if (isCard) card.started++
        return {
          run: async (inputs) => {
            card.onRun?.(device)
            if (isCard && card.failRun && card.runs++ === (card.runsBefore ?? 0)) throw new Error(card.failRun)
            return session.run(inputs)
          },
          dispose: async () => {
            if (isCard) card.disposed++
            await session.dispose()
          },
        }
      },
    }
  }
}
