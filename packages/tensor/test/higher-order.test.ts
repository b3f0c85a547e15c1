import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, test } from 'vitest'
import { openReference } from '../src/compile/reference.ts'
import { useHigherOrderGradients, withOwnGradients } from '../src/gradients/higher-order.ts'
import { compile } from '../src/index.ts'
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

describe('first order, by the app itself', () => {
  test.each(opCases)('unchanged to the last bit: $name', (op) => {
    const before = firstOrder.get(op.name)
    const after = firstGradients(op)!
    // undefined: tfjs has no gradient for it, or throws where an input is broadcast
    if (before) expect(after).toEqual(before)
    else expect(after.flat().every(Number.isFinite)).toBe(true)
  })

  test("tfjs's NaN stays: the slope of 0⁰", () => {
    const slope = () =>
      tf
        .grad((x) => tf.pow(x, tf.scalar(0)))(tf.scalar(0))
        .dataSync()[0]
    expect(slope()).toBeNaN()
    expect(withOwnGradients(slope)).toBe(0)
  })

  test('unchanged by compiling the same op, and by taking second derivatives of it', async () => {
    const g = (x: tf.Tensor): tf.Tensor => tf.sum(tf.square(tf.cumsum(x, 0)))
    const op = opCases.find(({ name }) => name === 'cumsum, middle axis, exclusive, reverse')!
    const slope = compile((x: tf.Tensor) => tf.grad(g)(x))
    // Σ of squares of running sums 1, 3 of [1, 2]: (2·1 + 2·3, 2·3)
    expect(Array.from((await slope(Float32Array.of(1, 2))).data)).toEqual([8, 6])
    await slope.dispose()
    tf.tidy(() => tf.grad((x) => tf.sum(tf.grad(g)(x)))(tf.tensor1d([1, 2])))
    expect(firstGradients(op)).toEqual(firstOrder.get(op.name))
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
