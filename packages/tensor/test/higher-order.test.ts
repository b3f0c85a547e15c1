import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, test } from 'vitest'
import { openReference } from '../src/compile/reference.ts'
import { useHigherOrderGradients } from '../src/gradients/higher-order.ts'
import { logSoftmax, logSumExp } from '../src/losses.ts'
import { type OpCase, opCases, spread } from './support/differentiable-ops.ts'
import { checkSecondOrder, dot, objective, point } from './support/second-order.ts'

const firstOrder = new Map<string, readonly (readonly number[])[]>()

// What the app's own tfjs returns, before this package has touched a gradient.
function firstGradients(op: OpCase): number[][] | undefined {
  try {
    return tf.tidy(() => {
      const gradients = tf.grads(objective(op))(point(op).x)
      return gradients.map((gradient) => Array.from(gradient.dataSync()))
    })
  } catch {
    return undefined
  }
}

beforeAll(async () => {
  await tf.setBackend('cpu')
  for (const op of opCases) {
    const gradients = firstGradients(op)
    if (gradients) firstOrder.set(op.name, gradients)
  }
  useHigherOrderGradients()
})

const norm = (a: ArrayLike<number>) => Math.sqrt(Array.from(a).reduce((sum, x) => sum + x * x, 0))
const distance = (a: ArrayLike<number>, b: ArrayLike<number>) => norm(Array.from(a, (x, i) => x - b[i]!))

describe('first order', () => {
  // tfjs is wrong or throws here, so these are corrected; finite differences below say who is right.
  const corrected = new Set([
    'cumsum, middle axis, exclusive, reverse',
    'mirrorPad, reflect',
    'mirrorPad, symmetric',
    'avgPool, same',
  ])

  test.each(opCases.filter(({ name }) => !corrected.has(name)))('unchanged: $name', (op) => {
    const before = firstOrder.get(op.name)
    const after = firstGradients(op)!
    // undefined: tfjs has no gradient for it, or throws where an input is broadcast
    if (before) {
      for (const [i, gradient] of after.entries()) {
        expect(distance(gradient, before[i]!)).toBeLessThanOrEqual(1e-6 * norm(gradient))
      }
    } else expect(after.flat().every(Number.isFinite)).toBe(true)
  })

  test('most ops had a gradient to compare with', () => {
    expect(firstOrder.size).toBeGreaterThan(90)
  })

  test('a second call changes nothing', () => {
    const sigmoid = tf.getGradient('Sigmoid')
    useHigherOrderGradients()
    expect(tf.getGradient('Sigmoid')).toBe(sigmoid)
  })
})

const own: OpCase[] = [
  { name: 'logSumExp of this package', apply: (x) => logSumExp(x!), inputs: [{ shape: [2, 3], low: -1.5, high: 1.5 }] },
  {
    name: 'logSoftmax of this package',
    apply: (x) => logSoftmax(x!),
    inputs: [{ shape: [2, 3], low: -1.5, high: 1.5 }],
  },
]

describe('second order, against the same graph in double precision', () => {
  test.each([...opCases, ...own])('$name', async (op) => {
    checkSecondOrder(op)
    const { x, v } = point(op)
    const g = objective(op)
    const productOf = (...z: tf.Tensor[]) => tf.grads((...p: tf.Tensor[]) => dot(tf.grads(g)(p), spreadLike(op)))(z)
    // One recording for both: ∇g, then Hv.
    const both = (...z: tf.Tensor[]) => [...tf.grads(g)(z), ...productOf(...z)]
    const reference = await openReference(both as never, x)
    const gradientAt = (inputs: Float64Array[]) => reference.run(inputs).slice(0, x.length)
    const at = x.map((t) => Float64Array.from(t.dataSync()))
    const along = v.map((t) => Float64Array.from(t.dataSync()))
    const exact = reference.run(at).slice(x.length)
    // The reference's own derivative: (∇g(x + hv) − ∇g(x − hv)) / 2h in doubles.
    const h = 1e-5
    const moved = (sign: number) => at.map((values, i) => values.map((value, k) => value + sign * h * along[i]![k]!))
    const [ahead, behind] = [gradientAt(moved(1)), gradientAt(moved(-1))]
    const size = 1 + norm(exact.flatMap((values) => Array.from(values)))
    exact.forEach((values, i) => {
      const differences = values.map((_, k) => (ahead[i]![k]! - behind[i]![k]!) / (2 * h))
      expect(distance(values, differences) / size).toBeLessThan(1e-5)
    })
    // float32 against the reference
    const single = productOf(...x).map((t) => t.dataSync())
    single.forEach((values, i) => {
      expect(distance(values, exact[i]!) / size).toBeLessThan(1e-3)
    })
  })
})

// Made inside the function: a tensor from outside would be captured by the recording.
function spreadLike(op: OpCase): tf.Tensor[] {
  return op.inputs.map((input, i) => spread({ ...input, low: -1, high: 1.2 }, i + 7))
}
