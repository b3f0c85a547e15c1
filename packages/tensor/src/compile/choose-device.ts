import { RegimenError, systemClock } from '@regimen/core'
import { packArrays } from './pack.ts'
import type { Program } from './program.ts'
import { DeviceArray } from './runtime/device-array.ts'
import { asDeviceError } from './runtime/device-error.ts'
import type { DeviceName, Runtime, RuntimeArray, Session } from './runtime/runtime.ts'

/** What a compiled function runs on, and why. */
export interface DeviceReport {
  readonly chosen: DeviceName
  /** The part of the runtime that computes: `cpu`, `wasm`, `webgpu` or `cuda`. */
  readonly provider: string
  /** One sentence for a log. */
  readonly reason: string
  /** Milliseconds of a call on each device that was measured. */
  readonly milliseconds: Readonly<Partial<Record<DeviceName, number>>>
}

/** A device on which a graph may run, and how to start it there. */
export interface Candidate {
  readonly program: Program
  readonly runtime: Runtime
  start(): Promise<Session>
}

/** A graph that runs, and on what. */
export interface Opened {
  readonly candidate: Candidate
  readonly session: Session
  readonly report: DeviceReport
}

/** A device is measured for this long at most, and at least once after a first call that warms it up. */
const MEASURE_MS = 50
const MEASURE_RUNS = 20

/** Starts the one device that was asked for. */
export async function openOnly(candidate: Candidate): Promise<Opened> {
  const { program, runtime } = candidate
  try {
    const session = await candidate.start()
    const reason = `${program.device} was asked for.`
    const report = { chosen: program.device, provider: runtime.provider, reason, milliseconds: {} }
    return { candidate, session, report }
  } catch (cause) {
    throw asDeviceError(cause, program.device)
  }
}

/**
 * Runs the graph on every device, with the call's own inputs, and keeps the fastest. The first is the CPU, which must
 * work; another that fails in any way is passed over.
 */
export async function openFastest(
  candidates: readonly Candidate[],
  inputs: readonly (RuntimeArray | DeviceArray)[],
): Promise<Opened> {
  const milliseconds: Partial<Record<DeviceName, number>> = {}
  const failures: string[] = []
  let best: { candidate: Candidate; session: Session; time: number } | undefined
  for (const candidate of candidates) {
    const { device } = candidate.program
    let session: Session | undefined
    try {
      session = await candidate.start()
      const time = await measure(session, candidate.program, inputs)
      milliseconds[device] = time
      if (best && best.time <= time) await session.dispose()
      else {
        await best?.session.dispose()
        best = { candidate, session, time }
      }
    } catch (cause) {
      await session?.dispose().catch(() => undefined)
      if (device === 'cpu') throw cause
      const error = asDeviceError(cause, device)
      failures.push(
        error instanceof RegimenError ? `${device} ${error.code}` : `${device}: ${(cause as Error).message}`,
      )
    }
  }
  const { candidate, session } = best!
  const chosen = candidate.program.device
  const measured = Object.entries(milliseconds).map(([device, time]) => `${device} ${time.toFixed(3)} ms`)
  const failed = failures.length > 0 ? `; passed over ${failures.join(', ')}` : ''
  const reason = `${chosen} is the fastest that works here (${measured.join(', ')} a call${failed}).`
  return { candidate, session, report: { chosen, provider: candidate.runtime.provider, reason, milliseconds } }
}

/** Milliseconds of a call: the best of several, because other work only ever slows a call down. */
async function measure(
  session: Session,
  program: Program,
  inputs: readonly (RuntimeArray | DeviceArray)[],
): Promise<number> {
  const packed = packArrays(inputs, program.packing.inputs, new Float32Array(program.buffer.length))
  const call = async (): Promise<void> => finish(await session.run(packed))
  await call()
  const began = systemClock.monotonic()
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < MEASURE_RUNS; run++) {
    const started = systemClock.monotonic()
    await call()
    const ended = systemClock.monotonic()
    best = Math.min(best, ended - started)
    if (ended - began > MEASURE_MS) break
  }
  return best
}

/** Waits until the numbers are there: a card that keeps them answers before it has computed them. */
async function finish(results: readonly (RuntimeArray | DeviceArray)[]): Promise<void> {
  const kept = results.filter((result) => result instanceof DeviceArray)
  await kept[0]?.data()
  for (const result of kept) result.dispose()
}
