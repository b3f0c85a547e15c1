import { createRng } from '@regimen/core'
import { describe, expect, test, vi } from 'vitest'
import { compile } from '../src/features/kernel/compile.ts'
import {
  add,
  type Expression,
  gt,
  input,
  integerAdd,
  keep,
  lag,
  logRatio,
  logRatioOf,
  lookup,
  mul,
  select,
  square,
  sub,
  where,
  words,
} from '../src/features/kernel/expression.ts'
import {
  exponential,
  fold,
  merge,
  moments,
  rollingMax,
  rollingMin,
  rollingSum,
} from '../src/features/kernel/windows.ts'
import { emaAt } from '../src/features/window.ts'
import { createBars, featureSet } from '../src/index.ts'

const NO_TABLE = new Float64Array(0)
const rng = createRng(3)
const x = Float64Array.from({ length: 301 }, () => 100 + rng.normal())

/** The formulas over these columns. */
function run(formulas: Expression[], columns: ArrayLike<number>[], table = NO_TABLE): Float64Array[] {
  const rows = columns[0]!.length
  const program = compile(formulas, columns.length, rows, table)
  columns.forEach((column, k) => {
    program.inputs[k]!.set(column)
  })
  const out: Float64Array[] = []
  program.run(0, rows, (k, column) => {
    out[k] = column.slice()
  })
  return out
}

const value = (formula: Expression, ...columns: number[][]) => Array.from(run([formula], columns)[0]!)

describe('formulas', () => {
  test('arithmetic, masks and lags, row by row', () => {
    const [a, b] = [input(0), input(1)]
    const one = [1, 2, 3, 4, 5]
    const two = [5, 4, 3, 2, 1]
    expect(value(add(mul(a, 2), b), one, two)).toEqual([7, 8, 9, 10, 11])
    expect(value(select(gt(a, b), sub(a, b), -1), one, two)).toEqual([-1, -1, -1, 2, 4])
    expect(value(where(gt(a, b), a), one, two)).toEqual([0, 0, 0, 4, 5])
    // Rows before the lag are garbage.
    expect(value(sub(a, lag(a, 2)), one).slice(2)).toEqual([2, 2, 2])
    expect(value(lag(keep(lag(square(a), 1)), 2), one).slice(3)).toEqual([1, 4])
  })

  test('equal formulas are computed once, and columns are handed on', () => {
    const twice = compile([rollingSum(input(0), 60), rollingSum(input(0), 60)], 1, 10, NO_TABLE)
    const places: number[] = []
    twice.run(0, 10, (_, column) => places.push(column.byteOffset))
    expect(places[0]).toBe(places[1])
    // A long chain needs few columns: what was read for the last time makes room.
    let chain: Expression = input(0)
    for (let k = 0; k < 50; k++) chain = lag(add(chain, 1), 1)
    const { inputs } = compile([add(chain, 0)], 1, 1000, NO_TABLE)
    expect(inputs[0]!.buffer.byteLength).toBeLessThan(5 * 8 * 1010 + 65_536)
    expect(run([add(chain, 0)], [x])[0]![300]).toBe(x[250]! + 50)
    expect(run([input(0)], [x])[0]).toEqual(x)
  })

  test('a run from a later row looks back as far as it needs', () => {
    const program = compile([rollingSum(input(0), 60), sub(input(0), lag(input(0), 7))], 1, 301, NO_TABLE)
    program.inputs[0]!.set(x)
    const taken: number[] = []
    program.run(200, 301, (k, column) => {
      taken.push(k)
      for (let i = 200; i < 301; i++) {
        if (k === 1) expect(column[i]).toBe(x[i]! - x[i - 7]!)
        else {
          const sum = x.subarray(i - 59, i + 1).reduce((s, y) => s + y, 0)
          expect(column[i]).toBeCloseTo(sum, 9)
        }
      }
    })
    expect(taken.sort()).toEqual([0, 1])
  })

  test('counts in bytes, and what a table holds for them', () => {
    const table = Float64Array.from({ length: 20 }, (_, k) => k * k)
    const odd = [1, 0, 1, 1, 0, 1, 1, 1]
    const counts = fold(integerAdd, select(gt(input(0), 0), words(1 << 16, 0), words(0, 1 << 8)), 3)
    const [ones, zeros] = run([lookup(keep(counts), 2), lookup(keep(counts), 5)], [odd], table)
    expect(Array.from(ones!).slice(2)).toEqual([4, 4, 4, 4, 4, 9])
    expect(Array.from(zeros!).slice(2)).toEqual([1, 1, 1, 1, 1, 0])
  })
})

