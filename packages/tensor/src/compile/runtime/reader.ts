import type * as Ort from 'onnxruntime-node'
import type { TensorDtype } from '../../tree.ts'
import type { ElementType } from '../graph.ts'
import { writeOnnx } from '../onnx.ts'
import type { Numbers } from '../signature.ts'

/** Copies buffers of a card into plain memory. */
export interface Reader {
  read(tensor: Ort.Tensor): Promise<Numbers>
  /** Waits until the card has done what was asked of it so far, by way of the results asked for last. */
  wait(results: readonly Ort.Tensor[]): Promise<void>
}

/** What is used of WebGPU's devices, whose types Node does not have. */
interface Card {
  readonly queue: { onSubmittedWorkDone(): Promise<void>; submit(commands: readonly unknown[]): void }
  createBuffer(form: { readonly size: number; readonly usage: number }): CardBuffer
  createCommandEncoder(): {
    copyBufferToBuffer(from: unknown, at: number, to: CardBuffer, toAt: number, size: number): void
    finish(): unknown
  }
}

interface CardBuffer {
  mapAsync(mode: number): Promise<void>
  getMappedRange(): ArrayBuffer
  destroy(): void
}

/**
 * Opens the reader of a card. In browsers the buffer is copied: the runtime's own reading would move the tensor off the
 * card, and never free its buffer if it is passed on. In Node reading would abort the process, so a graph that does nothing
 * takes the buffer in and gives plain memory out. That graph's session is never closed: it also keeps
 * the card's memory alive, which ends with the last session.
 */
export async function openReader(ort: typeof Ort, byGraph: boolean): Promise<Reader> {
  if (!byGraph) {
    const card = (await ort.env.webgpu.device) as unknown as Card
    return { read: (tensor) => copyFrom(card, tensor), wait: () => card.queue.onSubmittedWorkDone() }
  }
  const sessions = new Map<TensorDtype, Promise<Ort.InferenceSession>>()
  const sessionFor = (dtype: TensorDtype): Promise<Ort.InferenceSession> => {
    let session = sessions.get(dtype)
    if (!session) {
      session = ort.InferenceSession.create(copyOf(dtype), { executionProviders: ['webgpu'], logSeverityLevel: 4 })
      sessions.set(dtype, session)
    }
    return session
  }
  await sessionFor('float32')
  const read = async (tensor: Ort.Tensor): Promise<Numbers> => {
    const dtype = tensor.type as TensorDtype
    const session = await sessionFor(dtype)
    const flat = ort.Tensor.fromGpuBuffer(tensor.gpuBuffer as Ort.Tensor.GpuBufferType, {
      dataType: dtype,
      dims: [tensor.size],
    })
    return (await session.run({ in: flat })).out!.data as Numbers
  }
  return {
    read,
    async wait(results) {
      const onCard = results.filter(({ location, size }) => location === 'gpu-buffer' && size > 0)
      if (onCard.length > 0) await read(onCard.reduce((a, b) => (b.size < a.size ? b : a)))
    },
  }
}

async function copyFrom(card: Card, tensor: Ort.Tensor): Promise<Numbers> {
  const Numbers = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[tensor.type as TensorDtype]
  const bytes = tensor.size * Numbers.BYTES_PER_ELEMENT
  const size = Math.ceil(bytes / 4) * 4
  const copy = card.createBuffer({ size, usage: COPY_DST | MAP_READ })
  try {
    const encoder = card.createCommandEncoder()
    encoder.copyBufferToBuffer(tensor.gpuBuffer, 0, copy, 0, size)
    card.queue.submit([encoder.finish()])
    await copy.mapAsync(MODE_READ)
    return new Numbers(copy.getMappedRange().slice(0, bytes))
  } finally {
    copy.destroy()
  }
}

/** An ONNX model that copies a vector of any length. */
function copyOf(type: ElementType): Uint8Array {
  const value = (id: number) => ({ id, shape: [ANY], type })
  const nodes = [{ op: 'Identity', inputs: [0], outputs: [1], attrs: {} }]
  const graph = { values: [value(0), value(1)], nodes, inputs: [0], outputs: [1] }
  return writeOnnx(graph, { inputs: ['in'], outputs: ['out'] })
}

const ANY = -1
// WebGPU's flags.
const COPY_DST = 8
const MAP_READ = 1
const MODE_READ = 1
