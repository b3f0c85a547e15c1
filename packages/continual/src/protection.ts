import { arrayLeaf, check, type Tree } from '@regimen/core'
import type { FlatNet } from './flat.ts'
import { type Fisher, openFisher } from './importance/fisher.ts'
import { openSensitivity } from './importance/output-sensitivity.ts'
import { pathImportance } from './importance/path-integral.ts'
import { consolidate, type QuadraticPenalty, suggestLambda } from './importance/penalty.ts'
import type { PerSampleSum } from './importance/per-sample.ts'
import type { PenaltyStrategy } from './strategy.ts'

/** Samples on which importances are measured, with what is added to their outputs. */
export interface Measured {
  readonly x: Float32Array
  readonly y: Float32Array
  readonly offsets: Float32Array
}

/** What the step adds to a gradient: λ Ω (θ − θ*). */
export interface Pull {
  readonly importance: Float32Array
  readonly anchor: Float32Array
  readonly lambda: number
}

/** The penalty of a strategy: measures importances, anchors, and pulls. */
export interface Protection {
  /** Undefined before the first consolidation. */
  readonly pull: Pull | undefined
  readonly lambda: number
  /** The running path integral of SI; undefined for other penalties. */
  path: Float32Array | undefined
  readonly bytes: number
  /** Adds the pull in float64. */
  addPull(gradient: Float64Array, vector: Float32Array): void
  /** λ from data, before a task is learned; `gradient` is that of its loss. */
  suggest(vector: Float32Array, samples: Measured, gradient: Float64Array, seed: string): Promise<void>
  /** Protects these parameters; `mask` has a factor for each. */
  anchor(vector: Float32Array, samples: Measured, mask: ArrayLike<number> | undefined, seed: string): Promise<void>
  state(): { readonly [name: string]: Tree }
  restore(saved: SavedProtection): void
  dispose(): Promise<void>
}

/** What a snapshot keeps of it. */
export interface SavedProtection {
  readonly importance: { readonly data: Float64Array } | null
  readonly anchor: { readonly data: Float64Array } | null
  readonly path: { readonly data: Float32Array } | null
  readonly start: { readonly data: Float32Array }
  readonly lambda: number
}

/** Opens the penalty of a strategy over the parameters of a net. */
export function openProtection<P>(
  flat: FlatNet<P>,
  penalty: PenaltyStrategy | undefined,
  options: {
    readonly shape: readonly number[]
    readonly outputs: number
    readonly likelihood: 'softmax' | 'gaussian'
    readonly start: Float32Array
    readonly where: string
  },
): Protection {
  const { shape, outputs, likelihood, where } = options
  const { size } = flat
  let total: QuadraticPenalty | undefined
  let pull: Pull | undefined
  let { start } = options
  let path: Float32Array | undefined = penalty?.kind === 'si' ? new Float32Array(size) : undefined
  let lambda = penalty === undefined || penalty.lambda === 'auto' ? 1 : penalty.lambda
  let fisher: Fisher | undefined
  let sensitivity: PerSampleSum | undefined
  const fixedMask = strategyMask(flat.paths, flat.sizes, penalty?.mask, where)
  // Float32 copies are made once a task, not once a step.
  const refresh = (): void => {
    pull = total && { importance: Float32Array.from(total.importance), anchor: Float32Array.from(total.anchor), lambda }
  }
  const fisherAt = (vector: Float32Array, { x, y, offsets }: Measured, seed: string): Promise<Float64Array> => {
    const kind = (penalty?.kind === 'ewc' ? penalty.fisher : undefined) ?? 'exact'
    fisher ??= openFisher(flat, { kind, likelihood, outputs })
    return fisher.diagonal(vector, { x, y, width: shape }, { offsets, seed })
  }
  const measure = (vector: Float32Array, samples: Measured, seed: string): Promise<Float64Array> => {
    if (penalty?.kind === 'ewc') return fisherAt(vector, samples, seed)
    sensitivity ??= openSensitivity(flat)
    return sensitivity.mean(vector, { ...samples, width: shape })
  }
  return {
    get pull() {
      return pull
    },
    get lambda() {
      return lambda
    },
    get path() {
      return path
    },
    set path(next) {
      path = next
    },
    get bytes() {
      return size * ((path ? 8 : 0) + (penalty ? 24 : 0))
    },
    addPull(gradient, vector) {
      if (!total) return
      for (let i = 0; i < size; i++) gradient[i]! += lambda * total.importance[i]! * (vector[i]! - total.anchor[i]!)
    },
    async suggest(vector, samples, gradient, seed) {
      if (penalty?.kind !== 'ewc' || penalty.lambda !== 'auto' || !total) return
      const fresh = await fisherAt(vector, samples, seed)
      const { tolerance } = penalty
      lambda = suggestLambda({
        old: total.importance,
        new: fresh,
        gradient,
        ...(tolerance === undefined ? {} : { tolerance }),
      })
      refresh()
    },
    async anchor(vector, samples, mask, seed) {
      if (!penalty) return
      check(
        mask === undefined || mask.length === size,
        where,
        () => `mask must hold ${size} numbers, got ${mask?.length}.`,
      )
      const importance =
        penalty.kind === 'si'
          ? pathImportance(path!, start, vector, penalty.damping ?? 0.1)
          : await measure(vector, samples, seed)
      if (fixedMask) for (let i = 0; i < size; i++) importance[i]! *= fixedMask[i]!
      const latest = penalty.kind !== 'ewc' || penalty.anchors === 'latest'
      total = consolidate(total, {
        importance,
        params: vector,
        anchors: latest ? 'latest' : 'separate',
        decay: (penalty.kind === 'ewc' ? penalty.decay : undefined) ?? 1,
        ...(mask ? { mask } : {}),
      })
      if (path) path = new Float32Array(size)
      start = vector
      refresh()
    },
    state: () => ({
      importance: total ? arrayLeaf('float64', [size], total.importance) : null,
      anchor: total ? arrayLeaf('float64', [size], total.anchor) : null,
      path: path ? arrayLeaf('float32', [size], path) : null,
      start: arrayLeaf('float32', [size], start),
      lambda,
    }),
    restore(saved) {
      total =
        saved.importance && saved.anchor ? { importance: saved.importance.data, anchor: saved.anchor.data } : undefined
      path = saved.path?.data
      start = saved.start.data
      lambda = saved.lambda
      refresh()
    },
    async dispose() {
      await fisher?.dispose()
      await sensitivity?.dispose()
    },
  }
}

/** Factors by the beginnings of paths, as one number a parameter; the longest beginning counts. */
function strategyMask(
  paths: readonly string[],
  sizes: readonly number[],
  factors: { readonly [path: string]: number } | undefined,
  where: string,
): Float64Array | undefined {
  if (!factors) return undefined
  const starts = (path: string, name: string): boolean => path === name || path.startsWith(`${name}.`)
  const names = Object.keys(factors).sort((a, b) => b.length - a.length)
  for (const name of names) {
    check(
      paths.some((path) => starts(path, name)),
      where,
      () => `penalty.mask names ${name}, which no parameter begins with.`,
      `The parameters are ${paths.join(', ')}.`,
    )
  }
  const parts = paths.map((path, i) => {
    const name = names.find((one) => starts(path, one))
    return new Float64Array(sizes[i]!).fill(name === undefined ? 1 : factors[name]!)
  })
  const mask = new Float64Array(sizes.reduce((a, b) => a + b, 0))
  let at = 0
  for (const part of parts) {
    mask.set(part, at)
    at += part.length
  }
  return mask
}
