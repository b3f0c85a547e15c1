import { describe, expect, test } from 'vitest'
import { fitScaler, scaleFeatures } from '../src/index.ts'

const table = (...columns: number[][]) => ({
  time: Float64Array.from(columns[0]!, (_, i) => i),
  names: columns.map((_, k) => `f${k}`),
  columns: columns.map((column) => Float64Array.from(column)),
  ready: 0,
})

test('standard: (x - mean) / population deviation of the training rows', () => {
  // Rows 1 .. 4: mean 5, deviation sqrt((9 + 1 + 1 + 9) / 4) = sqrt(5).
  const scaler = fitScaler(table([1000, 2, 4, 6, 8, -1000]), { train: { start: 1, end: 5 } })
  expect(scaler.state.center.data[0]).toBe(5)
  expect(scaler.state.scale.data[0]).toBeCloseTo(Math.sqrt(5), 15)
})

test('what lies outside the training rows changes nothing', () => {
  const a = fitScaler(table([1, 2, 3, 4, 99], [5, 1, 7, 2, 0]), { train: { start: 0, end: 4 } })
  const b = fitScaler(table([1, 2, 3, 4, -7], [5, 1, 7, 2, 1e9]), { train: { start: 0, end: 4 } })
  expect(a).toEqual(b)
})

test('robust: median and interquartile range / 1.349', () => {
  // Sorted 1 2 3 4 1000: median 3, quartiles 2 and 4.
  const scaler = fitScaler(table([1000, 2, 3, 4, 1]), { train: { start: 0, end: 5 }, method: 'robust' })
  expect(scaler.state.center.data[0]).toBe(3)
  expect(scaler.state.scale.data[0]).toBeCloseTo(2 / 1.34898, 5)
})

test('rows of a table and live rows come out alike: row-major, clipped, float32', () => {
  const features = table([0, 2, 50], [7, 7, 7])
  const scaler = fitScaler(features, { train: { start: 0, end: 2 }, clip: 5 })
  const out = scaleFeatures(scaler, features)
  // f0: mean 1, deviation 1; f1 does not vary: scale 1.
  expect(Array.from(out)).toEqual([-1, 0, 1, 0, 5, 0])
  expect(out).toBeInstanceOf(Float32Array)
  expect(Array.from(scaleFeatures(scaler, Float64Array.of(2, 9)))).toEqual([1, 2])
})

describe('at the door', () => {
  test('the training part must be named and warm', () => {
    const features = table([Number.NaN, 1, 2])
    expect(() => fitScaler(features, {} as { train: { start: 0; end: 1 } })).toThrow(/train must be rows/)
    expect(() => fitScaler(features, { train: { start: 0, end: 2 } })).toThrow(/1 training row\(s\) have every feature/)
    expect(fitScaler(features, { train: { start: 0, end: 3 } }).state.rows).toBe(2)
  })
  test('another set of features is refused', () => {
    const scaler = fitScaler(table([1, 2]), { train: { start: 0, end: 2 } })
    expect(() => scaleFeatures(scaler, table([1, 2], [1, 2]))).toThrow(/names/)
    expect(() => scaleFeatures(scaler, Float64Array.of(1, 2))).toThrow(/2 features where the scaler has 1/)
  })
})
