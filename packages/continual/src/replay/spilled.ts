import {
  arrayLeaf,
  check,
  createRng,
  createSnapshot,
  describe,
  hashBytes,
  RegimenError,
  restore,
  type Snapshot,
  schema,
} from '@regimen/core'
import { decodePage, emptyPage, encodePage, type Page } from './pages.ts'
import {
  checkSample,
  emptyDraw,
  finite,
  type ReplayDraw,
  type ReplayOptions,
  type ReplaySample,
  rngSchema,
  sampleBytes,
} from './store.ts'

/**
 * Keeps bytes under a name of 64 hexadecimal digits: what a {@link spilledReplay} needs of a disk or a bucket. Every `BlobDriver` of
 * `@regimen/store` is one.
 */
export interface SpillBlobs {
  /** The bytes, or undefined where there are none under the name. */
  read(name: string): Promise<Uint8Array | undefined>
  /** Stores all bytes or none and returns once they are durable. Writing the same name twice is no error. */
  write(name: string, bytes: Uint8Array): Promise<void>
  remove?(name: string): Promise<void>
}

/** Options of {@link spilledReplay}. `bytes` is the room under the blobs, memory is that of `resident` and one more pages. */
export interface SpilledReplayOptions extends ReplayOptions {
  /** Where pages go. */
  blobs: SpillBlobs
  /** Samples in a page, ≥ 1. @default 1024 */
  page?: number
  /** Pages held in memory for draws, ≥ 1. @default 4 */
  resident?: number
  /** Different pages that one draw takes its samples from, ≥ 1. @default 4 */
  spread?: number
}

/** A memory of samples that is larger than memory. */
export interface SpilledReplay {
  /** Samples that fit. */
  readonly capacity: number
  /** Samples kept now: once it was full, from about half of the capacity to all of it. */
  readonly size: number
  /** Samples offered so far, also those that were not kept. */
  readonly seen: number
  /** Samples refused because a number in them was NaN or infinite. */
  readonly refused: number
  /** Bytes of memory; those under the blobs are at most `bytes` of the options. */
  readonly bytes: number
  /** Share of all samples seen that is kept: each with this probability, 1, ½, ¼, … */
  readonly share: number
  /** Offers a sample; false where it was passed over or is not finite. Calls wait for each other. */
  add(sample: ReplaySample): Promise<boolean>
  /** Draws with replacement from a few pages. `slots` are places in those. */
  draw(count: number): Promise<ReplayDraw>
  /** Everything but the pages, which stay under their names until `sweep`. */
  snapshot(): Promise<Snapshot>
  /** Removes pages that are out of use, once the snapshot that knows no more of them is stored; gives their number. */
  sweep(): Promise<number>
}

const WHERE = 'continual/spilled-replay'

/**
 * Opens a buffer whose samples lie under a blob driver, in pages of fixed size; memory is constant however large it gets. It is at any
 * time a uniform sample of everything it was offered: each sample is kept with probability p, which starts at 1; when the pages are full,
 * every sample stays with probability ½, and p is halved. So pages are written whole and
 * hardly ever read again but for draws, where {@link reservoirReplay} would write in random places.
 *
 * Pages are never changed: their name is the hash of their bytes, and a thinned page is a new one. A process that dies in the middle of
 * a write leaves the last stored snapshot readable as it was; call `sweep` after a snapshot is safe. Draws of one call come from a few
 * pages, so their samples are likelier neighbours in time than those of a reservoir. Gotcha: pages written after the last snapshot of a
 * process that died remain, until they are written again.
 *
 * ```ts
 * import { spilledReplay } from '@regimen/continual'
 *
 * const disk = new Map<string, Uint8Array>()
 * const blobs = {
 *   read: async (name: string) => disk.get(name),
 *   write: async (name: string, bytes: Uint8Array) => void disk.set(name, bytes),
 *   remove: async (name: string) => void disk.delete(name),
 * }
 * // Room for 100 samples of twelve bytes.
 * const buffer = await spilledReplay({ blobs, bytes: 1200, width: 1, page: 10 })
 * for (let x = 0; x < 150; x++) await buffer.add({ x: [x], y: 0 })
 * buffer.share // => 0.5
 * buffer.size <= 100 // => true
 * const { x } = await buffer.draw(32)
 * x.length // => 32
 * ```
 *
 * Reference: Gibbons and Matias 1998 (concise samples: thinning by halves).
 */
