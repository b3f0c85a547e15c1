import { check, describe, type Snapshot } from '@regimen/core'
import { balancedReplay } from './replay/balanced.ts'
import { diverseReplay } from './replay/diverse.ts'
import { type ExemplarReplay, exemplarReplay } from './replay/exemplars.ts'
import { type PrioritizedReplay, prioritizedReplay } from './replay/prioritized.ts'
import { reservoirReplay } from './replay/reservoir.ts'
import { ringReplay } from './replay/ring.ts'
import type { ReplayBuffer, ReplayDraw, ReplayOptions, ReplaySample } from './replay/store.ts'
import { type Batch, drawnBatch, offsetsOf, type RowShape, slice, type TaskData } from './rows.ts'
import type { ConstraintStrategy, ReplayStrategy } from './strategy.ts'

/** Samples that a strategy remembers: what is replayed, and what guards gradients. */
export interface Memories {
  /** The memory of replay. */
  readonly replay: ReplayBuffer | undefined
  readonly bytes: number
  /** Classes that a task answers with, by task. */
  readonly heads: { readonly [task: string]: readonly number[] }
  beginTask(task: number, classes: readonly number[] | undefined): void
  /** Refuses a task that `gem` has no memory of; a stream begins with task 0. */
  checkTask(task: number | undefined): void
  /** Remembered samples to which the gradients of new ones are compared; undefined where none are. */
  compare(): Batch | undefined
  /** Keeps samples, with the outputs that the net made of them and how like their gradients are to remembered ones. */
  remember(
    data: TaskData,
    rows: ArrayLike<number>,
    made: Float32Array,
    of: { readonly task: number; readonly own: number | undefined; readonly similarity: Float32Array | undefined },
  ): void
  /** Exemplars are chosen once the task is learned, by these outputs; true where the strategy wants it. */
  readonly selects: boolean
  select(data: TaskData, rows: ArrayLike<number>, outputs: Float32Array, task: number): void
  /** Remembered samples; undefined while there are none. `lane` tells draws apart that stand in one update. */
  draw(lane: 'labels' | 'logits'): { readonly draw: ReplayDraw; readonly batch: Batch } | undefined
  /** Gives the samples of the last draw of labels new priorities. */
  prioritize(errors: ArrayLike<number>): void
  /** A batch for every constraint on the gradient of this task. */
  guard(task: number | undefined): Iterable<Batch>
  snapshots(): { [name: string]: Snapshot }
  restore(children: { readonly [name: string]: Snapshot }, heads: { readonly [task: string]: readonly number[] }): void
}

const BUFFERS: {
  readonly [kind: string]: (from: ReplayOptions | Snapshot) => ReplayBuffer | PrioritizedReplay | ExemplarReplay
} = {
  ring: ringReplay,
  reservoir: reservoirReplay,
  balanced: balancedReplay,
  diverse: diverseReplay,
  prioritized: prioritizedReplay,
  exemplars: exemplarReplay,
}

