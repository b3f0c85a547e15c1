import { check, describe } from '@regimen/core'
import type { AxisOptions, FigureOptions, Numbers, Ribbon, Sampling } from './types.ts'

/** Checks what every figure has; `where` is `report/<chart>`. */
export function checkFigure(options: FigureOptions, where: string): void {
  checkText(options.title, 'title', where)
  if (options.description !== undefined) checkText(options.description, 'description', where)
  const { height } = options
  check(
    height === undefined || (Number.isFinite(height) && height >= 40 && height <= 2000),
    where,
    () => `height must be from 40 to 2000 CSS pixels, got ${describe(height)}.`,
    'Leave it out for the default.',
  )
}

export function checkText(value: unknown, name: string, where: string): void {
  check(typeof value === 'string', where, () => `${name} must be a string, got ${describe(value)}.`)
}

export function checkNumbers(values: Numbers, name: string, where: string): void {
  const ok =
    values !== null &&
    typeof values === 'object' &&
    Number.isInteger(values.length) &&
    (values.length === 0 || ['number', 'undefined'].includes(typeof values[0]) || values[0] === null)
  check(
    ok,
    where,
    () => `${name} must be an array or typed array of numbers, got ${describe(values)}.`,
    'Write missing values as null or NaN.',
  )
}

export function checkLength(values: { readonly length: number }, length: number, name: string, where: string): void {
  check(
    values.length === length,
    where,
    () => `${name} has ${values.length} values, expected ${length}.`,
    'All series of one chart share its x values; fill gaps with NaN.',
  )
}

/** Checks x values, sampling, ribbon, events and references of a chart with `length` points. */
export function checkAxis(options: AxisOptions, length: number, where: string, ascending = true): void {
  checkFigure(options, where)
  check(
    options.x === undefined || options.time === undefined,
    where,
    () => 'both x and time were given.',
    'Pass time for UTC epoch milliseconds, x for other numbers.',
  )
  const axis = options.time ?? options.x
  if (axis) {
    const name = options.time ? 'time' : 'x'
    checkNumbers(axis, name, where)
    checkLength(axis, length, name, where)
    checkAxisValues(axis, name, where, ascending)
  }
  checkSampling(options.sampling, where)
  if (options.ribbon) checkRibbon(options.ribbon, length, where)
  for (const [i, event] of (options.events ?? []).entries()) {
    check(Number.isFinite(event.at), where, () => `events[${i}].at must be finite, got ${describe(event.at)}.`)
    checkText(event.label, `events[${i}].label`, where)
  }
  for (const [i, line] of (options.references ?? []).entries()) {
    check(Number.isFinite(line.y), where, () => `references[${i}].y must be finite, got ${describe(line.y)}.`)
  }
}

export function checkSampling(sampling: Sampling | undefined, where: string): void {
  const method = sampling?.method ?? 'minmax'
  check(
    method === 'minmax' || method === 'lttb' || method === 'none',
    where,
    () => `sampling.method must be minmax, lttb or none, got ${describe(method)}.`,
  )
  const most = sampling?.maxPoints ?? 4
  check(
    Number.isInteger(most) && most >= 4,
    where,
    () => `sampling.maxPoints must be an integer from 4, got ${describe(most)}.`,
  )
}

export function checkRibbon(ribbon: Ribbon, length: number, where: string): void {
  check(
    (ribbon.labels === undefined) !== (ribbon.segments === undefined),
    where,
    () => 'a ribbon needs either labels or segments.',
    'Pass { labels: [...] } with one label per point, or { segments: [{ start, end, label }] }.',
  )
  if (ribbon.labels) checkLength(ribbon.labels, length, 'ribbon.labels', where)
  for (const [i, { start, end }] of (ribbon.segments ?? []).entries()) {
    check(
      Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end && end <= length,
      where,
      () => `ribbon.segments[${i}] must lie in [0, ${length}) with start < end, got [${start}, ${end}).`,
    )
  }
}

function checkAxisValues(axis: Numbers, name: string, where: string, ascending: boolean): void {
  let previous = Number.NEGATIVE_INFINITY
  for (let i = 0; i < axis.length; i++) {
    const value = axis[i]
    check(
      !ascending || (typeof value === 'number' && Number.isFinite(value)),
      where,
      () => `${name}[${i}] must be a finite number, got ${describe(value)}.`,
    )
    if (!ascending) continue
    check(
      (value as number) >= previous,
      where,
      () => `${name} must ascend, but ${name}[${i}] = ${value} follows ${previous}.`,
      'Sort the series by time first.',
    )
    previous = value as number
  }
}
