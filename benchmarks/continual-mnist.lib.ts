import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { TaskData } from '@regimen/continual'
import { createRng } from '@regimen/core'
import type { BenchContext } from './harness.ts'

export const PIXELS = 784

export interface Digits {
  readonly x: Float32Array
  readonly y: Uint8Array
}

/** A task is made when it is needed: ten permutations of all digits would fill the memory. */
export interface Split {
  train(): TaskData
  test(): TaskData
}

export function digits(context: BenchContext, part: string): Digits | undefined {
  const [images, labels] = ['images-idx3-ubyte.gz', 'labels-idx1-ubyte.gz'].map((kind) =>
    context.data(`mnist/${part}-${kind}`),
  )
  if (!images || !labels) return undefined
  const y = new Uint8Array(gunzipSync(readFileSync(labels)).subarray(8))
  const bytes = gunzipSync(readFileSync(images)).subarray(16)
  // The file is sorted by class: without a shuffle the digits held back for the choice of λ would be eights and nines.
  const order = createRng(`digits/${part}`).permutation(y.length)
  const x = new Float32Array(bytes.length)
  for (let i = 0; i < y.length; i++) {
    for (let j = 0; j < PIXELS; j++) x[i * PIXELS + j] = bytes[order[i]! * PIXELS + j]! / 255
  }
  return { x, y: Uint8Array.from(order, (row) => y[row]!) }
}

/** Each task shuffles the pixels in its own way. */
export function permuted({ x, y }: Digits, order: ArrayLike<number>): TaskData {
  const moved = new Float32Array(x.length)
  const from = Int32Array.from(order)
  for (let at = 0; at < x.length; at += PIXELS) for (let j = 0; j < PIXELS; j++) moved[at + j] = x[at + from[j]!]!
  return { x: moved, y }
}

export type Scenario = 'permuted' | 'task' | 'domain' | 'class'

/** Digits 0 and 1, then 2 and 3, …: the class, or in the domain scenario which of the two. */
export function pair({ x, y }: Digits, k: number, scenario: Scenario): TaskData {
  const rows = Array.from(y.keys()).filter((i) => y[i]! >> 1 === k)
  const data = new Float32Array(rows.length * PIXELS)
  for (const [to, i] of rows.entries()) data.set(x.subarray(i * PIXELS, (i + 1) * PIXELS), to * PIXELS)
  const labels = rows.map((i) => (scenario === 'domain' ? y[i]! & 1 : y[i]!))
  return { x: data, y: labels, task: k, ...(scenario === 'task' ? { classes: [2 * k, 2 * k + 1] } : {}) }
}
