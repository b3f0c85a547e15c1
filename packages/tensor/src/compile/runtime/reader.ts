import type * as Ort from 'onnxruntime-node'
import type { TensorDtype } from '../../tree.ts'
import type { ElementType } from '../graph.ts'
import { writeOnnx } from '../onnx.ts'
import type { Numbers } from '../signature.ts'

/** Copies buffers of a card into plain memory. */
export interface Reader {
  read(tensor: Ort.Tensor): Promise<Numbers>
}

/**
 * Opens the reader of a card. In browsers the runtime reads by itself. In Node it would abort the process, so a graph
 * that does nothing takes the buffer in and gives plain memory out. That graph's session is never closed: it also keeps
 * the card's memory alive, which ends with the last session.
 */
export async function openReader(ort: typeof Ort, byGraph: boolean): Promise<Reader> {
  if (!byGraph) return { read: async (tensor) => (await tensor.getData()) as Numbers }
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
  return {
    async read(tensor) {
      const dtype = tensor.type as TensorDtype
      const session = await sessionFor(dtype)
      const flat = ort.Tensor.fromGpuBuffer(tensor.gpuBuffer as Ort.Tensor.GpuBufferType, {
        dataType: dtype,
        dims: [tensor.size],
      })
      return (await session.run({ in: flat })).out!.data as Numbers
    },
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