describe('ln(a / b)', () => {
  test('is that of Math.log to a few units in the last place, across sixty orders of magnitude', () => {
    const ratios = Array.from({ length: 4000 }, (_, k) => 10 ** ((k - 2000) / 66))
    const near = Array.from({ length: 2000 }, (_, k) => 1 + (k - 1000) * 1e-4)
    const all = [...ratios, ...near]
    const b = all.map((_, k) => 0.1 + (k % 97))
    const a = all.map((r, k) => r * b[k]!)
    const out = value(logRatio(input(0), input(1)), a, b)
    out.forEach((got, k) => {
      // By log1p near 1, where a / b has already lost the digits.
      const exact = Math.abs(all[k]! - 1) < 0.3 ? Math.log1p((a[k]! - b[k]!) / b[k]!) : Math.log(a[k]! / b[k]!)
      expect(Math.abs(got - exact)).toBeLessThanOrEqual(
        4e-16 * Math.max(1, Math.abs(exact)) * Math.max(1, Math.abs(exact)),
      )
    })
    expect(value(logRatio(input(0), input(0)), a).every((zero) => zero === 0)).toBe(true)
  })

  test('the live form is the same to the last bit for ratios near 1', () => {
    for (const scale of [1e-9, 1e-4, 0.02, 0.2]) {
      const a = Array.from({ length: 500 }, () => 100 * (1 + scale * rng.uniform()))
      const b = a.map(() => 100)
      // Pairs of rows take the short series together, so both lanes get the same kind of ratio.
      expect(value(logRatio(input(0), input(1)), a, b)).toEqual(
        a.map((y, k) => {
          const pair = a[k ^ 1]!
          const far = (p: number) => ((p - 100) / (p + 100)) ** 2 > 3e-4
          return far(y) === far(pair) ? logRatioOf(y, 100) : expect.closeTo(logRatioOf(y, 100), 15)
        }),
      )
    }
    expect(logRatioOf(3, 2)).toBeCloseTo(Math.log(1.5), 15)
  })
})