/** Opens the memories of a strategy. */
export function openMemories(
  strategy: { readonly replay?: ReplayStrategy | undefined; readonly constraint?: ConstraintStrategy | undefined },
  rows: RowShape,
  options: { readonly batchSize: number; readonly seed: number | string; readonly where: string },
): Memories {
  const { replay, constraint } = strategy
  const { width, targets, outputs } = rows
  const { batchSize, seed, where } = options
  const keepsLogits = (replay?.logits ?? 0) > 0
  const byClass = replay?.by === 'class'
  const openReplay = BUFFERS[replay?.buffer ?? 'reservoir']
  check(
    openReplay !== undefined,
    where,
    () => `replay.buffer must be ${Object.keys(BUFFERS).join(', ')}, got ${describe(replay?.buffer)}.`,
  )
  const describeBuffer = (bytes: number, label: string): ReplayOptions => ({
    bytes,
    width,
    targets,
    extras: label === 'replay' && keepsLogits ? outputs : 0,
    seed: `${seed}/${label}`,
  })
  let memory = replay && openReplay(describeBuffer(replay.bytes, 'replay'))
  let guards: ReplayBuffer[] =
    constraint?.kind === 'a-gem' ? [balancedReplay(describeBuffer(constraint.bytes, 'guard'))] : []
  // A budget too small for one sample is an error now, not at the first task.
  if (constraint?.kind === 'gem') reservoirReplay(describeBuffer(constraint.bytes, 'guard-0'))
  let heads: { readonly [task: string]: readonly number[] } = {}
  let shifts = new Map<number, Float32Array>()
  const setHeads = (next: typeof heads): void => {
    heads = next
    shifts = new Map(Object.entries(next).map(([task, classes]) => [Number(task), offsetsOf(classes, outputs, where)]))
  }
  const shiftOf = (group: number, label: number): Float32Array | undefined => {
    if (shifts.size === 0 || !byClass) return shifts.get(group)
    const task = Object.keys(heads).find((name) => heads[name]!.includes(label))
    return task === undefined ? undefined : shifts.get(Number(task))
  }
  // Draws and offsets of one lane are filled again and again.
  const lanes: { [lane: string]: { draw?: ReplayDraw; readonly offsets: Float32Array } } = {}
  const drawFrom = (buffer: ReplayBuffer, count: number, name: string, balancedByTask: boolean) => {
    lanes[name] ??= { offsets: new Float32Array(count * outputs) }
    const lane = lanes[name]
    const draw = buffer.draw(count, lane.draw)
    lane.draw = draw
    const of = balancedByTask ? (group: number) => shifts.get(group) : shiftOf
    return { draw, batch: drawnBatch(draw, rows, lane.offsets, of) }
  }
  const sampleOf = (data: TaskData, row: number, group: number, extra: Float32Array | undefined): ReplaySample => ({
    x: slice(data.x, row * width, width),
    y: slice(data.y, row * targets, targets),
    group,
    ...(extra ? { extra } : {}),
  })
  const groupOf = (data: TaskData, row: number, task: number): number =>
    byClass ? data.y[row]! : (data.groups?.[row] ?? task)
  const extraOf = (made: Float32Array, i: number): Float32Array | undefined =>
    keepsLogits ? made.subarray(i * outputs, (i + 1) * outputs) : undefined
  return {
    get replay() {
      return memory
    },
    get bytes() {
      return (memory?.bytes ?? 0) + guards.reduce((sum, buffer) => sum + buffer.bytes, 0)
    },
    get heads() {
      return heads
    },
    beginTask(task, classes) {
      if (classes) setHeads({ ...heads, [task]: [...classes] })
      if (constraint?.kind === 'gem')
        guards.push(reservoirReplay(describeBuffer(constraint.bytes, `guard-${guards.length}`)))
    },
    checkTask(task) {
      if (constraint?.kind !== 'gem') return
      if (guards.length === 0 && (task ?? 0) === 0) this.beginTask(0, undefined)
      check(
        task === undefined || task < guards.length,
        where,
        () => `task ${task} is unknown; gem has memories of ${guards.length}.`,
        'Learn it first.',
      )
    },
    compare() {
      if (replay?.buffer !== 'diverse' || !memory || memory.size === 0) return undefined
      return drawFrom(memory, replay.compare ?? 10, 'compare', false).batch
    },
    remember(data, rows, made, { task, own, similarity }) {
      const guard = constraint && guards[constraint.kind === 'gem' ? (own ?? guards.length - 1) : 0]
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i]!
        if (memory && !('addGroup' in memory))
          memory.add({
            ...sampleOf(data, row, groupOf(data, row, task), extraOf(made, i)),
            ...(similarity ? { similarity: similarity[i]! } : {}),
          })
        if (guard) guard.add(sampleOf(data, row, task, undefined))
      }
    },
    selects: replay?.buffer === 'exemplars',
    select(data, rows, made, task) {
      if (!memory || !('addGroup' in memory)) return
      const groups = new Map<number, { samples: ReplaySample[]; features: number[] }>()
      for (let i = 0; i < rows.length; i++) {
        const id = groupOf(data, rows[i]!, task)
        const group = groups.get(id) ?? { samples: [], features: [] }
        groups.set(id, group)
        group.samples.push(sampleOf(data, rows[i]!, id, extraOf(made, i)))
        for (let c = 0; c < outputs; c++) group.features.push(made[i * outputs + c]!)
      }
      for (const { samples, features } of groups.values()) memory.addGroup(samples, features)
    },
    draw: (lane) => (memory && memory.size > 0 ? drawFrom(memory, replay?.batch ?? batchSize, lane, false) : undefined),
    prioritize(errors) {
      const last = lanes.labels?.draw
      if (memory && 'update' in memory && last) memory.update(last.slots, errors)
    },
    *guard(task) {
      const own = constraint?.kind === 'gem' ? (task ?? guards.length - 1) : -1
      for (const [k, guard] of guards.entries()) {
        // The memory of the task itself is no constraint of gem.
        if (k !== own && guard.size > 0) yield drawFrom(guard, constraint?.batch ?? batchSize, 'guard', true).batch
      }
    },
    snapshots() {
      const children: { [name: string]: Snapshot } = {}
      if (memory) children.replay = memory.snapshot()
      for (const [i, guard] of guards.entries()) children[`guard-${i}`] = guard.snapshot()
      return children
    },
    restore(children, saved) {
      setHeads(saved)
      memory = children.replay && openReplay(children.replay)
      guards = Object.keys(children)
        .filter((name) => name.startsWith('guard-'))
        .map((_, i) => (constraint?.kind === 'gem' ? reservoirReplay : balancedReplay)(children[`guard-${i}`]!))
    },
  }
}
