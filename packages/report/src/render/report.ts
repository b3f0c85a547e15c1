import { check, describe, RegimenError } from '@regimen/core'
import { type TablePayload, tableHtml, tablePayload } from '../charts/data-table.ts'
import { heatMapHtml } from '../charts/heat-map.ts'
import type { Block, Tabs } from '../charts/layout.ts'
import { metricsHtml } from '../charts/metrics.ts'
import { proseHtml } from '../charts/prose.ts'
import { pageScript } from '../client/script.ts'
import { pageStyle } from '../client/style.ts'
import { checkText } from '../doors.ts'
import { escapeHtml, scriptJson } from '../escape.ts'
import { cssColor, Palette } from '../palette.ts'
import { type DrawnChart, drawFigure, fallbacks } from './draw.ts'
import type { Fallback } from './fallback.ts'
import type { Figure, LegendEntry } from './figure.ts'

/** One section of a report, with its own heading and entry in the contents. */
export interface Section {
  readonly title: string
  /** Text below the heading, in the Markdown of `prose`. */
  readonly intro?: string
  readonly blocks: readonly Block[]
}

/** Options of {@link renderReport}. */
export interface ReportOptions {
  readonly title: string
  readonly subtitle?: string
  readonly sections: readonly Section[]
  /** Last line of the page: what made it, from which data. Times belong here, if anywhere; the report adds none. */
  readonly footer?: string
  /**
   * Language of the texts, as in HTML's `lang`.
   * @default 'en'
   */
  readonly lang?: string
  /**
   * Theme at first: the reader's own, or a fixed one. A button switches it.
   * @default 'auto'
   */
  readonly theme?: 'auto' | 'light' | 'dark'
  /** Source of another Plotly bundle (2.32 or newer) to inline in place of the package's own. */
  readonly plotly?: string
}

interface Page {
  readonly palette: Palette
  readonly figures: Figure[]
  readonly tables: TablePayload[]
  tabs: number
}

const WHERE = 'report/render'
const FALLBACK_ROWS = 60

/**
 * Renders a report into one HTML file that works offline: no request leaves it, and a content security policy forbids
 * any. Charts are drawn by an inlined Plotly (over a megabyte, left out when no chart needs it); tables, key figures, heat maps
 * and text are plain HTML and readable without scripts, and every chart carries its numbers as a table. Light and dark
 * follow the reader's system until a button is pressed. The same input gives the same bytes.
 *
 * ```ts
 * import { lineChart, renderReport } from '@regimen/report'
 *
 * const html = await renderReport({
 *   title: 'My run',
 *   sections: [
 *     { title: 'Equity', blocks: [lineChart({ title: 'Equity', series: [{ name: 'adaptive', y: [1, 1.02, 1.01] }] })] },
 *   ],
 * })
 * html.startsWith('<!doctype html>') // => true
 * ```
 */
export async function renderReport(options: ReportOptions): Promise<string> {
  const { title, subtitle, sections, footer, lang = 'en', theme = 'auto' } = options
  checkText(title, 'title', WHERE)
  check(
    Array.isArray(sections),
    WHERE,
    () => `sections must be an array, got ${describe(sections)}.`,
    'Pass [{ title, blocks }].',
  )
  check(
    theme === 'auto' || theme === 'light' || theme === 'dark',
    WHERE,
    () => `theme must be auto, light or dark, got ${describe(theme)}.`,
  )
  const page: Page = { palette: new Palette(), figures: [], tables: [], tabs: 0 }
  const body = sections.map((section, i) => renderSection(section, i, page)).join('')
  const drawn = page.figures.length > 0
  const plotly = drawn ? (options.plotly ?? (await import('#plotly')).plotlySource) : ''
  check(
    !/<\/script|<!--/i.test(plotly),
    WHERE,
    () => 'the given Plotly source contains </script or <!--, which would end its element.',
    'Pass a minified official bundle.',
  )
  const contents = sections
    .map((section, i) => `<li><a href="#section-${i + 1}">${escapeHtml(section.title)}</a></li>`)
    .join('')
  const payload = scriptJson({ figures: page.figures, tables: page.tables })
  return `<!doctype html>
<html lang="${escapeHtml(lang)}" data-theme="${theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>${pageStyle()}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="page-head">
<div><h1>${escapeHtml(title)}</h1>${subtitle ? `<p class="subtitle">${escapeHtml(subtitle)}</p>` : ''}</div>
<button type="button" id="theme" aria-label="Switch between light and dark" title="Switch between light and dark"><span aria-hidden="true">◐</span></button>
</header>
${sections.length > 1 ? `<nav aria-label="Contents"><ol>${contents}</ol></nav>` : ''}
<main id="main">
${drawn ? '<noscript><p class="notice">Scripts are off: charts are shown as tables of their numbers.</p></noscript>' : ''}
${body}
</main>
${footer ? `<footer>${escapeHtml(footer)}</footer>` : ''}
<script type="application/json" id="payload">${payload}</script>
${drawn ? `<script>${plotly}</script>` : ''}
<script>${pageScript}</script>
</body>
</html>
`
}

