// The 24 noiseless functions of the BBOB suite, as published, with instances drawn by our own generator: rotations, optima and
// peaks are new ones of the same kind, and every function is shifted to an optimum of 0.
// Reference: Hansen, Finck, Ros and Auger, "Real-Parameter Black-Box Optimization Benchmarking 2009: Noiseless Functions
// Definitions", INRIA RR-6829.
import { createRng, type Rng } from '@regimen/core'

/** An instance of a function: its value above the optimum, and where that is. */
export interface BbobProblem {
  readonly name: string
  readonly optimum: Float64Array
  evaluate(x: ArrayLike<number>): number
}

export const BBOB_NAMES: readonly string[] = [
  ...['sphere', 'ellipsoid-separable', 'rastrigin-separable', 'bueche-rastrigin', 'linear-slope'],
  ...['attractive-sector', 'step-ellipsoid', 'rosenbrock', 'rosenbrock-rotated'],
  ...['ellipsoid', 'discus', 'bent-cigar', 'sharp-ridge', 'different-powers'],
  ...['rastrigin', 'weierstrass', 'schaffers-f7', 'schaffers-f7-ill', 'griewank-rosenbrock'],
  ...['schwefel', 'gallagher-101', 'gallagher-21', 'katsuura', 'lunacek'],
]

type Vector = Float64Array
type Value = (x: Vector) => number

const square = (x: number): number => x * x
const sum = (n: number, term: (i: number) => number): number => {
  let total = 0
  for (let i = 0; i < n; i++) total += term(i)
  return total
}
/** (i − 1) / (D − 1) of the definitions, i from 0. */
const share = (i: number, d: number): number => (d > 1 ? i / (d - 1) : 0)
const scale = (alpha: number, i: number, d: number): number => alpha ** (0.5 * share(i, d))
const penalty = (x: Vector): number => sum(x.length, (i) => square(Math.max(0, Math.abs(x[i]!) - 5)))

function oscillate(x: number): number {
  if (x === 0) return 0
  const log = Math.log(Math.abs(x))
  const [a, b] = x > 0 ? [10, 7.9] : [5.5, 3.1]
  return Math.sign(x) * Math.exp(log + 0.049 * (Math.sin(a * log) + Math.sin(b * log)))
}

const skew = (beta: number, z: Vector): Vector =>
  z.map((v, i) => (v > 0 ? v ** (1 + beta * share(i, z.length) * Math.sqrt(v)) : v))
const stretch = (alpha: number, z: Vector): Vector => z.map((v, i) => scale(alpha, i, z.length) * v)

/** A random rotation: Gram-Schmidt over Gaussian rows. */
function rotation(d: number, rng: Rng): Vector[] {
  const rows: Vector[] = []
  for (let i = 0; i < d; i++) {
    const row = Float64Array.from({ length: d }, () => rng.normal())
    for (const other of rows) {
      const dot = sum(d, (k) => row[k]! * other[k]!)
      for (let k = 0; k < d; k++) row[k] = row[k]! - dot * other[k]!
    }
    const norm = Math.sqrt(sum(d, (k) => square(row[k]!)))
    rows.push(row.map((v) => v / norm))
  }
  return rows
}
const turn = (r: readonly Vector[], x: Vector): Vector =>
  Float64Array.from(r, (row) => sum(x.length, (k) => row[k]! * x[k]!))
const turnBack = (r: readonly Vector[], x: Vector): Vector => x.map((_, k) => sum(x.length, (i) => r[i]![k]! * x[i]!))

const ellipsoid = (z: Vector): number => sum(z.length, (i) => 10 ** (6 * share(i, z.length)) * square(z[i]!))
const rastrigin = (z: Vector): number =>
  10 * (z.length - sum(z.length, (i) => Math.cos(2 * Math.PI * z[i]!))) + sum(z.length, (i) => square(z[i]!))
const valley = (z: Vector): number =>
  sum(z.length - 1, (i) => 100 * square(square(z[i]!) - z[i + 1]!) + square(z[i]! - 1))

