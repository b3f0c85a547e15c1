import { systemClock } from '@regimen/core'
import { lower } from './lower/index.ts'
import { type OnnxNames, writeOnnx } from './onnx.ts'
import { type Packing, packBorders, packNames } from './pack.ts'
import { peakBytes } from './passes/liveness.ts'
import { narrowSplits } from './passes/narrow.ts'
import { optimize, type PassReport } from './passes/passes.ts'
import type { DeviceName } from './runtime/runtime.ts'
import type { Signature } from './signature.ts'
import type { Trace } from './trace.ts'

/** A recording as it is written for one kind of device. */
export interface Program {
  readonly device: DeviceName
  readonly model: Uint8Array
  readonly names: OnnxNames
  readonly packing: Packing
  /** Where small inputs are laid end to end; a call that overlaps another makes its own. */
  readonly buffer: Float32Array
  readonly passes: readonly PassReport[]
  readonly peakBytes: number
  readonly milliseconds: { readonly lower: number; readonly passes: number }
}

/** Lowers a recording for a device, simplifies it and writes the bytes. `packed` joins small arrays at the borders. */
export function writeProgram(trace: Trace, signature: Signature, device: DeviceName, packed = true): Program {
  const started = systemClock.monotonic()
  const lowering = lower(trace, device === 'gpu')
  const { graph, packing } = packed ? packBorders(lowering) : { graph: lowering, packing: UNPACKED }
  const lowered = systemClock.monotonic()
  const passes = optimize(graph)
  if (device === 'gpu') narrowSplits(graph)
  const plain = bordersOf(signature, trace)
  const names = {
    inputs: packNames(plain.inputs, packing.inputs, 'packed'),
    outputs: packNames(plain.outputs, packing.outputs, 'out.packed'),
  }
  const model = writeOnnx(graph, names)
  const milliseconds = { lower: lowered - started, passes: systemClock.monotonic() - lowered }
  const buffer = new Float32Array(packing.inputs?.size ?? 0)
  return { device, model, names, packing, buffer, passes, peakBytes: peakBytes(graph), milliseconds }
}

const UNPACKED: Packing = { inputs: undefined, outputs: undefined }

/** Writes a recording for other ONNX users: borders by path, and inputs with constants baked in. */
export function exportModel(
  trace: Trace,
  signature: Signature,
  constantAt: (input: number) => Float32Array | Int32Array | Uint8Array | undefined,
): Uint8Array {
  const graph = lower(trace)
  const names = bordersOf(signature, trace)
  const kept: number[] = []
  graph.inputs.forEach((id, i) => {
    const data = i < signature.specs.length ? constantAt(i) : undefined
    if (data) graph.values[id] = { ...graph.values[id]!, data }
    else kept.push(i)
  })
  const exported = { ...graph, inputs: kept.map((i) => graph.inputs[i]!) }
  optimize(exported)
  return writeOnnx(exported, { inputs: kept.map((i) => names.inputs[i]!), outputs: names.outputs }).slice()
}

function bordersOf(signature: Signature, trace: Trace): OnnxNames {
  return {
    inputs: [...signature.specs.map(({ path }) => path), ...trace.noise.map((_, i) => `random.${i}`)],
    outputs: trace.outputPaths.map((path) => (path === '' ? 'out' : `out.${path}`)),
  }
}
