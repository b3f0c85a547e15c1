import { check, describe } from '@regimen/core'
import { columnRole } from './layout.ts'
import { collectRows, finish, type LoadedBars, type LoadOptions } from './raw.ts'

/** Options of {@link loadRows}. */
export interface LoadRowsOptions extends LoadOptions {
  /**
   * Property that holds each column, where the names are unusual.
   * @default found by name: time, date, timestamp, t, open, o, …
   */
  columns?: { readonly [column in 'time' | 'open' | 'high' | 'low' | 'close' | 'volume']?: string } | undefined
}

const WHERE = 'market/load-rows'
const NAMES = ['time', 'open', 'high', 'low', 'close', 'volume'] as const

/**
 * Loads bars from an array of objects, as REST APIs and databases return them. Numbers that arrive as strings are
 * converted and counted in the report; times may be `Date`s, epoch numbers or text.
 *
 * ```ts
 * import { loadRows } from '@regimen/market'
 *
 * const { bars, report } = loadRows(
 *   [
 *     { t: '2024-01-01', o: '10', h: '12', l: '9', c: '11' },
 *     { t: '2024-01-02', o: '11', h: '13', l: '10', c: '12' },
 *   ],
 * )
 * bars.close[1] // => 12
 * report.converted // => 8
 * ```
 */
export function loadRows(
  rows: readonly { readonly [name: string]: unknown }[],
  options: LoadRowsOptions = {},
): LoadedBars {
  check(Array.isArray(rows) && rows.length > 0, WHERE, () => `rows must be a non-empty array, got ${describe(rows)}.`)
  const first = rows[0]
  check(
    first !== null && typeof first === 'object' && !Array.isArray(first),
    WHERE,
    () => `rows must be objects, got ${describe(first)}.`,
    'Use loadCcxt for arrays of numbers.',
  )
  const keys = Object.keys(first)
  const named = NAMES.map((name, k) => options.columns?.[name] ?? keys.find((key) => columnRole(key) === k + 1))
  for (let k = 0; k < 5; k++) {
    check(
      named[k] !== undefined,
      WHERE,
      () => `no property of the first row holds ${NAMES[k]}: ${keys.join(', ')}.`,
      `Pass { columns: { ${NAMES[k]}: 'name' } }.`,
    )
  }
  const cell = (row: number, k: number): unknown => rows[row]?.[named[k]!]
  return finish(collectRows(WHERE, rows.length, cell, named[5] !== undefined, options), options)
}