/** Makes an instance of function `id`, 1 to 24, in `d` dimensions. */
export function bbobProblem(id: number, d: number, instance: number): BbobProblem {
  const rng = createRng(`bbob/${id}/${d}/${instance}`)
  const [r, q] = [rotation(d, rng), rotation(d, rng)]
  const signs = Float64Array.from({ length: d }, () => (rng.uniform() < 0.5 ? -1 : 1))
  const drawn = (range: number): Vector => Float64Array.from({ length: d }, () => rng.uniform(-range, range))
  const reach = Math.max(1, Math.sqrt(d) / 8)
  const made = (optimum: Vector, value: (from: (x: Vector) => Vector) => Value): BbobProblem => {
    const evaluate = value((x) => x.map((v, i) => v - optimum[i]!))
    return { name: BBOB_NAMES[id - 1]!, optimum, evaluate: (x) => evaluate(Float64Array.from(x)) }
  }
  const plain = (value: (from: (x: Vector) => Vector) => Value): BbobProblem => made(drawn(4), value)

  switch (id) {
    case 1:
      return plain((from) => (x) => sum(d, (i) => square(from(x)[i]!)))
    case 2:
      return plain((from) => (x) => ellipsoid(from(x).map(oscillate)))
    case 3:
      return plain((from) => (x) => rastrigin(stretch(10, skew(0.2, from(x).map(oscillate)))))
    case 4:
      return made(
        drawn(4).map((v, i) => (i % 2 === 0 ? Math.abs(v) : v)),
        (from) => (x) => {
          const z = from(x)
            .map(oscillate)
            .map((v, i) => (v > 0 && i % 2 === 0 ? 10 : 1) * scale(10, i, d) * v)
          return rastrigin(z) + 100 * penalty(x)
        },
      )
    case 5: {
      const optimum = signs.map((sign) => 5 * sign)
      return made(
        optimum,
        () => (x) =>
          sum(d, (i) => {
            const slope = signs[i]! * 10 ** share(i, d)
            const z = optimum[i]! * x[i]! < 25 ? x[i]! : optimum[i]!
            return 5 * Math.abs(slope) - slope * z
          }),
      )
    }
    case 6: {
      const optimum = drawn(4)
      return made(optimum, (from) => (x) => {
        const z = turn(q, stretch(10, turn(r, from(x))))
        return oscillate(sum(d, (i) => square((z[i]! * optimum[i]! > 0 ? 100 : 1) * z[i]!))) ** 0.9
      })
    }
    case 7:
      return plain((from) => (x) => {
        const flat = stretch(10, turn(r, from(x)))
        const z = turn(
          q,
          flat.map((v) => (Math.abs(v) > 0.5 ? Math.floor(0.5 + v) : Math.floor(0.5 + 10 * v) / 10)),
        )
        const steps = sum(d, (i) => 10 ** (2 * share(i, d)) * square(z[i]!))
        return 0.1 * Math.max(Math.abs(flat[0]!) / 1e4, steps) + penalty(x)
      })
    case 8:
      return made(drawn(3), (from) => (x) => valley(from(x).map((v) => reach * v + 1)))
    case 9:
      return made(
        turnBack(r, new Float64Array(d).fill(0.5 / reach)),
        () => (x) => valley(turn(r, x).map((v) => reach * v + 0.5)),
      )
    case 10:
      return plain((from) => (x) => ellipsoid(turn(r, from(x)).map(oscillate)))
    case 11:
      return plain((from) => (x) => {
        const z = turn(r, from(x)).map(oscillate)
        return 1e6 * square(z[0]!) + sum(d - 1, (i) => square(z[i + 1]!))
      })
    case 12:
      return plain((from) => (x) => {
        const z = turn(r, skew(0.5, turn(r, from(x))))
        return square(z[0]!) + 1e6 * sum(d - 1, (i) => square(z[i + 1]!))
      })
    case 13:
      return plain((from) => (x) => {
        const z = turn(q, stretch(10, turn(r, from(x))))
        return square(z[0]!) + 100 * Math.sqrt(sum(d - 1, (i) => square(z[i + 1]!)))
      })
    case 14:
      return plain((from) => (x) => {
        const z = turn(r, from(x))
        return Math.sqrt(sum(d, (i) => Math.abs(z[i]!) ** (2 + 4 * share(i, d))))
      })
    case 15:
      return plain(
        (from) => (x) => rastrigin(turn(r, stretch(10, turn(q, skew(0.2, turn(r, from(x)).map(oscillate)))))),
      )
    case 16:
      return plain((from) => {
        const wave = (z: number): number => sum(12, (k) => 0.5 ** k * Math.cos(2 * Math.PI * 3 ** k * (z + 0.5)))
        const lowest = wave(0)
        return (x) => {
          const z = turn(r, stretch(0.01, turn(q, turn(r, from(x)).map(oscillate))))
          return 10 * (sum(d, (i) => wave(z[i]!)) / d - lowest) ** 3 + (10 / d) * penalty(x)
        }
      })
    case 17:
    case 18:
      return plain((from) => (x) => {
        const z = stretch(id === 17 ? 10 : 1000, turn(q, skew(0.5, turn(r, from(x)))))
        const mean =
          sum(d - 1, (i) => {
            const s = Math.hypot(z[i]!, z[i + 1]!)
            return Math.sqrt(s) * (1 + square(Math.sin(50 * s ** 0.2)))
          }) /
          (d - 1)
        return square(mean) + 10 * penalty(x)
      })
    case 19:
      return made(turnBack(r, new Float64Array(d).fill(0.5 / reach)), () => (x) => {
        const z = turn(r, x).map((v) => reach * v + 0.5)
        const each = (i: number): number => {
          const s = 100 * square(square(z[i]!) - z[i + 1]!) + square(z[i]! - 1)
          return s / 4000 - Math.cos(s)
        }
        return (10 / (d - 1)) * sum(d - 1, each) + 10
      })
    case 20:
      return schwefel(id, d, signs)
    case 21:
      return gallagher(id, d, { peaks: 101, widest: 1000, near: 4, far: 5 }, r, rng)
    case 22:
      return gallagher(id, d, { peaks: 21, widest: 1000 ** 2, near: 3.92, far: 4.9 }, r, rng)
    case 23:
      return plain((from) => (x) => {
        const z = turn(q, stretch(100, turn(r, from(x))))
        let product = 1
        for (let i = 0; i < d; i++) {
          const rough = sum(32, (j) => Math.abs(2 ** (j + 1) * z[i]! - Math.round(2 ** (j + 1) * z[i]!)) / 2 ** (j + 1))
          product *= (1 + (i + 1) * rough) ** (10 / d ** 1.2)
        }
        return (10 / d ** 2) * product - 10 / d ** 2 + penalty(x)
      })
    case 24: {
      const [near, s] = [2.5, 1 - 1 / (2 * Math.sqrt(d + 20) - 8.2)]
      const far = -Math.sqrt((near * near - 1) / s)
      return made(
        signs.map((sign) => (sign * near) / 2),
        () => (x) => {
          const y = x.map((v, i) => 2 * signs[i]! * v)
          const z = turn(
            q,
            stretch(
              100,
              turn(
                r,
                y.map((v) => v - near),
              ),
            ),
          )
          const funnels = Math.min(
            sum(d, (i) => square(y[i]! - near)),
            d + s * sum(d, (i) => square(y[i]! - far)),
          )
          return funnels + 10 * (d - sum(d, (i) => Math.cos(2 * Math.PI * z[i]!))) + 1e4 * penalty(x)
        },
      )
    }
    default:
      throw new Error(`there is no BBOB function ${id}: 1 to 24.`)
  }
}

