import '@tensorflow/tfjs'
import { writeFileSync } from 'node:fs'
import * as ort from 'onnxruntime-node'
import { test } from 'vitest'
import { compile, type TensorLeaf } from '../src/index.ts'
import { LOWERINGS } from '../src/compile/lower/index.ts'
import { relativeError } from './support/arrays.ts'
import { KERNEL_CASES } from './support/kernel-cases.ts'
test('gpu', async () => {
  const out: Record<string, unknown[]> = {}
  void LOWERINGS
  for (const { kernel, note, fn, inputs } of KERNEL_CASES) {
    const f = compile(fn)
    const expected = [await f(...inputs)].flat() as TensorLeaf[]
    const model = await f.toOnnx(inputs)
    await f.dispose()
    for (const strict of [true, false]) {
      let result: string
      try {
        const s = await ort.InferenceSession.create(model, { executionProviders: ['webgpu'], logSeverityLevel: 4, ...(strict ? { extra: { session: { disable_cpu_ep_fallback: '1' } } } : {}) })
        const feeds: Record<string, ort.Tensor> = {}
        s.inputNames.forEach((name) => { const l = inputs[Number(name)]!; feeds[name] = new ort.Tensor(l.dtype, l.data as Float32Array, l.shape as number[]) })
        const r = await s.run(feeds)
        const errs = s.outputNames.map((n, i) => relativeError(r[n]!.data as Float32Array, expected[i]!.data))
        await s.release()
        result = `${strict ? 'whole' : 'partly'} ${Math.max(...errs)}`
        ;(out[kernel] ??= []).push(`${note ?? ''}: ${result}`)
        break
      } catch (e) { result = 'fail ' + String((e as Error).message).slice(0, 140); if (!strict) (out[kernel] ??= []).push(`${note ?? ''}: ${result}`) }
    }
    writeFileSync('/tmp/webgpu.json', JSON.stringify(out, null, 1))
  }
}, 400000)
