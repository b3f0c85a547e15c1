import { RegimenError } from '@regimen/core'
import type { TensorDtype } from '../../tree.ts'
import type { Numbers } from '../signature.ts'
import type { DeviceName } from './runtime.ts'

/** How a runtime holds an array's numbers where it computes. */
export interface DeviceBuffer {
  /** What the runtime calls it. */
  readonly handle: unknown
  read(): Promise<Numbers>
  /** Absent where there is nothing to free. */
  free?(): void
}

// An array that nobody holds any more gives its memory back, in browsers too, where the runtime would not.
const forgotten = new FinalizationRegistry<DeviceBuffer>((buffer) => buffer.free?.())

/**
 * A result that stays where it was computed ({@link CompileOptions.outputs} is `device`). Pass it to the next call as it
 * is, read it with `data()` when the numbers are wanted, and `dispose()` of it when it is no longer needed; one that is
 * forgotten gives its memory back when it is collected.
 *
 * ```ts
 * import { compile, DeviceArray } from '@regimen/tensor'
 * import * as tf from '@tensorflow/tfjs-core'
 *
 * const square = compile((x: tf.Tensor) => tf.square(x), { outputs: 'device' })
 * const kept = await square(Float32Array.of(1, 2, 3))
 * kept instanceof DeviceArray // => true
 * Array.from(await kept.data()) // => [1, 4, 9]
 * kept.dispose()
 * await square.dispose()
 * ```
 */
export class DeviceArray {
  readonly dtype: TensorDtype
  readonly shape: readonly number[]
  /** Where the numbers are. `cpu` where the runtime cannot keep them on its device. */
  readonly device: DeviceName
  #buffer: DeviceBuffer | undefined

  constructor(dtype: TensorDtype, shape: readonly number[], device: DeviceName, buffer: DeviceBuffer) {
    this.dtype = dtype
    this.shape = shape
    this.device = device
    this.#buffer = buffer
    if (buffer.free) forgotten.register(this, buffer, this)
  }

  /** The numbers, copied from the device. */
  data(): Promise<Numbers> {
    return this.buffer.read()
  }

  /** Gives the memory back at once. */
  dispose(): void {
    if (!this.#buffer) return
    forgotten.unregister(this)
    this.#buffer.free?.()
    this.#buffer = undefined
  }

  /** @internal For the runtime that made it. */
  get buffer(): DeviceBuffer {
    if (this.#buffer) return this.#buffer
    throw new RegimenError(`an array of shape [${this.shape.join(', ')}] is used after it was disposed of.`, {
      code: 'DISPOSED',
      where: 'tensor/compile',
      hint: 'Dispose of what a call returned only when nothing needs it any more.',
    })
  }
}

/** Numbers in plain memory behind the same face, for devices that keep nothing. */
export function hostArray(dtype: TensorDtype, shape: readonly number[], data: Numbers): DeviceArray {
  return new DeviceArray(dtype, shape, 'cpu', { handle: data, read: async () => data })
}
