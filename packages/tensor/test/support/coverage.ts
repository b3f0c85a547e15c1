import { readFileSync } from 'node:fs'
import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { GraphBuilder, type Value } from '../../src/compile/graph.ts'
import { LOWERINGS } from '../../src/compile/lower/index.ts'
import { readArguments, signatureOf } from '../../src/compile/signature.ts'
import { openTracer } from '../../src/compile/trace.ts'
import type { Ran } from './gpu.ts'
import { KERNEL_CASES } from './kernel-cases.ts'

const COMPLEX = 'complex numbers are no dtype of compiled functions'
const STRINGS = 'strings are no dtype of compiled functions'
const SIZE = "the result's shape depends on the numbers, and a compiled graph has fixed shapes"

/** Why a kernel of tfjs's CPU backend has no lowering. */
const REASONS: Readonly<Record<string, string>> = {
  Complex: COMPLEX,
  ComplexAbs: COMPLEX,
  Real: COMPLEX,
  Imag: COMPLEX,
  FFT: COMPLEX,
  IFFT: COMPLEX,
  StaticRegexReplace: STRINGS,
  StringNGrams: STRINGS,
  StringSplit: STRINGS,
  StringToHashBucketFast: STRINGS,
  NonMaxSuppressionV3: SIZE,
  NonMaxSuppressionV4: SIZE,
  NonMaxSuppressionV5: SIZE,
  Unique: SIZE,
  RaggedGather: SIZE,
  RaggedRange: SIZE,
  RaggedTensorToTensor: SIZE,
  SparseFillEmptyRows: SIZE,
  SparseReshape: 'tfjs reads the new shape from the numbers while it records',
  SparseSegmentMean: SIZE,
  SparseSegmentSum: SIZE,
  Multinomial: 'it draws random numbers of its own; use `random` of this package',
  Draw: 'it paints on a canvas',
  Transform: "tfjs's own kernel transforms only the first image of a batch, so there is nothing to agree with",
}

/** The ONNX operations into which the cases' calls of a kernel turn. */
async function operationsOf(kernel: string): Promise<string[]> {
  const found = new Set<string>()
  const tracer = await openTracer()
  for (const { fn, inputs } of KERNEL_CASES.filter((one) => one.kernel === kernel)) {
    const trace = tracer.trace(fn as (...args: never[]) => unknown, signatureOf(inputs, readArguments(inputs).key))
    for (const node of trace.nodes.filter((one) => one.kernel === kernel)) {
      const b = new GraphBuilder()
      const values: Record<string, Value> = {}
      for (const [name, id] of Object.entries(node.inputs)) {
        values[name] = b.value(trace.values[id]!.shape, trace.values[id]!.dtype)
      }
      LOWERINGS[kernel]!({
        b,
        inputs: values,
        attrs: node.attrs,
        gpu: false,
        outs: node.outputs.map((id) => trace.values[id]!),
      })
      for (const { op } of b.nodes) found.add(op)
    }
  }
  return [...found].sort()
}

/** What ran where on a card, recorded by `gpu.test.ts`. */
function onCard(kernel: string, records: Readonly<Record<string, Ran>>): string {
  const ran = records[kernel]
  if (!ran) return 'UNEXPLAINED'
  const { webgpu, cpu } = ran
  if (webgpu.length + cpu.length === 0) return 'a constant, or nothing'
  if (cpu.length === 0) return '`webgpu`'
  return `${webgpu.length > 0 ? '`webgpu`; ' : ''}on \`cpu\`: ${cpu.join(', ')}`
}

/** The text of docs/compile-coverage.md. */
export async function coveragePage(): Promise<string> {
  const kernels = tf
    .getKernelsForBackend('cpu')
    .map(({ kernelName }) => kernelName)
    .sort()
  const recorded = readFileSync(new URL('./kernel-providers.json', import.meta.url), 'utf8')
  const records = JSON.parse(recorded) as Record<string, Ran>
  const rows: string[] = []
  const missing: string[] = []
  for (const kernel of kernels) {
    if (LOWERINGS[kernel]) {
      const operations = await operationsOf(kernel)
      rows.push(`| \`${kernel}\` | ${operations.join(', ') || 'a constant, or nothing'} | ${onCard(kernel, records)} |`)
    } else missing.push(`| \`${kernel}\` | ${REASONS[kernel] ?? 'UNEXPLAINED'} |`)
  }
  return [
    '# What `compile` can compile',
    '',
    "Every kernel of tfjs's CPU backend, with the ONNX operations it becomes, or why it has none. Written by the test",
    '`packages/tensor/test/coverage.test.ts`, which fails when this page is out of date (`npx vitest run --project tensor',
    'coverage -u` writes it anew); `lower.test.ts` runs every compiled kernel against eager tfjs.',
    '',
    `## Compiled: ${rows.length} of ${kernels.length}`,
    '',
    "In Node on onnxruntime-node's `cpu` provider, in browsers on onnxruntime-web's `wasm`, which is built from the same kernels:",
    '`lower.test.ts` runs in a page too, every kernel to 1e-5 of eager tfjs.',
    '',
    "With `device: 'gpu'` most run on the `webgpu` provider; what it lacks runs on `cpu` inside the same graph, and where it is",
    'wrong or refuses (grouped and three-dimensional transposed convolutions, places of maxima) other operations take its place. The',
    "last column is what the runtime's profile showed; `gpu.test.ts` compares it, and every result with eager tfjs to 3e-4; in a",
    'page `webgpu.browser.ts` does the same, an eighth of the cases always and all with `--full`.',
    '',
    '| kernel | ONNX operations | on a card |',
    '| --- | --- | --- |',
    ...rows,
    '',
    `## Not compiled: ${missing.length}`,
    '',
    'Each is the error `UNSUPPORTED_KERNEL` or `DTYPE`, or a tfjs error while recording, never silent slowness.',
    '',
    '| kernel | why not |',
    '| --- | --- |',
    ...missing,
    '',
  ].join('\n')
}