describe('rolling windows are those of their definition', () => {
  const brute = (w: number, f: (window: number[]) => number) =>
    Array.from(x, (_, i) => (i < w - 1 ? Number.NaN : f(Array.from(x.subarray(i - w + 1, i + 1)))))
  const close = (a: Float64Array, b: number[], digits = 11) =>
    b.forEach((expected, i) => {
      if (!Number.isNaN(expected)) expect(a[i]).toBeCloseTo(expected, digits)
    })
  const sum = (v: number[]) => v.reduce((s, y) => s + y, 0)
  const power = (v: number[], p: number) => sum(v.map((y) => (y - sum(v) / v.length) ** p))

  // 7 is one step, 60 = 6 · 5 · 2 windows of windows, 29 and 127 are primes that need one value more.
  test.each([1, 2, 7, 8, 29, 49, 60, 127])('sum, maximum and minimum of %d', (w) => {
    const [total, top, bottom] = run(
      [rollingSum, rollingMax, rollingMin].map((f) => f(input(0), w)),
      [x],
    )
    close(total!, brute(w, sum), 9)
    close(
      top!,
      brute(w, (v) => Math.max(...v)),
      15,
    )
    close(
      bottom!,
      brute(w, (v) => Math.min(...v)),
      15,
    )
  })

  test.each([[[4]], [[5, 4]], [[5, 5, 2]], [[4, 5, 3]]])('moments by merging blocks of %j', (factors) => {
    const w = factors.reduce((a, b) => a * b)
    const { offset, powers, count } = moments(input(0), factors, 4)
    const [shift, m2, m3, m4] = run([offset, ...powers], [x])
    expect(count).toBe(w)
    close(
      shift!,
      brute(w, (v) => sum(v) / w - v[w - 1]!),
    )
    close(
      m2!,
      brute(w, (v) => power(v, 2)),
      10,
    )
    close(
      m3!,
      brute(w, (v) => power(v, 3)),
      10,
    )
    close(
      m4!,
      brute(w, (v) => power(v, 4)),
      9,
    )
    const three = merge(input(0), moments(input(0), factors), 3)
    close(
      run([three.powers[0]!], [x])[0]!,
      brute(3 * w, (v) => power(v, 2)),
      10,
    )
  })

  test('a constant window has no deviation at all, whatever its level and whatever came before', () => {
    const flat = [...x.subarray(0, 40), ...new Array(60).fill(0.1)]
    const [m2, m4, zero] = run(
      [
        moments(input(0), [5, 4]).powers[0]!,
        moments(input(0), [5, 4], 4).powers[2]!,
        rollingSum(sub(input(0), 0.1), 20),
      ],
      [flat],
    )
    for (const column of [m2!, m4!, zero!]) expect(Array.from(column.subarray(59))).toEqual(new Array(41).fill(0))
    expect(m2![50]).toBeGreaterThan(1)
  })

  test('deviations keep their digits on a level that dwarfs them', () => {
    // 1e9 plus multiples of 2^-20: exact, so that the variance must be too.
    const high = Array.from(x, (y) => 1e9 + Math.round(y * 1024) / 1_048_576)
    const [m2] = run([moments(input(0), [5, 4]).powers[0]!], [high])
    const small = high.map((y) => y - 1e9)
    for (let i = 19; i < 301; i++) {
      const exact = power(small.slice(i - 19, i + 1), 2)
      expect(Math.abs(m2![i]! / exact - 1)).toBeLessThan(1e-13)
    }
  })

  test.each([
    [5, 1 / 5, 40],
    [9, 0.2, 54],
    [14, 1 / 14, 140],
    [26, 2 / 27, 156],
  ])('the exponential average of %d is the classic recursion over its window', (n, alpha, w) => {
    const [out] = run([exponential(input(0), n, alpha, w)], [x])
    close(
      out!,
      brute(w, (v) => emaAt(Float64Array.from(v), w - 1, n, alpha, w)),
      12,
    )
  })
})

test('where WebAssembly is forbidden the live form computes the same', async () => {
  const bars = createBars({
    time: x.map((_, i) => 60_000 * i),
    open: x,
    high: x.map((y) => y + 0.5),
    low: x.map((y) => y - 0.5),
    close: x.map((y, i) => y + 0.3 * Math.sin(i)),
    volume: x.map((_, i) => i % 7),
  })
  const compiled = featureSet({ timeframes: ['1m'] }).batch(bars)
  vi.stubGlobal('WebAssembly', undefined)
  try {
    vi.resetModules()
    const forbidden = await import('../src/index.ts')
    const pushed = forbidden.featureSet({ timeframes: ['1m'] }).batch(bars)
    let different = 0
    compiled.columns.forEach((column, k) => {
      column.forEach((a, i) => {
        const b = pushed.columns[k]![i]!
        if (Number.isNaN(a) || Number.isNaN(b)) expect([a, b]).toEqual([Number.NaN, Number.NaN])
        else expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(a)))
        if (a !== b) different++
      })
    })
    // Not the same code: some last digits differ.
    expect(different).toBeGreaterThan(100)
  } finally {
    vi.unstubAllGlobals()
  }
})
