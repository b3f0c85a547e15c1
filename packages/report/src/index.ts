export { barChart } from './charts/bars.ts'
export { candleChart } from './charts/candles.ts'
export { dataTable } from './charts/data-table.ts'
export { heatMap } from './charts/heat-map.ts'
export { histogram } from './charts/histogram.ts'
export { row, stack, tabs } from './charts/layout.ts'
export { bandChart, lineChart } from './charts/lines.ts'
export { metricCards } from './charts/metrics.ts'
export { parallelCoordinates } from './charts/parallel-coordinates.ts'
export { prose } from './charts/prose.ts'
export { ribbonChart } from './charts/ribbon.ts'
export { scatterChart } from './charts/scatter.ts'
export { timeline } from './charts/timeline.ts'
export { downsample } from './downsample.ts'
export { regimeColor } from './palette.ts'
export { renderReport } from './render/report.ts'

// Types.

export type { BarChart, BarChartOptions, BarSeries } from './charts/bars.ts'
export type { CandleChart, CandleChartOptions } from './charts/candles.ts'
export type { DataTable, DataTableOptions, TableCell, TableColumn } from './charts/data-table.ts'
export type { HeatMap, HeatMapOptions } from './charts/heat-map.ts'
export type { Histogram, HistogramOptions } from './charts/histogram.ts'
export type { Block, PanelChart, Row, Stack, StackOptions, Tab, Tabs } from './charts/layout.ts'
export type { BandChartOptions, LineChart, LineChartOptions, LineSeries } from './charts/lines.ts'
export type { Metric, MetricCards, MetricCardsOptions } from './charts/metrics.ts'
export type { ParallelAxis, ParallelCoordinates, ParallelCoordinatesOptions } from './charts/parallel-coordinates.ts'
export type { Prose } from './charts/prose.ts'
export type { RibbonChart, RibbonChartOptions } from './charts/ribbon.ts'
export type { ScatterChart, ScatterChartOptions } from './charts/scatter.ts'
export type { Timeline, TimelineEvent, TimelineOptions } from './charts/timeline.ts'
export type { ReportOptions, Section } from './render/report.ts'
export type {
  AxisOptions,
  Band,
  EventMark,
  FigureOptions,
  Format,
  Numbers,
  ReferenceLine,
  Ribbon,
  RibbonSegment,
  Sampling,
} from './types.ts'