function renderSection(section: Section, i: number, page: Page): string {
  checkText(section.title, `sections[${i}].title`, WHERE)
  check(
    Array.isArray(section.blocks),
    WHERE,
    () => `sections[${i}].blocks must be an array, got ${describe(section.blocks)}.`,
  )
  const id = `section-${i + 1}`
  const intro = section.intro ? proseHtml({ kind: 'prose', text: section.intro }) : ''
  const blocks = section.blocks.map((block) => renderBlock(block, page)).join('\n')
  return `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${escapeHtml(section.title)}</h2>${intro}${blocks}</section>\n`
}

function renderBlock(block: Block, page: Page): string {
  switch (block.kind) {
    case 'prose':
      return proseHtml(block)
    case 'metrics':
      return metricsHtml(block)
    case 'table': {
      const payload = tablePayload(block)
      const id = `table-${page.tables.push(payload)}`
      return figureHtml(block, tableHtml(block, payload, id))
    }
    case 'heatmap':
      return figureHtml(block, heatMapHtml(block))
    case 'row':
      return `<div class="row">${block.blocks.map((inner) => `<div>${renderBlock(inner, page)}</div>`).join('')}</div>`
    case 'tabs':
      return renderTabs(block, page)
    case 'lines':
    case 'candles':
    case 'ribbon':
    case 'timeline':
    case 'stack':
    case 'bars':
    case 'scatter':
    case 'histogram':
    case 'parallel':
      return renderDrawn(block, page)
    default:
      throw new RegimenError(`there is no block of kind ${describe((block as { kind?: unknown }).kind)}.`, {
        code: 'INVALID_ARGUMENT',
        where: WHERE,
        hint: 'Make blocks with the functions of @regimen/report, such as lineChart and dataTable.',
      })
  }
}

function renderTabs(block: Tabs, page: Page): string {
  const id = `tabs-${++page.tabs}`
  const buttons = block.tabs.map(
    ({ title }, i) =>
      `<button type="button" role="tab" id="${id}-tab-${i}" aria-controls="${id}-panel-${i}" aria-selected="${i === 0}" tabindex="${i === 0 ? 0 : -1}">${escapeHtml(title)}</button>`,
  )
  const panels = block.tabs.map(({ title, blocks }, i) => {
    const inner = blocks.map((one) => renderBlock(one, page)).join('\n')
    return `<div role="tabpanel" id="${id}-panel-${i}" aria-labelledby="${id}-tab-${i}"${i === 0 ? '' : ' data-closed'}><h3 class="tab-title">${escapeHtml(title)}</h3>${inner}</div>`
  })
  return `<div class="tabs"><div role="tablist">${buttons.join('')}</div>${panels.join('')}</div>`
}

function renderDrawn(chart: DrawnChart, page: Page): string {
  const figure = drawFigure(chart, page.palette)
  const index = page.figures.push(figure) - 1
  const tables = fallbacks(chart)
  const legend = figure.legend.map((entry, i) => legendHtml(entry, i)).join('')
  const inner = [
    legend ? `<div class="legend" role="group" aria-label="Legend">${legend}</div>` : '',
    `<div class="plot" role="img" aria-label="${escapeHtml(describeChart(chart))}" data-figure="${index}" style="height:${figure.height}px"></div>`,
    `<details class="data"><summary>Numbers</summary>${tables.map(({ title, table }) => fallbackHtml(title, table)).join('')}</details>`,
  ]
  return figureHtml(chart, inner.join(''))
}

function figureHtml(block: { readonly title: string; readonly description?: string }, inner: string): string {
  const description = block.description ? `<span>${escapeHtml(block.description)}</span>` : ''
  return `<figure><figcaption><strong>${escapeHtml(block.title)}</strong>${description}</figcaption>${inner}</figure>`
}

function legendHtml({ name, color, mark, hidden }: LegendEntry, index: number): string {
  return `<button type="button" data-entry="${index}" aria-pressed="${!hidden}"><i class="${mark}" style="--k:${cssColor(color)}"></i>${escapeHtml(name)}</button>`
}

function fallbackHtml(title: string, { head, rows }: Fallback): string {
  const heads = head.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join('')
  const body = rows
    .slice(0, FALLBACK_ROWS)
    .map((row) => `<tr>${row.map((text) => `<td>${escapeHtml(text)}</td>`).join('')}</tr>`)
    .join('')
  const rest = rows.length > FALLBACK_ROWS ? `<p class="rest">… and ${rows.length - FALLBACK_ROWS} more rows</p>` : ''
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(title)}"><table><caption>${escapeHtml(title)}</caption><thead><tr>${heads}</tr></thead><tbody>${body}</tbody></table></div>${rest}`
}

const NOUNS: { readonly [kind in DrawnChart['kind']]: string } = {
  lines: 'Line chart',
  candles: 'Candle chart',
  ribbon: 'Strip of labels',
  timeline: 'Timeline',
  stack: 'Stacked charts',
  bars: 'Bar chart',
  scatter: 'Scatter chart',
  histogram: 'Histogram',
  parallel: 'Parallel coordinates',
}

function describeChart(chart: DrawnChart): string {
  const description = chart.description ? ` ${chart.description}` : ''
  return `${NOUNS[chart.kind]}: ${chart.title}.${description} The numbers follow as a table.`
}
