import type { TaskSet } from './task.ts'

/** Sizes of an N-way K-shot task with inputs of one axis. */
export interface ClassSizes {
  readonly ways: number
  readonly shots: number
  readonly queries: number
  readonly width: number
}

/** Fills support and query of an N-way K-shot task, class after class; `fill` writes one sample of a class. */
export function classSets(
  { ways, shots, queries, width }: ClassSizes,
  fill: (label: number, out: Float32Array, sample: number, part: 'support' | 'query') => void,
): { support: TaskSet; query: TaskSet } {
  const make = (each: number, part: 'support' | 'query'): TaskSet => {
    const n = ways * each
    const x = new Float32Array(n * width)
    const y = new Int32Array(n)
    for (let i = 0; i < n; i++) {
      y[i] = Math.floor(i / each)
      fill(y[i]!, x.subarray(i * width, (i + 1) * width), i % each, part)
    }
    return { x: { dtype: 'float32', shape: [n, width], data: x }, y: { dtype: 'int32', shape: [n], data: y } }
  }
  return { support: make(shots, 'support'), query: make(queries, 'query') }
}
