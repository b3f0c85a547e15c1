/** What a page holds beside its tensors. */
export interface Held {
  /** Bytes of the scripts' objects, garbage collected before. */
  readonly heap: number
  /** Bytes of WebAssembly's memories, which only ever grow. */
  readonly wasm: number
  /** Buffers of the card that are neither destroyed nor collected. */
  readonly buffers: number
}

interface CardBuffer {
  destroy(): void
}
interface Card {
  createBuffer(...args: unknown[]): CardBuffer
}
interface Page {
  readonly gc: () => void
  readonly performance: { readonly memory: { readonly usedJSHeapSize: number } }
  readonly GPUDevice?: { readonly prototype: Card }
  readonly GPUBuffer?: { readonly prototype: CardBuffer }
}

/** Watches a page from now on, and says what it holds; start it before what is to be watched. */
export function watchMemory(): () => Promise<Held> {
  const page = globalThis as unknown as Page
  const memories = new Set<WebAssembly.Memory>()
  WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
    construct(target, args: [WebAssembly.MemoryDescriptor]) {
      const memory = new target(...args)
      memories.add(memory)
      return memory
    },
  })
  for (const name of ['instantiate', 'instantiateStreaming'] as const) {
    const plain = WebAssembly[name] as (...args: unknown[]) => Promise<WebAssembly.WebAssemblyInstantiatedSource>
    Object.assign(WebAssembly, {
      [name]: async (...args: unknown[]) => {
        const source = await plain(...args)
        for (const value of Object.values((source.instance ?? source).exports ?? {})) {
          if (value instanceof WebAssembly.Memory) memories.add(value)
        }
        return source
      },
    })
  }
  let buffers = 0
  const gone = new FinalizationRegistry<undefined>(() => {
    buffers--
  })
  if (page.GPUDevice && page.GPUBuffer) {
    const [{ createBuffer }, { destroy }] = [page.GPUDevice.prototype, page.GPUBuffer.prototype]
    page.GPUDevice.prototype.createBuffer = function (...args) {
      const buffer = createBuffer.apply(this, args)
      buffers++
      gone.register(buffer, undefined, buffer)
      return buffer
    }
    page.GPUBuffer.prototype.destroy = function () {
      if (gone.unregister(this)) buffers--
      destroy.call(this)
    }
  }
  return async () => {
    for (let turn = 0; turn < 5; turn++) {
      page.gc()
      await new Promise((done) => setTimeout(done))
    }
    const wasm = [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0)
    return { heap: page.performance.memory.usedJSHeapSize, wasm, buffers }
  }
}
