// Executes extracted fences, one module after another, and writes one JSON line for each to the file named first.
import { appendFileSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { inspect, isDeepStrictEqual } from 'node:util'

const [resultFile, listFile] = process.argv.slice(2)
const jobs = JSON.parse(readFileSync(listFile, 'utf8'))
const TIME_LIMIT = Number(process.env.REGIMEN_FENCE_SECONDS ?? 60) * 1000

class Near {
  constructor(value, tolerance) {
    this.value = value
    this.tolerance = tolerance
  }
  [inspect.custom]() {
    return `≈ ${this.value}`
  }
}

function same(actual, expected) {
  if (expected instanceof Near)
    return typeof actual === 'number' && Math.abs(actual - expected.value) <= expected.tolerance
  if (typeof expected === 'number' && typeof actual === 'number')
    return actual === expected || Object.is(actual, expected)
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) {
    return Object.is(actual, expected)
  }
  const list = (value) => Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))
  if (list(expected)) {
    if (!list(actual) || actual.length !== expected.length) return false
    if (!Array.isArray(expected) && actual.constructor !== expected.constructor) return false
    return Array.from(expected).every((value, index) => same(actual[index], value))
  }
  if (list(actual)) return false
  if (Object.getPrototypeOf(expected) !== Object.prototype) return isDeepStrictEqual(actual, expected)
  const keys = Object.keys(expected)
  const own = Object.keys(actual).filter((key) => actual[key] !== undefined)
  return (
    own.length === keys.filter((key) => expected[key] !== undefined).length &&
    keys.every((key) => same(actual[key], expected[key]))
  )
}

let assertions = 0
let failure
globalThis.__expect = (actual, expected, written, line) => {
  assertions++
  if (!same(actual, expected) && failure === undefined) {
    const got = inspect(actual, { depth: 6, breakLength: 100, maxArrayLength: 20 })
    failure = { line, message: `expected ${written}, got ${got}` }
  }
  return actual
}
globalThis.__expect.near = (value, tolerance) => new Near(value, tolerance)

for (const name of ['log', 'info', 'warn', 'error', 'debug', 'table']) console[name] = () => {}
const report = (entry) => appendFileSync(resultFile, `${JSON.stringify(entry)}\n`)

for (const job of jobs) {
  report({ id: job.id, started: true })
  assertions = 0
  failure = undefined
  let timer
  try {
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`did not end within ${TIME_LIMIT / 1000} s`)), TIME_LIMIT)
    })
    await Promise.race([import(pathToFileURL(job.module).href), late])
  } catch (error) {
    const at = new RegExp(`${job.id}\\.(?:ts|mjs):(\\d+)`).exec(String(error?.stack ?? ''))
    failure ??= { line: at ? Number(at[1]) - 1 : 0, message: `threw ${String(error?.message ?? error)}` }
  }
  clearTimeout(timer)
  report({ id: job.id, assertions, failure })
}
process.exit(0)
