import { RegimenError } from '@regimen/core'
import type { StudyEntry } from '../entries.ts'

/** Reads one entry from its JSON; a clear error where it is none. */
export function parseEntry(text: string, where: string): StudyEntry {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new RegimenError(`${where} is no JSON.`, { code: 'CORRUPT_STUDY', where: 'bayes/storage', cause })
  }
  if (typeof value !== 'object' || value === null || typeof (value as { t?: unknown }).t !== 'string') {
    throw new RegimenError(`${where} is no entry of a study.`, { code: 'CORRUPT_STUDY', where: 'bayes/storage' })
  }
  return value as StudyEntry
}
