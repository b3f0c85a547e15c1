import type { Format, Numbers } from './types.ts'

/** Writes a number the same way on every machine; anything that is not finite becomes an en dash. */
export function formatNumber(value: number | null | undefined, format: Format = 'number'): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return '–'
  switch (format) {
    case 'integer':
      return group(Math.round(value).toFixed(0))
    case 'price':
      return group(value.toFixed(2))
    case 'percent': {
      const percent = value * 100
      return `${group(percent.toFixed(percent !== 0 && Math.abs(percent) < 0.1 ? 3 : Math.abs(percent) < 10 ? 2 : 1))}%`
    }
    case 'date':
      return iso(value).slice(0, 10)
    case 'time':
      return iso(value).slice(0, 16).replace('T', ' ')
    case 'number':
      return significant(value)
  }
}

/** Plotly's (d3's) name of a format, for ticks and hovers. */
export function plotlyFormat(format: Format | undefined): { tickformat?: string; hoverformat?: string } {
  switch (format) {
    case 'integer':
      return { tickformat: ',d', hoverformat: ',d' }
    case 'price':
      return { hoverformat: ',.2f' }
    case 'percent':
      return { tickformat: '~%', hoverformat: '.2%' }
    default:
      return { hoverformat: ',.4~g' }
  }
}

/** The value at an index, or NaN where there is none. */
export function valueAt(values: Numbers, index: number): number {
  const value = values[index]
  return typeof value === 'number' && Number.isFinite(value) ? value : Number.NaN
}

function significant(value: number): string {
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size >= 1e9 || size < 1e-4) return value.toExponential(2)
  if (Number.isInteger(value)) return group(value.toFixed(0))
  const decimals = Math.max(0, 3 - Math.floor(Math.log10(size)))
  return group(
    value
      .toFixed(Math.min(decimals, 6))
      .replace(/(\.\d*?)0+$/, '$1')
      .replace(/\.$/, ''),
  )
}

function group(digits: string): string {
  const [whole = '', fraction] = digits.split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

function iso(milliseconds: number): string {
  const limit = 8.64e15
  return new Date(Math.max(-limit, Math.min(limit, milliseconds))).toISOString()
}
