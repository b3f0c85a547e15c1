import {
  arrayLeaf,
  check,
  createRng,
  createSnapshot,
  describe,
  isSnapshot,
  type Rng,
  type RngState,
  restore,
  type Schema,
  type Snapshot,
  schema,
  type Tree,
} from '@regimen/core'

/** Options of every replay buffer. */
export interface ReplayOptions {
  /** Memory for everything that is kept of the samples, in bytes; it is never exceeded. */
  bytes: number
  /** Numbers in an input. */
  width: number
  /** Numbers in a label; a class is one number. @default 1 */
  targets?: number
  /** Further numbers kept with a sample, such as the logits at insertion. @default 0 */
  extras?: number
  /** Start of the buffer's random stream. @default 0 */
  seed?: number | string
}

/** One sample as it is put into a buffer. */
export interface ReplaySample {
  readonly x: ArrayLike<number>
  readonly y: number | ArrayLike<number>
  /** Needed where the buffer has `extras`. */
  readonly extra?: ArrayLike<number>
  /** Class, regime or task, a whole number from 0: what balanced buffers balance. @default 0 */
  readonly group?: number
  /** Largest cosine between its gradient and that of a few remembered samples, −1 to 1: what a diverse buffer goes by. @default 0 */
  readonly similarity?: number
}

/** Samples drawn from a buffer, row-major. */
export interface ReplayDraw {
  readonly count: number
  /** Where each sample lies in the buffer. */
  readonly slots: Int32Array
  readonly x: Float32Array
  readonly y: Float32Array
  readonly extra: Float32Array
  readonly groups: Int32Array
  /** Importance weights, at most 1; all 1 where the draw is uniform. */
  readonly weights: Float32Array
}

/** A bounded memory of samples. */
export interface ReplayBuffer {
  /** Samples that fit. */
  readonly capacity: number
  /** Samples kept now. */
  readonly size: number
  /** Samples offered so far, also those that were not kept. */
  readonly seen: number
  /** Samples refused because a number in them was NaN or infinite. */
  readonly refused: number
  /** Bytes that the buffer takes. */
  readonly bytes: number
  /** Offers a sample; returns the slot it took, or −1 when it was passed over or is not finite. */
  add(sample: ReplaySample): number
  /** Draws independently and with replacement. Pass an earlier draw of the same count to reuse its arrays. */
  draw(count: number, into?: ReplayDraw): ReplayDraw
  snapshot(): Snapshot
}

/** What a buffer keeps, column by column. */
export interface Columns {
  readonly x: Float32Array
  readonly y: Float32Array
  readonly extra: Float32Array
  readonly group: Int32Array
}

/** What the rule of a buffer sees of it. */
export interface Shelf {
  readonly capacity: number
  readonly rng: Rng
  readonly columns: Columns
  size: number
  seen: number
}

/** What distinguishes one buffer from another: where a sample goes, and how samples are drawn. */
export interface Policy {
  /** The slot that a sample of this group takes, from 0 to `size` (a new one), or −1 for none. `seen` counts it already. */
  place(shelf: Shelf, group: number, similarity: number): number
  /** Fills the slots of a draw, and its weights where they are not 1. Uniform when absent. */
  choose?(shelf: Shelf, draw: ReplayDraw): void
  state(): Tree
}

/** A kind of buffer. */
export interface PolicyKind {
  /** Name in snapshots: `continual/…`. */
  readonly id: string
  /** Bytes that the rule itself needs for a sample. */
  readonly bytesPerSample: number
  readonly state: Schema
  open(shelf: Shelf, state: Tree | undefined): Policy
}

/** State of a random stream. */
export const rngSchema: Schema<RngState> = schema.object({
  key: schema.string(),
  c: schema.number(),
  s0: schema.number(),
  s1: schema.number(),
  s2: schema.number(),
})

/** Bytes that one sample takes without its rule: float32 numbers and its group. */
export function sampleBytes(options: ReplayOptions): number {
  const { width, targets = 1, extras = 0 } = options
  return 4 * (width + targets + extras) + 4
}