export async function spilledReplay(
  from: SpilledReplayOptions | (Pick<SpilledReplayOptions, 'blobs'> & { snapshot: Snapshot }),
): Promise<SpilledReplay> {
  const { blobs } = from
  const saved = 'snapshot' in from ? read(from.snapshot) : undefined
  const options = saved?.config ?? complete(from as SpilledReplayOptions)
  const { width, targets, extras, bytes, page, resident, spread, seed } = options
  const each = sampleBytes(options)
  const most = Math.floor(bytes / each / page)
  check(
    most >= 2,
    WHERE,
    () => `a budget of ${bytes} bytes is too small for two pages of ${page} samples of ${each} bytes.`,
    `Pass bytes: ${2 * page * each} or more, or a smaller page.`,
  )
  const rng = createRng(saved?.state.rng ?? seed)
  // Names of full pages; those that the last stored snapshot may still know, though they are out of use.
  let pages: readonly string[] = saved?.state.pages ?? []
  let retired: readonly string[] = saved?.state.retired ?? []
  let { seen, refused, level } = saved?.state ?? { seen: 0, refused: 0, level: 0 }
  const floats = width + targets + extras
  // The page that is being filled; its numbers lie as they do in its bytes.
  const tail = emptyPage(page, floats)
  if (saved) {
    const { rows, groups } = saved.state
    check(
      rows.shape[0] === groups.data.length && groups.data.length <= page && pages.length < most,
      WHERE,
      () =>
        `state.rows and state.groups must hold the same samples, at most ${page}, got ${rows.shape[0]} and ${groups.data.length}.`,
      'The snapshot is damaged.',
    )
    tail.count = groups.data.length
    tail.floats.set(rows.data)
    tail.groups.set(groups.data)
  }
  const cache = new Map<string, Page>()

  const load = async (name: string): Promise<Page> => {
    const known = cache.get(name)
    if (known) {
      cache.delete(name)
      cache.set(name, known)
      return known
    }
    const found = await blobs.read(name)
    const whole = found !== undefined && hashBytes(found) === name
    if (!whole)
      throw new RegimenError(`page ${name} is ${found ? 'damaged' : 'missing'}.`, {
        code: 'CORRUPT_BLOB',
        where: WHERE,
        hint: 'Restore the blobs, or open a new buffer.',
      })
    const one = decodePage(found, page, floats)
    while (cache.size >= resident) cache.delete(cache.keys().next().value!)
    cache.set(name, one)
    return one
  }
  const store = async (one: Page): Promise<string> => {
    const sealed = encodePage(one)
    const name = hashBytes(sealed)
    await blobs.write(name, sealed)
    return name
  }
  /** Keeps every sample with probability ½; what does not fill a page is the new tail. Nothing counts before all is written. */
  const thin = async (): Promise<void> => {
    const next: string[] = []
    const coin = rng.split(`thin/${level}`)
    const joined = emptyPage(page, floats)
    for (const name of [...pages, undefined]) {
      const one = name === undefined ? tail : await load(name)
      for (let i = 0; i < one.count; i++) {
        if (coin.uniform() < 0.5) continue
        if (joined.count === page) {
          next.push(await store(joined))
          joined.count = 0
        }
        joined.floats.set(one.floats.subarray(i * floats, (i + 1) * floats), joined.count * floats)
        joined.groups[joined.count++] = one.groups[i]!
      }
    }
    tail.floats.set(joined.floats)
    tail.groups.set(joined.groups)
    tail.count = joined.count
    retired = [...retired, ...pages]
    pages = next
    level++
    cache.clear()
  }
  /** Makes room in a full tail: writes it as a page, or thins where there are too many. */
  const settle = async (): Promise<void> => {
    while (tail.count === page) {
      if (pages.length + 1 >= most) await thin()
      else {
        pages = [...pages, await store(tail)]
        tail.count = 0
      }
    }
  }
  // Adds and draws wait for each other, so that a page is never half there.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work, work)
    last = next.catch(() => undefined)
    return next
  }
  const sizeNow = (): number => pages.length * page + tail.count
  return {
    capacity: most * page,
    bytes: (resident + 2) * page * each,
    get size() {
      return sizeNow()
    },
    get seen() {
      return seen
    },
    get refused() {
      return refused
    },
    get share() {
      return 0.5 ** level
    },
    add: (sample) => {
      checkSample(WHERE, sample, sample.group ?? 0, options)
      // The caller may reuse its arrays before it is this sample's turn.
      const { x, y, extra, group = 0 } = sample
      const row = Float32Array.from([
        ...Array.from(x),
        ...(typeof y === 'number' ? [y] : Array.from(y)),
        ...Array.from(extra ?? []),
      ])
      const good = finite(sample)
      return inTurn(async () => {
        if (!good) {
          refused++
          return false
        }
        // A full tail that could not be written last time is written first, so that a failed write loses nothing.
        await settle()
        seen++
        if (level > 0 && rng.uniform() >= 0.5 ** level) return false
        tail.floats.set(row, tail.count * floats)
        tail.groups[tail.count++] = group
        return true
      })
    },
    draw: (count) => {
      check(
        Number.isInteger(count) && count >= 1,
        WHERE,
        () => `count must be an integer from 1, got ${describe(count)}.`,
      )
      return inTurn(async () => {
        const size = sizeNow()
        check(size > 0, WHERE, () => 'nothing can be drawn: the buffer is empty.', 'Add a sample first.')
        const draw = emptyDraw(count, { width, targets, extras })
        // Pages by their sizes, then rows evenly: every sample is as likely as any other.
        const weights = [...pages.map(() => page), tail.count]
        const from = Array.from({ length: Math.min(spread, count) }, () => rng.categorical(weights))
        for (const [k, at] of from.entries()) {
          const one = at < pages.length ? await load(pages[at]!) : tail
          for (let i = k; i < count; i += from.length) {
            const row = rng.int(0, one.count)
            draw.slots[i] = row
            draw.groups[i] = one.groups[row]!
            const values = one.floats.subarray(row * floats, (row + 1) * floats)
            draw.x.set(values.subarray(0, width), i * width)
            draw.y.set(values.subarray(width, width + targets), i * targets)
            draw.extra.set(values.subarray(width + targets), i * extras)
          }
        }
        return draw
      })
    },
    snapshot: () =>
      inTurn(async () =>
        createSnapshot({
          id: WHERE,
          version: 1,
          config: options,
          state: {
            seen,
            refused,
            level,
            rng: rng.state(),
            pages: [...pages],
            retired: [...retired],
            rows: arrayLeaf('float32', [tail.count, floats], tail.floats.slice(0, tail.count * floats)),
            groups: arrayLeaf('int32', [tail.count], tail.groups.slice(0, tail.count)),
          },
        }),
      ),
    sweep: () =>
      inTurn(async () => {
        const used = new Set(pages)
        const gone = [...new Set(retired)].filter((name) => !used.has(name))
        for (const name of gone) await blobs.remove?.(name)
        retired = []
        return gone.length
      }),
  }
}

