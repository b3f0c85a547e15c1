import { check, describe } from '@regimen/core'

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
const FILE = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,127}$/

/** Names of models, aliases, experiments and splits. They never become paths, so this only keeps them readable. */
export function checkName(kind: string, name: unknown): asserts name is string {
  check(
    typeof name === 'string' && NAME.test(name),
    'store',
    () => `the name of ${kind} must be 1 to 128 letters, digits, dots, dashes or underscores, got ${describe(name)}.`,
    "Pass a name such as 'spy-direction'.",
  )
}

/** Names of files, which an app may well join to a folder: so no separators and no leading dot. */
export function checkFileName(name: unknown): asserts name is string {
  check(
    typeof name === 'string' && FILE.test(name),
    'store',
    () =>
      `a file's name must be 1 to 128 letters, digits, spaces, dots or dashes without a leading dot, got ${describe(name)}.`,
    "Pass a plain name such as 'weights.safetensors'.",
  )
}

/** Every decision carries its reason. */
export function checkReason(reason: unknown): asserts reason is string {
  check(
    typeof reason === 'string' && reason.trim() !== '',
    'store',
    () => `reason must be a sentence, got ${describe(reason)}.`,
    "Pass { reason: 'It beat the incumbent on the validation set.' }.",
  )
}

/** Free-form keys: anything short but the one that JavaScript gives a meaning. */
export function checkKey(key: string): void {
  check(
    key !== '__proto__' && key.length > 0 && key.length <= 256,
    'store',
    () => `names of datasets and metrics must have 1 to 256 characters, got ${describe(key)}.`,
  )
}

/** `spy-direction@3` as its two parts. */
export function parseRef(ref: string): [model: string, version: number] {
  const at = ref.lastIndexOf('@')
  const version = Number(ref.slice(at + 1))
  check(
    at > 0 && Number.isSafeInteger(version) && version >= 1,
    'store',
    () => `a version must read "model@number", got ${describe(ref)}.`,
  )
  return [ref.slice(0, at), version]
}
