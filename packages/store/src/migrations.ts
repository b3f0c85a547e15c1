import { check, describe, RegimenError, type Tree } from '@regimen/core'
import type { LogRecord } from './log.ts'

/** Layout of the records that this release writes. */
export const FORMAT = 1

interface Data {
  readonly [key: string]: Tree
}

/**
 * What turns the data of a record of format i into those of format i + 1. The log is never rewritten, which its hashes would
 * tell: old records are read through these. A release that changes the layout adds one, and a fixture of the old layout.
 */
const UPGRADES: readonly ((type: string, data: Data) => Data)[] = [fromPreview]

/** A record in the layout of this release. */
export function upgraded(record: LogRecord, format: number): LogRecord {
  if (format === FORMAT || !record.type.startsWith('store/')) return record
  let { data } = record
  for (const upgrade of UPGRADES.slice(format)) data = upgrade(record.type, data)
  return { ...record, data }
}

/** The format that a record of type `store/create` or `store/migrate` announces; one that is not known is an error. */
export function announcedFormat({ data: { format } }: LogRecord): number {
  if (typeof format === 'number' && format > FORMAT) {
    throw new RegimenError(`the store is of format ${format}, this release knows 0 to ${FORMAT}.`, {
      code: 'STORE_FORMAT',
      where: 'store',
      hint: 'Upgrade @regimen/store.',
    })
  }
  check(
    Number.isInteger(format) && (format as number) >= 0,
    'store',
    () => `the log names its format ${describe(format)}.`,
    'It was not written by this library.',
  )
  return format as number
}

/** Format 0, of the previews: metrics without a dataset, parents by number within the model, aliases' ends under other names. */
function fromPreview(type: string, data: Data): Data {
  switch (type) {
    case 'store/publish': {
      const { metrics, parents, ...rest } = data
      const lineage = ((parents ?? []) as readonly number[]).map((number) => `${String(data.model)}@${number}`)
      return {
        files: {},
        samples: {},
        checks: {},
        tags: {},
        ...rest,
        metrics: { validation: metrics ?? {} },
        parents: lineage,
      }
    }
    case 'store/measure':
      return { checks: {}, ...data, metrics: { validation: data.metrics ?? {} } }
    case 'store/alias': {
      const { previous = null, version = null, ...rest } = data
      return { rollback: false, ...rest, from: previous, to: version }
    }
    default:
      return data
  }
}