/** Opens a buffer of a kind from its options or a snapshot: everything but the rule is here, once. */
export function openStore(
  kind: PolicyKind,
  from: ReplayOptions | Snapshot,
): { buffer: ReplayBuffer; policy: Policy; shelf: Shelf } {
  const saved = isSnapshot(from) ? read(kind, from) : undefined
  const options = saved?.config ?? complete(kind, from as ReplayOptions)
  const { width, targets, extras, seed, bytes } = options
  const each = sampleBytes(options) + kind.bytesPerSample
  const capacity = Math.floor(bytes / each)
  check(
    capacity >= 1,
    kind.id,
    () => `a budget of ${bytes} bytes is too small for one sample of ${each} bytes.`,
    `Pass bytes: ${each} or more.`,
  )
  const columns: Columns = {
    x: new Float32Array(capacity * width),
    y: new Float32Array(capacity * targets),
    extra: new Float32Array(capacity * extras),
    group: new Int32Array(capacity),
  }
  const shelf: Shelf = { capacity, rng: createRng(saved?.state.rng ?? seed), columns, size: 0, seen: 0 }
  let refused = 0
  if (saved) {
    const { state } = saved
    shelf.size = state.size
    shelf.seen = state.seen
    refused = state.refused
    for (const name of ['x', 'y', 'extra', 'group'] as const) columns[name].set(state[name].data)
  }
  const policy = kind.open(shelf, saved?.state.policy)
  const buffer: ReplayBuffer = {
    capacity,
    bytes: capacity * each,
    get size() {
      return shelf.size
    },
    get seen() {
      return shelf.seen
    },
    get refused() {
      return refused
    },
    add(sample) {
      const group = sample.group ?? 0
      checkSample(kind.id, sample, group, options)
      if (!finite(sample)) {
        refused++
        return -1
      }
      shelf.seen++
      const slot = policy.place(shelf, group, sample.similarity ?? 0)
      if (slot < 0) return -1
      if (slot === shelf.size) shelf.size++
      columns.x.set(sample.x, slot * width)
      if (typeof sample.y === 'number') columns.y[slot * targets] = sample.y
      else columns.y.set(sample.y, slot * targets)
      if (sample.extra) columns.extra.set(sample.extra, slot * extras)
      columns.group[slot] = group
      return slot
    },
    draw(count, into) {
      check(
        Number.isInteger(count) && count >= 1,
        kind.id,
        () => `count must be an integer from 1, got ${describe(count)}.`,
      )
      check(shelf.size > 0, kind.id, () => 'nothing can be drawn: the buffer is empty.', 'Add a sample first.')
      check(
        into === undefined || into.count === count,
        kind.id,
        () => `the draw to reuse holds ${into?.count} samples, not ${count}.`,
      )
      const draw = into ?? emptyDraw(count, options)
      if (policy.choose) policy.choose(shelf, draw)
      else for (let i = 0; i < count; i++) draw.slots[i] = shelf.rng.int(0, shelf.size)
      gather(columns, draw, options)
      return draw
    },
    snapshot: () =>
      createSnapshot({
        id: kind.id,
        version: 1,
        config: options,
        state: {
          size: shelf.size,
          seen: shelf.seen,
          refused,
          rng: shelf.rng.state(),
          x: arrayLeaf('float32', [shelf.size, width], columns.x.slice(0, shelf.size * width)),
          y: arrayLeaf('float32', [shelf.size, targets], columns.y.slice(0, shelf.size * targets)),
          extra: arrayLeaf('float32', [shelf.size, extras], columns.extra.slice(0, shelf.size * extras)),
          group: arrayLeaf('int32', [shelf.size], columns.group.slice(0, shelf.size)),
          policy: policy.state(),
        },
      }),
  }
  return { buffer, policy, shelf }
}

type Complete = {
  readonly bytes: number
  readonly width: number
  readonly targets: number
  readonly extras: number
  readonly seed: number | string
}

