import { openModule } from '../simd/assemble.ts'
import { BLOCK, gaussianFunctions, type Layout, layoutOf } from './block-simd.ts'

/** What one block of rows needs, column by column: every array is (something) × BLOCK, so that rows lie side by side. */
export interface BlockEngine {
  readonly layout: Layout
  /** columns × BLOCK. */
  readonly rows: Float64Array
  /** components × BLOCK: quadratics, densities, responsibilities or weights. */
  readonly work: Float64Array
  /** Largest of `work` over the components, and Σ exp(work − top), a number a row, left by `softmax`. */
  readonly top: Float64Array
  readonly sum: Float64Array
  /** A component: centre, rows of L⁻¹ (triangular, or the diagonal), constant, factor. */
  readonly parameters: Float64Array
  /** A component: count, first, second (triangular, or the diagonal). */
  readonly sums: Float64Array
  /** work = constant + factor · ‖L⁻¹(x − centre)‖². */
  evaluate(component: number): void
  /** work ← exp(work − top) / sum over the components. */
  softmax(): void
  /** Adds work · (1, x − centre, (x − centre)(x − centre)ᵀ) to `sums`. */
  gather(component: number): void
}

/** Opens the WebAssembly engine, or the plain one where that cannot be or is asked for. */
export function openBlock(k: number, d: number, diagonal: boolean, plain = false): BlockEngine {
  const layout = layoutOf(k, d, diagonal)
  // Unrolled code grows with the square of the columns.
  const opened =
    plain || d > 16 ? undefined : openModule(`${d} ${diagonal}`, () => gaussianFunctions(d, diagonal), layout.bytes)
  const memory = opened?.memory ?? new ArrayBuffer(layout.bytes)
  const view = (from: number, length: number): Float64Array => new Float64Array(memory, from, length)
  const shared = {
    layout,
    rows: view(layout.rows, d * BLOCK),
    work: view(layout.work, k * BLOCK),
    top: view(layout.top, BLOCK),
    sum: view(layout.sum, BLOCK),
    parameters: view(layout.parameters, k * layout.parameterSize),
    sums: view(layout.sums, k * layout.sumSize),
  }
  if (opened === undefined) return plainEngine(k, d, diagonal, shared)
  const { evaluate, softmax, gather } = opened.call
  const step = 8 * BLOCK
  return {
    ...shared,
    evaluate: (c) =>
      evaluate!(
        layout.rows,
        layout.rows + step,
        layout.work + c * step,
        layout.parameters + 8 * c * layout.parameterSize,
      ),
    softmax: () => softmax!(layout.work, layout.work + step, layout.work + k * step, layout.top, layout.sum),
    gather: (c) =>
      gather!(
        layout.rows,
        layout.rows + step,
        layout.work + c * step,
        layout.parameters + 8 * c * layout.parameterSize,
        layout.sums + 8 * c * layout.sumSize,
        layout.scratch,
      ),
  }
}

function plainEngine(
  k: number,
  d: number,
  diagonal: boolean,
  shared: Omit<BlockEngine, 'evaluate' | 'softmax' | 'gather'>,
): BlockEngine {
  const { layout, rows, work, top, sum, parameters, sums } = shared
  const diff = new Float64Array(d)
  return {
    ...shared,
    evaluate(c) {
      const base = c * layout.parameterSize
      const constant = parameters[base + layout.parameterSize - 2]!
      const factor = parameters[base + layout.parameterSize - 1]!
      for (let t = 0; t < BLOCK; t++) {
        for (let j = 0; j < d; j++) diff[j] = rows[j * BLOCK + t]! - parameters[base + j]!
        let q = 0
        for (let i = 0, at = base + d; i < d; i++) {
          let y = 0
          for (let j = diagonal ? i : 0; j <= i; j++) y += parameters[at++]! * diff[j]!
          q += y * y
        }
        work[c * BLOCK + t] = Math.max(constant + factor * q, -1e300)
      }
    },
    softmax() {
      for (let t = 0; t < BLOCK; t++) {
        let best = work[t]!
        for (let c = 1; c < k; c++) best = Math.max(best, work[c * BLOCK + t]!)
        let total = 0
        for (let c = 0; c < k; c++) {
          const gap = work[c * BLOCK + t]! - best
          // Below e⁻⁴⁵ a term is lost in the sum's rounding.
          const value = gap > -45 ? Math.exp(gap) : 0
          work[c * BLOCK + t] = value
          total += value
        }
        for (let c = 0; c < k; c++) work[c * BLOCK + t]! /= total
        top[t] = best
        sum[t] = total
      }
    },
    gather(c) {
      const base = c * layout.parameterSize
      const to = c * layout.sumSize
      for (let t = 0; t < BLOCK; t++) {
        const w = work[c * BLOCK + t]!
        if (w === 0) continue
        sums[to]! += w
        for (let j = 0; j < d; j++) {
          diff[j] = rows[j * BLOCK + t]! - parameters[base + j]!
          sums[to + 1 + j]! += w * diff[j]!
        }
        for (let i = 0, at = to + 1 + d; i < d; i++)
          for (let j = diagonal ? i : 0; j <= i; j++) sums[at++]! += w * diff[i]! * diff[j]!
      }
    },
  }
}
