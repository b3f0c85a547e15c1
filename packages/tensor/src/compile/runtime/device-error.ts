import { RegimenError } from '@regimen/core'
import type { DeviceName } from './runtime.ts'

type DeviceCode = 'NO_DEVICE' | 'DEVICE_MEMORY' | 'DEVICE_LOST'

/** What the runtimes say in each case, first match first: a lost device often reports failed allocations too. */
const MESSAGES: readonly (readonly [DeviceCode, RegExp])[] = [
  [
    'DEVICE_LOST',
    /device (was |is |has been )?lost|DeviceLost|DEVICE_LOST|has fallen off the bus|GPU (process|reset)/i,
  ],
  [
    'DEVICE_MEMORY',
    /out[ _]?of[ _]?(device )?memory|OutOfMemory|bad_alloc|failed to allocate|allocation failed|exceeds the max|max(StorageBufferBinding|Buffer)Size|buffer size .*(exceed|larger|too large)/i,
  ],
  [
    'NO_DEVICE',
    /WebGPU adapter|No supported adapters|WebGPU is not (supported|available)|navigator\.gpu|no available backend|libonnxruntime_providers_cuda|CUDA-capable|CUDA driver|execution provider .*(not|unsupported)|backend not found/i,
  ],
]

const HINTS: Readonly<Record<DeviceCode, string>> = {
  NO_DEVICE:
    "Use a machine, browser or driver that offers one, or { device: 'auto' }, which takes the CPU where there is none.",
  DEVICE_MEMORY: "Use smaller batches or fewer tasks at a time, close other compiled functions, or { device: 'cpu' }.",
  DEVICE_LOST:
    'Arguments in plain arrays are intact: call again, which starts anew, or train on from the last checkpoint.',
}

const PROBLEMS: Readonly<Record<DeviceCode, string>> = {
  NO_DEVICE: 'cannot be used here',
  DEVICE_MEMORY: 'ran out of memory',
  DEVICE_LOST: 'was lost while it worked',
}

/** A runtime's error as a clear one where it is the device's fault; any other comes back as it is. */
export function asDeviceError(cause: unknown, device: DeviceName): unknown {
  if (device === 'cpu' || cause instanceof RegimenError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  const code = MESSAGES.find(([, pattern]) => pattern.test(message))?.[0]
  return code === undefined ? cause : deviceError(code, device, lastSentence(message), cause)
}

/** The error for a device that failed, with the way out. */
export function deviceError(code: DeviceCode, device: DeviceName, why: string, cause?: unknown): RegimenError {
  return new RegimenError(`the device ${device} ${PROBLEMS[code]}: ${why.replace(/\.$/, '')}.`, {
    code,
    where: 'tensor/compile',
    hint: HINTS[code],
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Runtimes put the place in their own source before what happened. */
function lastSentence(message: string): string {
  const told = message.split(/ was false\. | Status Message: |ERR: /).at(-1)!
  return (told.split('\n')[0] ?? told).trim().slice(0, 300)
}
