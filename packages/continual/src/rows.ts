import { type ArrayLeaf, arrayLeaf, check, describe } from '@regimen/core'
import type { ReplayDraw } from './replay/store.ts'
import type { Part } from './steps.ts'

/** Samples of a task, or of a batch. */
export interface TaskData {
  /** Inputs, row-major. */
  readonly x: ArrayLike<number>
  /** Classes, or targets row-major. */
  readonly y: ArrayLike<number>
  /** Number of the task: for `gem`, balanced memories and heads. @default 0 in `step`, the next one in `learn` */
  readonly task?: number
  /** The only classes that this task may answer with: the task-incremental scenario. @default those learned with `task`, else all */
  readonly classes?: readonly number[]
  /** Group of each sample (regime), a whole number from 0, for balanced memories. @default the task */
  readonly groups?: ArrayLike<number>
  /**
   * Protects each parameter of this task by a factor, at least 0, in the order of the parameters' leaves; 0 leaves it free for
   * later tasks. @default all 1
   */
  readonly mask?: ArrayLike<number>
}

/** What a net takes and gives. */
export interface RowShape {
  readonly shape: readonly number[]
  /** Numbers in an input. */
  readonly width: number
  readonly outputs: number
  /** Numbers in a label. */
  readonly targets: number
  readonly likelihood: 'softmax' | 'gaussian'
}

/** A batch on typed arrays that are filled again and again. */
export interface Batch extends Part<ArrayLeaf<'float32'>> {
  readonly size: number
}

/** Logits of classes that a task cannot answer with are lowered by this. */
const OFF = -1e9

/** Makes the arrays of a batch. */
export function createBatch(size: number, { shape, width, outputs, targets }: RowShape): Batch {
  const made = (...side: number[]): ArrayLeaf<'float32'> =>
    arrayLeaf('float32', side, new Float32Array(side.reduce((a, b) => a * b, 1)))
  return {
    size,
    x: arrayLeaf('float32', [size, ...shape], new Float32Array(size * width)),
    y: made(size, targets),
    offsets: made(size, outputs),
    weights: made(size),
  }
}

/** Copies rows into a batch; what is left of it gets weight 0. */
export function fillRows(
  batch: Batch,
  data: TaskData,
  rows: ArrayLike<number>,
  { width, targets, outputs }: RowShape,
  shift: Float32Array,
): Batch {
  const { x, y, weights, offsets, size } = batch
  for (let i = 0; i < rows.length; i++) {
    copyRow(data.x, rows[i]!, x.data, i, width)
    copyRow(data.y, rows[i]!, y.data, i, targets)
    offsets.data.set(shift, i * outputs)
  }
  x.data.fill(0, rows.length * width)
  y.data.fill(0, rows.length * targets)
  offsets.data.fill(0, rows.length * outputs)
  for (let i = 0; i < size; i++) weights.data[i] = i < rows.length ? 1 : 0
  return batch
}

/** A batch of the arrays of a draw; only the offsets are written. */
export function drawnBatch(
  draw: ReplayDraw,
  { shape, outputs, targets }: RowShape,
  offsets: Float32Array,
  shiftOf: (group: number, label: number) => Float32Array | undefined,
): Batch {
  const n = draw.count
  offsets.fill(0)
  for (let i = 0; i < n; i++) {
    const shift = shiftOf(draw.groups[i]!, draw.y[i * targets]!)
    if (shift) offsets.set(shift, i * outputs)
  }
  return {
    size: n,
    x: arrayLeaf('float32', [n, ...shape], draw.x),
    y: arrayLeaf('float32', [n, targets], draw.y),
    offsets: arrayLeaf('float32', [n, outputs], offsets),
    weights: arrayLeaf('float32', [n], draw.weights),
  }
}

/** What is added to a row of outputs so that only these classes can be answered. */
export function offsetsOf(classes: readonly number[] | undefined, outputs: number, where: string): Float32Array {
  const row = new Float32Array(outputs)
  if (!classes) return row
  row.fill(OFF)
  for (const c of classes) {
    check(
      Number.isInteger(c) && c >= 0 && c < outputs,
      where,
      () => `classes must lie from 0 to ${outputs - 1}, got ${describe(c)}.`,
    )
    row[c] = 0
  }
  return row
}

/** Refuses samples that do not fit the net; returns how many there are. */
export function checkRows(data: TaskData, { width, targets, outputs, likelihood }: RowShape, where: string): number {
  const n = data.x.length / width
  check(
    Number.isInteger(n) && n >= 1,
    where,
    () => `x must hold rows of ${width}, got ${data.x.length} numbers.`,
    'A changed input width needs a new net.',
  )
  check(data.y.length === n * targets, where, () => `y must hold ${n * targets} numbers, got ${data.y.length}.`)
  const whole = (value: number): boolean => Number.isInteger(value) && value >= 0
  const { task, groups } = data
  check(task === undefined || whole(task), where, () => `task must be a whole number from 0, got ${describe(task)}.`)
  if (groups) {
    check(groups.length === n, where, () => `groups must hold ${n} numbers, got ${groups.length}.`)
    for (let i = 0; i < n; i++)
      check(whole(groups[i]!), where, () => `groups must be whole numbers from 0, got ${groups[i]} at ${i}.`)
  }
  if (likelihood === 'softmax') {
    for (let i = 0; i < n; i++) {
      const y = data.y[i]!
      check(
        !Number.isFinite(y) || (whole(y) && y < outputs),
        where,
        () => `y must hold classes from 0 to ${outputs - 1}, got ${y} at ${i}.`,
      )
    }
  }
  return n
}

/** The rows whose numbers are all finite as float32. */
export function finiteRows({ x, y }: TaskData, { width, targets }: RowShape): Int32Array {
  const n = x.length / width
  const rows = new Int32Array(n)
  let count = 0
  for (let i = 0; i < n; i++) {
    if (finiteRow(x, i * width, width) && finiteRow(y, i * targets, targets)) rows[count++] = i
  }
  return rows.subarray(0, count)
}

/** Whether every number is finite, by a sum that is NaN if not: for what is checked after every update. */
export function finiteVector(values: Float32Array): boolean {
  let zero = 0
  for (let i = 0; i < values.length; i++) zero += values[i]! * 0
  return zero === 0
}

/** A row without a copy where the source is a typed array. */
export function slice(values: ArrayLike<number>, from: number, count: number): ArrayLike<number> {
  if (values instanceof Float32Array || values instanceof Float64Array) return values.subarray(from, from + count)
  return Array.from({ length: count }, (_, i) => values[from + i]!)
}

function finiteRow(values: ArrayLike<number>, from: number, count: number): boolean {
  for (let j = from; j < from + count; j++) if (!(Math.abs(values[j]!) <= 3.4028234663852886e38)) return false
  return true
}

function copyRow(from: ArrayLike<number>, row: number, to: Float32Array, at: number, width: number): void {
  if (width > 64 && from instanceof Float32Array) to.set(from.subarray(row * width, (row + 1) * width), at * width)
  else for (let j = 0; j < width; j++) to[at * width + j] = from[row * width + j]!
}
