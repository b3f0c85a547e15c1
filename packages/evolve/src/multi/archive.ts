import {
  arrayLeaf,
  check,
  createSnapshot,
  type Direction,
  describe,
  restore,
  type Snapshot,
  schema,
  type Tree,
} from '@regimen/core'

/** Options of {@link createParetoArchive}. */
export interface ParetoArchiveOptions {
  /** One for each objective. */
  readonly direction: readonly Direction[]
  /**
   * Most members, from 2; the most crowded ones leave.
   * @default 1000
   */
  readonly capacity?: number
}

/** A member of a {@link ParetoArchive}. */
export interface ArchiveMember<Point extends Tree> {
  readonly point: Point
  readonly values: readonly number[]
}

/** Everything undominated that was ever offered. */
export interface ParetoArchive<Point extends Tree> {
  readonly size: number
  /** Takes the member unless one that is there dominates or equals it; those that it dominates leave. */
  add(point: Point, values: readonly number[]): boolean
  members(): ArchiveMember<Point>[]
  snapshot(): Snapshot
}

/**
 * Keeps everything undominated that it is offered, across generations, runs and algorithms: an optimizer's population forgets.
 * Beyond its capacity the member with the least room around it leaves (the extremes stay). Adding takes O(members).
 *
 * ```ts
 * import { createParetoArchive } from '@regimen/evolve'
 *
 * const archive = createParetoArchive<string>({ direction: ['minimize', 'maximize'] })
 * archive.add('a', [1, 1]) // => true
 * archive.add('b', [2, 1]) // => false
 * archive.add('c', [1, 3]) // => true
 * archive.members().map(({ point }) => point) // => ['c']
 * ```
 */
export function createParetoArchive<Point extends Tree>(from: ParetoArchiveOptions | Snapshot): ParetoArchive<Point> {
  const id = 'evolve/pareto-archive'
  const saved =
    'state' in from
      ? restore(from, {
          id,
          version: 1,
          config: schema.object({
            direction: schema.list(schema.literal('minimize', 'maximize')),
            capacity: schema.integer({ min: 2 }),
          }),
          state: ({ direction }) =>
            schema.object({
              points: schema.list(schema.any()),
              values: schema.leaf('float64', [null, direction.length]),
            }),
        })
      : undefined
  const { direction, capacity = 1000 } = saved?.config ?? (from as ParetoArchiveOptions)
  check(
    Array.isArray(direction) && direction.length > 0 && direction.every((d) => d === 'minimize' || d === 'maximize'),
    id,
    () => `direction must list 'minimize' or 'maximize' for each objective, got ${describe(direction)}.`,
  )
  check(
    Number.isInteger(capacity) && capacity >= 2,
    id,
    () => `capacity must be an integer from 2, got ${describe(capacity)}.`,
  )
  const m = direction.length
  const points: Point[] = []
  const rows: Float64Array[] = []
  if (saved) {
    points.push(...(saved.state.points as readonly Point[]))
    points.forEach((_, i) => {
      rows.push(saved.state.values.data.slice(i * m, i * m + m))
    })
  }

  const thin = (): void => {
    const room = new Float64Array(rows.length)
    const order = rows.map((_, i) => i)
    for (let k = 0; k < m; k++) {
      order.sort((i, j) => rows[i]![k]! - rows[j]![k]!)
      const range = rows[order.at(-1)!]![k]! - rows[order[0]!]![k]!
      room[order[0]!] = Number.POSITIVE_INFINITY
      room[order.at(-1)!] = Number.POSITIVE_INFINITY
      for (let p = 1; p < order.length - 1 && range > 0; p++) {
        room[order[p]!]! += (rows[order[p + 1]!]![k]! - rows[order[p - 1]!]![k]!) / range
      }
    }
    const least = room.indexOf(Math.min(...room))
    rows.splice(least, 1)
    points.splice(least, 1)
  }

  return {
    get size() {
      return rows.length
    },
    add(point, values) {
      check(
        values.length === m && values.every((value) => Number.isFinite(value)),
        id,
        () => `values must be ${m} finite numbers, got ${describe(values)}.`,
      )
      const row = Float64Array.from(values, (value, k) => (direction[k] === 'maximize' ? -value : value))
      for (const other of rows) if (covers(other, row)) return false
      let kept = 0
      for (let i = 0; i < rows.length; i++) {
        if (covers(row, rows[i]!)) continue
        rows[kept] = rows[i]!
        points[kept++] = points[i]!
      }
      rows.length = kept
      points.length = kept
      rows.push(row)
      points.push(point)
      if (rows.length <= capacity) return true
      thin()
      return rows.includes(row)
    },
    members: () =>
      rows.map((row, i) => ({
        point: points[i]!,
        values: Array.from(row, (value, k) => (direction[k] === 'maximize' ? -value : value)),
      })),
    snapshot() {
      const values = arrayLeaf('float64', [rows.length, m])
      rows.forEach((row, i) => {
        values.data.set(row, i * m)
      })
      return createSnapshot({
        id,
        version: 1,
        config: { direction: [...direction], capacity },
        state: { points: [...points], values },
      })
    },
  }
}

function covers(a: Float64Array, b: Float64Array): boolean {
  for (let k = 0; k < a.length; k++) if (a[k]! > b[k]!) return false
  return true
}
