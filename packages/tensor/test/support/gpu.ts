import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { writeProgram } from '../../src/compile/program.ts'
import { findRuntime } from '../../src/compile/runtime/onnxruntime.ts'
import type { RuntimeArray } from '../../src/compile/runtime/runtime.ts'
import { readArguments, signatureOf } from '../../src/compile/signature.ts'
import { openTracer } from '../../src/compile/trace.ts'
import { compile, type TensorLeaf } from '../../src/index.ts'

/** Whether a card, or software that stands in for one, is at hand. */
export async function hasAdapter(): Promise<boolean> {
  const probe = compile((x: tf.Tensor) => tf.square(x), { device: 'gpu' })
  try {
    return (await probe(3)).data[0] === 9
  } catch (error) {
    if ((error as { code?: string }).code === 'NO_DEVICE') return false
    throw error
  } finally {
    await probe.dispose()
  }
}

/** The operations of a graph by what ran them. */
export interface Ran {
  readonly webgpu: readonly string[]
  readonly cpu: readonly string[]
}

/** Runs a function on the card, and reads from the runtime's profile which operations ran where. */
export async function profileOnGpu(
  fn: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[],
  inputs: readonly TensorLeaf[],
): Promise<{ results: RuntimeArray[]; ran: Ran }> {
  const signature = signatureOf(inputs, readArguments(inputs).key)
  const trace = (await openTracer()).trace(fn as (...args: never[]) => unknown, signature)
  const program = writeProgram(trace, signature, 'gpu', false)
  const directory = mkdtempSync(join(tmpdir(), 'regimen-profile-'))
  try {
    const runtime = (await findRuntime('gpu'))!
    const options = { ...program.names, threads: 1, rewrite: true, profile: join(directory, 'run') }
    const session = await runtime.start(program.model, options)
    const results = await session.run(inputs.map(({ dtype, shape, data }) => ({ dtype, shape, data }) as RuntimeArray))
    await session.dispose()
    const [file] = readdirSync(directory)
    return { results: results as RuntimeArray[], ran: readProfile(readFileSync(join(directory, file!), 'utf8')) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function readProfile(text: string): Ran {
  const ran = { webgpu: new Set<string>(), cpu: new Set<string>() }
  const events = JSON.parse(text) as { cat: string; args?: { provider?: string; op_name?: string } }[]
  for (const { args } of events) {
    // Copies between the two are no part of the function.
    if (!args?.provider || !args.op_name || args.op_name.startsWith('Memcpy')) continue
    ran[args.provider === 'CPUExecutionProvider' ? 'cpu' : 'webgpu'].add(args.op_name)
  }
  return { webgpu: [...ran.webgpu].sort(), cpu: [...ran.cpu].sort() }
}