function complete(kind: PolicyKind, options: ReplayOptions): Complete {
  const { bytes, width, targets = 1, extras = 0, seed = 0 } = options
  const counts = { width, targets, extras }
  for (const [name, value] of Object.entries(counts)) {
    const least = name === 'extras' ? 0 : 1
    check(
      Number.isInteger(value) && value >= least,
      kind.id,
      () => `${name} must be an integer from ${least}, got ${describe(value)}.`,
    )
  }
  check(Number.isFinite(bytes) && bytes > 0, kind.id, () => `bytes must be a number above 0, got ${describe(bytes)}.`)
  return { bytes, width, targets, extras, seed }
}

function read(kind: PolicyKind, snapshot: Snapshot) {
  return restore(snapshot, {
    id: kind.id,
    version: 1,
    config: schema.object({
      bytes: schema.number({ min: 1 }),
      width: schema.integer({ min: 1 }),
      targets: schema.integer({ min: 1 }),
      extras: schema.integer({ min: 0 }),
      seed: schema.union(schema.number(), schema.string()),
    }),
    state: ({ width, targets, extras }: Complete) =>
      schema.object({
        size: schema.integer({ min: 0 }),
        seen: schema.integer({ min: 0 }),
        refused: schema.integer({ min: 0 }),
        rng: rngSchema,
        x: schema.leaf('float32', [null, width]),
        y: schema.leaf('float32', [null, targets]),
        extra: schema.leaf('float32', [null, extras]),
        group: schema.leaf('int32', [null]),
        policy: kind.state,
      }),
  })
}

/** Refuses a sample that does not fit. */
export function checkSample(
  where: string,
  sample: ReplaySample,
  group: number,
  options: Pick<Complete, 'width' | 'targets' | 'extras'>,
): void {
  const { width, targets, extras } = options
  const wrong = (name: string, got: number, wanted: number): boolean => {
    check(got === wanted, where, () => `${name} must hold ${wanted} numbers, got ${got}.`, 'Open a new buffer for it.')
    return true
  }
  wrong('x', sample.x.length, width)
  wrong('y', typeof sample.y === 'number' ? 1 : sample.y.length, targets)
  wrong('extra', sample.extra?.length ?? 0, extras)
  check(
    Number.isInteger(group) && group >= 0,
    where,
    () => `group must be a whole number from 0, got ${describe(group)}.`,
  )
  const { similarity = 0 } = sample
  // A cosine of float32 vectors may lie a hair outside.
  check(Math.abs(similarity) <= 1.001, where, () => `similarity must be from -1 to 1, got ${describe(similarity)}.`)
}

/** Whether every number of a sample is finite. */
export function finite({ x, y, extra }: ReplaySample): boolean {
  if (typeof y === 'number' ? !Number.isFinite(y) : !allFinite(y)) return false
  return allFinite(x) && (extra === undefined || allFinite(extra))
}

/** Whether every number is finite as a float32. */
export function allFinite(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i]!) <= 3.4028234663852886e38)) return false
  return true
}

/** A draw whose rows are yet to be filled, all of weight 1. */
export function emptyDraw(
  count: number,
  { width, targets, extras }: { readonly width: number; readonly targets: number; readonly extras: number },
): ReplayDraw {
  return {
    count,
    slots: new Int32Array(count),
    x: new Float32Array(count * width),
    y: new Float32Array(count * targets),
    extra: new Float32Array(count * extras),
    groups: new Int32Array(count),
    weights: new Float32Array(count).fill(1),
  }
}

function gather(columns: Columns, draw: ReplayDraw, { width, targets, extras }: Complete): void {
  const { slots, count } = draw
  for (let i = 0; i < count; i++) {
    const slot = slots[i]!
    copyRow(columns.x, slot, draw.x, i, width)
    copyRow(columns.y, slot, draw.y, i, targets)
    copyRow(columns.extra, slot, draw.extra, i, extras)
    draw.groups[i] = columns.group[slot]!
  }
}

function copyRow(from: Float32Array, at: number, to: Float32Array, row: number, width: number): void {
  // Long rows by memmove, short ones without the view that it needs.
  if (width > 64) to.set(from.subarray(at * width, (at + 1) * width), row * width)
  else for (let j = 0; j < width; j++) to[row * width + j] = from[at * width + j]!
}
