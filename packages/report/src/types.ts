/** A series of numbers: an array or any typed array. `null`, `undefined`, `NaN` and `±Infinity` are drawn as gaps. */
export type Numbers = ArrayLike<number | null | undefined>

/**
 * How a number is written on axes, in hovers, tables and cards: `number` (four significant digits), `integer`, `price`
 * (two decimals), `percent` (0.123 → 12.3%), `date` and `time` (UTC, from epoch milliseconds).
 */
export type Format = 'number' | 'integer' | 'price' | 'percent' | 'date' | 'time'

/** How a long series is thinned before it is written into the file. */
export interface Sampling {
  /**
   * `minmax` keeps the lowest and the highest point of every bucket, so no spike is lost; `lttb`
   * (largest-triangle-three-buckets) keeps the points that shape the curve; `none` writes every point.
   * @default 'minmax'
   */
  readonly method?: 'minmax' | 'lttb' | 'none'
  /**
   * Most points kept per series (candles: most candles), from 4.
   * @default 4000 (candles: 1000)
   */
  readonly maxPoints?: number
}

/** A stretch [start, end) of a chart's points, by index, that carries one label: core's `Segment` with a name or number. */
export interface RibbonSegment {
  readonly start: number
  readonly end: number
  readonly label: string | number
}

/** Stretches of the x axis coloured by a label, typically the market's regime. Give `labels` or `segments`. */
export interface Ribbon {
  /** One label per point of the chart; runs of equal labels become one stretch, `null` and `NaN` leave it blank. */
  readonly labels?: ArrayLike<string | number | null | undefined>
  /** Stretches by index into the chart's points. */
  readonly segments?: readonly RibbonSegment[]
  /** Names of numeric labels: label 2 is shown as `names[2]`. */
  readonly names?: readonly string[]
}

/** Something that happened at one place of the x axis: a promotion, a rollback, a drift alarm. */
export interface EventMark {
  /** Where, in the x axis' own unit (epoch milliseconds on a time axis). */
  readonly at: number
  /** Short name, shown in the hover and the data table. */
  readonly label: string
  /** Groups events: one colour and one legend entry per kind. @default 'event' */
  readonly kind?: string
  /** A sentence more, shown in the hover. */
  readonly detail?: string
}

/** A horizontal line to compare with. */
export interface ReferenceLine {
  readonly y: number
  readonly label?: string
}

/** A lower and an upper bound around a series: a confidence or prediction interval. */
export interface Band {
  readonly low: Numbers
  readonly high: Numbers
  /** For example `95%`. */
  readonly label?: string
}

/** What every figure has. */
export interface FigureOptions {
  /** Caption of the figure and its accessible name. */
  readonly title: string
  /** One or two sentences below the title: what to look for. */
  readonly description?: string
  /** Height of the drawing in CSS pixels, 40 to 2000. The default depends on the chart. */
  readonly height?: number
}

/** What every chart over an x axis has. */
export interface AxisOptions extends FigureOptions {
  /** x values as UTC epoch milliseconds, ascending. Give `time` or `x`, or neither for 0, 1, 2, … */
  readonly time?: Numbers
  /** x values as plain numbers, ascending for lines and candles. */
  readonly x?: Numbers
  readonly xTitle?: string
  readonly yTitle?: string
  /** How y values are written. @default 'number' */
  readonly format?: Format
  /** @default 'linear' */
  readonly scale?: 'linear' | 'log'
  /** Coloured stretches behind the chart. */
  readonly ribbon?: Ribbon
  /** Marks along the top of the chart. */
  readonly events?: readonly EventMark[]
  readonly references?: readonly ReferenceLine[]
  readonly sampling?: Sampling
}
