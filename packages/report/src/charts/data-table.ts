import { check, describe } from '@regimen/core'
import { checkFigure, checkLength, checkText } from '../doors.ts'
import { escapeHtml } from '../escape.ts'
import { formatNumber } from '../format.ts'
import type { FigureOptions, Format } from '../types.ts'

/** One column of a {@link dataTable}. */
export interface TableColumn {
  readonly name: string
  /** How numbers are written. @default 'number' */
  readonly format?: Format
  /** Sets the best number of the column in bold. */
  readonly best?: 'high' | 'low'
}

/** What a cell holds; `null` and `NaN` are shown as a dash. */
export type TableCell = string | number | boolean | null | undefined

/** Options of {@link dataTable}. */
export interface DataTableOptions extends Omit<FigureOptions, 'height'> {
  readonly columns: readonly TableColumn[]
  readonly rows: readonly (readonly TableCell[])[]
  /** Offers a search field. The default does from 13 rows on. */
  readonly search?: boolean
  /** Column to sort by at first; the default is the order given. */
  readonly sort?: { readonly column: number; readonly descending?: boolean }
  /**
   * Rows per page, 5 to 1000.
   * @default 25
   */
  readonly pageSize?: number
}

/** A table as data, made by {@link dataTable}. */
export interface DataTable extends DataTableOptions {
  readonly kind: 'table'
}

/** A table's rows as the page's script reads them. */
export interface TablePayload {
  readonly rows: readonly (readonly string[])[]
  /** Sort keys of numeric columns, `null` for text. */
  readonly keys: readonly ((number | null)[] | null)[]
  /** Columns set to the right: numbers that are no dates. */
  readonly right: readonly boolean[]
  readonly best: readonly [row: number, column: number][]
  readonly pageSize: number
  readonly sort: readonly [column: number, descending: boolean] | null
}

const WHERE = 'report/data-table'
/** Characters from which a column keeps a readable width on narrow screens. */
const LONG = 28

/**
 * Describes a table that readers sort by a click on a column and, when it is long, search: metrics of strategies,
 * settings, a decision log of tens of thousands of rows (only the page in view is in the document). Every word typed
 * must occur in the row. Choose {@link heatMap} when the pattern matters more than the numbers.
 *
 * ```ts
 * import { dataTable } from '@regimen/report'
 *
 * const table = dataTable({
 *   title: 'Metrics',
 *   columns: [{ name: 'Strategy' }, { name: 'Sharpe', best: 'high' }, { name: 'Drawdown', format: 'percent' }],
 *   rows: [['adaptive', 1.2, -0.11], ['static', 0.4, -0.25]],
 * })
 * table.rows.length // => 2
 * ```
 */
export function dataTable(options: DataTableOptions): DataTable {
  checkFigure(options, WHERE)
  const { columns, rows, sort, pageSize = 25 } = options
  check(columns.length > 0, WHERE, () => 'columns must not be empty.')
  for (const [i, column] of columns.entries()) checkText(column.name, `columns[${i}].name`, WHERE)
  for (const [i, row] of rows.entries()) checkLength(row, columns.length, `rows[${i}]`, WHERE)
  check(
    sort === undefined || (Number.isInteger(sort.column) && sort.column >= 0 && sort.column < columns.length),
    WHERE,
    () => `sort.column must be from 0 to ${columns.length - 1}, got ${describe(sort?.column)}.`,
  )
  check(
    Number.isInteger(pageSize) && pageSize >= 5 && pageSize <= 1000,
    WHERE,
    () => `pageSize must be an integer from 5 to 1000, got ${describe(pageSize)}.`,
  )
  return { ...options, kind: 'table' }
}

export function tablePayload(table: DataTable): TablePayload {
  const numeric = table.columns.map((_, c) => isNumeric(table, c))
  return {
    rows: table.rows.map((row) => row.map((value, c) => write(value, table.columns[c]?.format))),
    keys: numeric.map((yes, c) => (yes ? table.rows.map((row) => key(row[c])) : null)),
    right: table.columns.map(({ format }, c) => numeric[c] === true && format !== 'date' && format !== 'time'),
    best: table.columns.flatMap((column, c) => bestRows(table, column, c)),
    pageSize: table.pageSize ?? 25,
    sort: table.sort ? [table.sort.column, table.sort.descending ?? false] : null,
  }
}

/** The table with its first page of rows; the script takes over from there. */
export function tableHtml(table: DataTable, payload: TablePayload, id: string): string {
  const head = table.columns.map((column, c) => {
    const long = payload.rows.some((row) => (row[c]?.length ?? 0) > LONG)
    const kind = payload.right[c] ? ' class="num"' : long ? ' class="long"' : ''
    return `<th scope="col"${kind}><button type="button" data-column="${c}">${escapeHtml(column.name)}</button></th>`
  })
  const best = new Set(payload.best.map(([row, column]) => `${row} ${column}`))
  const body = payload.rows.slice(0, payload.pageSize).map((row, r) => {
    const cells = row.map((text, c) => {
      const names = [payload.right[c] ? 'num' : '', best.has(`${r} ${c}`) ? 'best' : ''].filter(Boolean).join(' ')
      return `<td${names ? ` class="${names}"` : ''}>${escapeHtml(text)}</td>`
    })
    return `<tr>${cells.join('')}</tr>`
  })
  const title = escapeHtml(table.title)
  const long = table.search ?? table.rows.length > 12
  const search = long
    ? `<input type="search" placeholder="Search ${formatNumber(table.rows.length, 'integer')} rows" aria-label="Search ${title}" autocomplete="off" spellcheck="false">`
    : ''
  const tools = `<div class="tools"${long ? '' : ' hidden'}>${search}<span class="count" role="status"></span></div>`
  const pager =
    '<div class="pager" hidden><button type="button" data-step="-1">Previous</button><span></span><button type="button" data-step="1">Next</button></div>'
  return `<div class="table" id="${id}">${tools}<div class="scroll" tabindex="0" role="region" aria-label="${title}"><table><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>${pager}</div>`
}

function isNumeric(table: DataTable, column: number): boolean {
  let any = false
  for (const row of table.rows) {
    const value = row[column]
    if (value === null || value === undefined) continue
    if (typeof value !== 'number') return false
    any = true
  }
  return any
}

function bestRows(table: DataTable, column: TableColumn, c: number): [number, number][] {
  if (!column.best) return []
  const sign = column.best === 'high' ? 1 : -1
  const scores = table.rows.map((row) => sign * (key(row[c]) ?? Number.NaN))
  const top = scores.reduce(
    (most, score) => (Number.isNaN(score) ? most : Math.max(most, score)),
    Number.NEGATIVE_INFINITY,
  )
  return scores.flatMap((score, r): [number, number][] => (score === top ? [[r, c]] : []))
}

function write(value: TableCell, format: Format | undefined): string {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return formatNumber(value, format)
}

function key(value: TableCell): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
