import type { Dimension } from '@regimen/core'
import { fromUnit, levelsOf, type ParamValue, toUnit } from '../space.ts'

/** The values of one parameter over all trials, as coordinates in [0, 1] (categories as their index); NaN where absent. */
export class Column {
  readonly dimension: Dimension
  readonly levels: number
  readonly categorical: boolean
  #data = new Float64Array(64).fill(Number.NaN)

  constructor(dimension: Dimension) {
    this.dimension = dimension
    this.levels = levelsOf(dimension)
    this.categorical = dimension.type === 'categorical'
  }

  set(number: number, value: ParamValue): number {
    if (number >= this.#data.length) {
      const grown = new Float64Array(Math.max(number + 1, 2 * this.#data.length)).fill(Number.NaN)
      grown.set(this.#data)
      this.#data = grown
    }
    const x = this.code(value)
    this.#data[number] = x
    return x
  }

  at(number: number): number {
    return number < this.#data.length ? this.#data[number]! : Number.NaN
  }

  code(value: ParamValue): number {
    const { dimension } = this
    return dimension.type === 'categorical' ? dimension.choices.indexOf(value) : toUnit(dimension, value)
  }

  value(code: number): ParamValue {
    const { dimension } = this
    return dimension.type === 'categorical' ? dimension.choices[code]! : fromUnit(dimension, code)
  }

  /** For a grid: the stretch of [0, 1] that stands for the same value as `u`, as [centre, left, right]. */
  stretch(u: number, out: Float64Array): void {
    const { dimension } = this
    if (dimension.type !== 'categorical' && dimension.log) {
      // Whole numbers on a logarithmic scale own half a unit on either side.
      const value = fromUnit(dimension, u) as number
      const low = Math.log(dimension.low - 0.5)
      const width = Math.log(dimension.high + 0.5) - low
      out[0] = (Math.log(value) - low) / width
      out[1] = (Math.log(value - 0.5) - low) / width
      out[2] = (Math.log(value + 0.5) - low) / width
      return
    }
    const level = Math.min(Math.floor(u * this.levels), this.levels - 1)
    out[0] = (level + 0.5) / this.levels
    out[1] = level / this.levels
    out[2] = (level + 1) / this.levels
  }
}