type Complete = {
  readonly bytes: number
  readonly width: number
  readonly targets: number
  readonly extras: number
  readonly seed: number | string
  readonly page: number
  readonly resident: number
  readonly spread: number
}

function complete(options: SpilledReplayOptions): Complete {
  const { bytes, width, targets = 1, extras = 0, seed = 0, page = 1024, resident = 4, spread = 4 } = options
  for (const [name, value] of Object.entries({ width, targets, extras, page, resident, spread })) {
    const least = name === 'extras' ? 0 : 1
    check(
      Number.isInteger(value) && value >= least,
      WHERE,
      () => `${name} must be an integer from ${least}, got ${describe(value)}.`,
    )
  }
  check(Number.isFinite(bytes) && bytes > 0, WHERE, () => `bytes must be a number above 0, got ${describe(bytes)}.`)
  return { bytes, width, targets, extras, seed, page, resident, spread }
}

function read(snapshot: Snapshot) {
  const count = schema.integer({ min: 0 })
  const size = schema.integer({ min: 1 })
  return restore(snapshot, {
    id: WHERE,
    version: 1,
    config: schema.object({
      bytes: schema.number({ min: 1 }),
      width: size,
      targets: size,
      extras: count,
      seed: schema.union(schema.number(), schema.string()),
      page: size,
      resident: size,
      spread: size,
    }),
    state: ({ width, targets, extras }: Complete) =>
      schema.object({
        seen: count,
        refused: count,
        level: count,
        rng: rngSchema,
        pages: schema.list(schema.string()),
        retired: schema.list(schema.string()),
        rows: schema.leaf('float32', [null, width + targets + extras]),
        groups: schema.leaf('int32', [null]),
      }),
  })
}
