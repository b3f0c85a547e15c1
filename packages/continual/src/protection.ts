import { arrayLeaf, check, type Tree } from '@regimen/core'
import type { TensorLeaf } from '@regimen/tensor'
import type { FlatNet } from './flat.ts'
import { type Fisher, openFisher } from './importance/fisher.ts'
import { denseLayers, type KroneckerMeasure, type LayerPlace, openKronecker } from './importance/kronecker.ts'
import { type JoinedFactors, joinFactors, kroneckerPenalty } from './importance/kronecker-penalty.ts'
import { openSensitivity } from './importance/output-sensitivity.ts'
import { pathImportance } from './importance/path-integral.ts'
import { consolidate, type QuadraticPenalty, suggestLambda } from './importance/penalty.ts'
import type { PerSampleSum } from './importance/per-sample.ts'
import type { PenaltyStrategy } from './strategy.ts'
import type { SavedFactors } from './trainer-state.ts'

/** Samples on which importances are measured, with what is added to their outputs. */
export interface Measured {
  readonly x: Float32Array
  readonly y: Float32Array
  readonly offsets: Float32Array
}

/** What the step adds to a gradient: λ Ω (θ − θ*), or λ A Δ G for every dense layer. */
export interface Pull {
  readonly importance: Float32Array | null
  readonly factors: readonly { readonly inputs: TensorLeaf; readonly outputs: TensorLeaf }[] | null
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
  readonly kronecker?: SavedFactors
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
  const layers = penalty?.kind === 'ewc' && penalty.fisher === 'kronecker' ? denseLayers(flat) : undefined
  let total: QuadraticPenalty | undefined
  let joined: JoinedFactors | undefined
  let pull: Pull | undefined
  let { start } = options
  let path: Float32Array | undefined = penalty?.kind === 'si' ? new Float32Array(size) : undefined
  let lambda = penalty === undefined || penalty.lambda === 'auto' ? 1 : penalty.lambda
  let fisher: Fisher | undefined
  let kronecker: KroneckerMeasure | undefined
  let sensitivity: PerSampleSum | undefined
  const fixedMask = strategyMask(flat.paths, flat.sizes, penalty?.mask, where)
  // Float32 copies are made once a task, not once a step.
  const refresh = (): void => {
    const square = (side: number, data: Float64Array): TensorLeaf => ({
      dtype: 'float32',
      shape: [side, side],
      data: Float32Array.from(data),
    })
    pull = total && {
      importance: joined ? null : Float32Array.from(total.importance),
      factors:
        joined?.factors.map(({ inputs, outputs: slopes, rows, cols }) => ({
          inputs: square(rows, inputs),
          outputs: square(cols, slopes),
        })) ?? null,
      anchor: Float32Array.from(total.anchor),
      lambda,
    }
  }
  const fisherAt = (vector: Float32Array, { x, y, offsets }: Measured, seed: string): Promise<Float64Array> => {
    const given = penalty?.kind === 'ewc' ? penalty.fisher : undefined
    const kind = given === undefined || given === 'kronecker' ? 'exact' : given
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
      const factors = (layers ?? []).reduce((sum, { rows, cols }) => sum + 12 * (rows * rows + cols * cols), 0)
      return size * ((path ? 8 : 0) + (penalty ? 24 : 0)) + factors
    },
    addPull(gradient, vector) {
      if (!total) return
      const { gradient: slopes } = joined
        ? kroneckerPenalty({ factors: joined.factors, params: vector, anchor: total.anchor })
        : { gradient: undefined }
      if (slopes) for (let i = 0; i < size; i++) gradient[i]! += lambda * slopes[i]!
      else
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
      if (layers && penalty.kind === 'ewc') {
        check(mask === undefined, where, () => 'Kronecker factors take no mask.', 'Leave it out of the data.')
        kronecker ??= openKronecker(flat, { outputs, likelihood })
        const fresh = await kronecker.factors(vector, { ...samples, width: shape }, samples.offsets)
        joined = joinFactors(joined, fresh, penalty.decay ?? 1)
        total = { importance: new Float64Array(size), anchor: Float64Array.from(vector) }
        start = vector
        refresh()
        return
      }
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
      ...(joined
        ? {
            kronecker: {
              weight: joined.weight,
              factors: joined.factors.map(({ inputs, outputs: slopes, rows, cols }) => ({
                inputs: arrayLeaf('float64', [rows, rows], inputs),
                outputs: arrayLeaf('float64', [cols, cols], slopes),
              })),
            },
          }
        : {}),
      path: path ? arrayLeaf('float32', [size], path) : null,
      start: arrayLeaf('float32', [size], start),
      lambda,
    }),
    restore(saved) {
      total =
        saved.importance && saved.anchor ? { importance: saved.importance.data, anchor: saved.anchor.data } : undefined
      joined = saved.kronecker && readFactors(saved.kronecker, layers ?? [], where)
      path = saved.path?.data
      start = saved.start.data
      lambda = saved.lambda
      refresh()
    },
    async dispose() {
      await fisher?.dispose()
      await kronecker?.dispose()
      await sensitivity?.dispose()
    },
  }
}

/** Factors of a snapshot; those of other layers are refused. */
function readFactors(saved: SavedFactors, layers: readonly LayerPlace[], where: string): JoinedFactors {
  const fits = saved.factors.every(({ inputs, outputs }, l) => {
    const { rows, cols } = layers[l] ?? { rows: 0, cols: 0 }
    return inputs.shape.every((side) => side === rows) && outputs.shape.every((side) => side === cols)
  })
  check(
    saved.factors.length === layers.length && fits,
    where,
    () => 'state.kronecker.factors are of other layers than the net has.',
    'The snapshot is damaged, or of another net.',
  )
  const factors = saved.factors.map(({ inputs, outputs }, l) => ({
    rows: layers[l]!.rows,
    cols: layers[l]!.cols,
    inputs: inputs.data,
    outputs: outputs.data,
  }))
  return { weight: saved.weight, factors }
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
