import { escapePlotly } from '../escape.ts'
import { formatNumber, plotlyFormat, valueAt } from '../format.ts'
import { type Color, type Palette, TOKENS } from '../palette.ts'
import type { AxisOptions, Numbers } from '../types.ts'

/** Anything that becomes JSON; `undefined` fields are left out. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json | undefined
}

/** One entry of the legend above a drawing: a button that shows and hides its traces and shapes. */
export interface LegendEntry {
  readonly name: string
  readonly color: Color
  readonly mark: 'line' | 'dash' | 'dot' | 'point' | 'box'
  readonly traces: number[]
  readonly shapes: number[]
  hidden: boolean
}

/** A drawing as Plotly takes it, with colour tokens that the page resolves for its theme. */
export interface Figure {
  readonly data: readonly Json[]
  readonly layout: JsonObject
  readonly legend: readonly LegendEntry[]
  readonly height: number
}

/** The values of a chart's x axis and how they are written. */
export interface AxisValues {
  readonly kind: 'time' | 'number'
  readonly length: number
  at(index: number): number
}

export const MARGIN = { l: 58, r: 14, t: 10, b: 38 } as const
const AXIS_TITLE = 20

/** One plot area of a figure; panels of a stack share the figure's x axis. */
export interface Panel {
  readonly figure: FigureBuilder
  /** Plotly's name of its y axis: `y`, `y2`, … */
  readonly y: string
  /** A hidden axis from 0 to 1 over the same area, for marks that have no value. */
  overlay(): string
  /** Reference of the area for shapes, 0 to 1. */
  readonly area: string
}

/** Collects the traces, shapes and axes of one figure. */
export class FigureBuilder {
  readonly palette: Palette
  readonly #data: Json[] = []
  readonly #shapes: Json[] = []
  readonly #annotations: Json[] = []
  readonly #axes: { [name: string]: JsonObject } = {}
  readonly #legend = new Map<string, LegendEntry>()
  #count = 0

  constructor(palette: Palette) {
    this.palette = palette
  }

  panel(axis: JsonObject, domain: readonly [number, number] = [0, 1]): Panel {
    const y = this.#axis({ domain, zeroline: false, automargin: 'left', ...axis })
    let overlay: string | undefined
    return {
      figure: this,
      y,
      area: `${y} domain`,
      overlay: () => {
        overlay ??= this.#axis({ overlaying: y, range: [0, 1], visible: false, fixedrange: true })
        return overlay
      },
    }
  }

  trace(trace: JsonObject): number {
    return this.#data.push({ showlegend: false, xaxis: 'x', ...trace }) - 1
  }

  shape(shape: JsonObject): number {
    return this.#shapes.push(shape) - 1
  }

  annotate(annotation: JsonObject): void {
    this.#annotations.push({ showarrow: false, ...annotation })
  }

  /** Adds traces and shapes to the legend entry of that name; the same name in two panels is one entry. */
  legend(name: string, color: Color, mark: LegendEntry['mark'], parts: Partial<LegendEntry>): void {
    const key = `${mark === 'box' ? 'box' : 'line'} ${name}`
    const entry = this.#legend.get(key) ?? { name, color, mark, traces: [], shapes: [], hidden: false }
    entry.traces.push(...(parts.traces ?? []))
    entry.shapes.push(...(parts.shapes ?? []))
    if (parts.hidden) entry.hidden = true
    this.#legend.set(key, entry)
  }

  finish(plotHeight: number, xaxis: JsonObject, layout: JsonObject = {}): Figure {
    const bottom = MARGIN.b + (xaxis.title ? AXIS_TITLE : 0)
    return {
      data: this.#data,
      layout: {
        margin: { ...MARGIN, b: bottom },
        hovermode: 'x unified',
        barmode: 'overlay',
        ...layout,
        xaxis: { zeroline: false, ...xaxis },
        ...this.#axes,
        ...(this.#shapes.length > 0 ? { shapes: this.#shapes } : {}),
        ...(this.#annotations.length > 0 ? { annotations: this.#annotations } : {}),
      },
      legend: [...this.#legend.values()].sort((a, b) => legendRank(a) - legendRank(b)),
      height: plotHeight + MARGIN.t + bottom,
    }
  }

  #axis(axis: JsonObject): string {
    this.#count++
    const name = this.#count === 1 ? 'y' : `y${this.#count}`
    this.#axes[name.replace('y', 'yaxis')] = axis
    return name
  }
}

/** The y axis of a chart with axis options. */
export function yAxis(options: AxisOptions): JsonObject {
  return {
    ...plotlyFormat(options.format),
    ...(options.scale === 'log' ? { type: 'log' } : {}),
    ...(options.yTitle ? { title: { text: escapePlotly(options.yTitle), standoff: 6 } } : {}),
  }
}

/** The x axis of a chart with axis options. */
export function xAxis(options: AxisOptions): JsonObject {
  return {
    ...(options.time
      ? { type: 'date', hoverformat: '%Y-%m-%d %H:%M' }
      : { type: 'linear', ...plotlyFormat(undefined) }),
    ...(options.xTitle ? { title: { text: escapePlotly(options.xTitle), standoff: 8 } } : {}),
  }
}

export function axisValues(options: AxisOptions, length: number): AxisValues {
  const values = options.time ?? options.x
  return { kind: options.time ? 'time' : 'number', length, at: (i) => (values ? valueAt(values, i) : i) }
}

export function writeX(axis: AxisValues, index: number): string {
  return formatNumber(axis.at(index), axis.kind === 'time' ? 'time' : 'number')
}

/** A number for the file: seven significant digits, integers in full, anything not finite as a gap. */
export function cell(value: number | null | undefined): number | null {
  if (typeof value !== 'number' || !Number.isFinite(value)) return null
  return Number.isInteger(value) ? value + 0 : Number(value.toPrecision(7))
}

export function pick(values: Numbers, indices: readonly number[]): (number | null)[] {
  return indices.map((i) => cell(values[i]))
}

const ORDER = Object.keys(TOKENS)

/** Lines and points come first, in their order; fixed labels such as regimes follow in the palette's order. */
function legendRank(entry: LegendEntry): number {
  return entry.mark === 'box' && entry.shapes.length > 0 ? 1 + ORDER.indexOf(entry.color.slice(1)) : 0
}