function schwefel(id: number, d: number, signs: Vector): BbobProblem {
  const best = 4.2096874633
  const value = (x: Vector): number => {
    const y = x.map((v, i) => 2 * signs[i]! * v)
    const chained = y.map((v, i) => (i === 0 ? v : v + 0.25 * (y[i - 1]! - best)))
    const z = stretch(
      10,
      chained.map((v) => v - best),
    ).map((v) => 100 * (v + best))
    const waves = sum(d, (i) => z[i]! * Math.sin(Math.sqrt(Math.abs(z[i]!))))
    return -waves / (100 * d) + 4.189828872724339 + 100 * penalty(z.map((v) => v / 100))
  }
  const optimum = signs.map((sign) => (sign * best) / 2)
  return { name: BBOB_NAMES[id - 1]!, optimum, evaluate: (x) => value(Float64Array.from(x)) }
}

interface Peaks {
  readonly peaks: number
  /** Condition of the highest peak, squared from that of the others in function 22. */
  readonly widest: number
  readonly near: number
  readonly far: number
}

function gallagher(
  id: number,
  d: number,
  { peaks, widest, near, far }: Peaks,
  r: readonly Vector[],
  rng: Rng,
): BbobProblem {
  const place = (range: number): Vector => Float64Array.from({ length: d }, () => rng.uniform(-range, range))
  const others = shuffled(
    Array.from({ length: peaks - 1 }, (_, j) => 1000 ** ((2 * j) / (peaks - 2))),
    rng,
  )
  const all = Array.from({ length: peaks }, (_, k) => {
    const alpha = k === 0 ? widest : others[k - 1]!
    const at = place(k === 0 ? near : far)
    const axes = shuffled(
      Array.from({ length: d }, (_, i) => scale(alpha, i, d) / alpha ** 0.25),
      rng,
    )
    return { at, turned: turn(r, at), axes, weight: k === 0 ? 10 : 1.1 + (8 * (k - 1)) / (peaks - 2) }
  })
  const value = (x: Vector): number => {
    const y = turn(r, x)
    let top = 0
    for (const { turned, axes, weight } of all) {
      const distance = sum(d, (i) => axes[i]! * square(y[i]! - turned[i]!))
      top = Math.max(top, weight * Math.exp(-distance / (2 * d)))
    }
    return square(oscillate(10 - top)) + penalty(x)
  }
  return { name: BBOB_NAMES[id - 1]!, optimum: all[0]!.at, evaluate: (x) => value(Float64Array.from(x)) }
}

function shuffled(values: number[], rng: Rng): number[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = rng.int(0, i + 1)
    const kept = values[i]!
    values[i] = values[j]!
    values[j] = kept
  }
  return values
}
