import '@tensorflow/tfjs'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import { lower } from '../src/compile/lower/index.ts'
import { optimize } from '../src/compile/passes/passes.ts'
import { openReference } from '../src/compile/reference.ts'
import { readArguments, signatureOf } from '../src/compile/signature.ts'
import { openTracer } from '../src/compile/trace.ts'
import { compile, type TensorLeaf } from '../src/index.ts'
import { floats, relativeError } from './support/arrays.ts'

/** Operations that remain of a function, and the check that they still compute it. */
async function simplified(fn: (...x: tf.Tensor[]) => tf.Tensor, ...inputs: TensorLeaf[]): Promise<string[]> {
  const trace = (await openTracer()).trace(fn, signatureOf(inputs, readArguments(inputs).key))
  const graph = lower(trace)
  optimize(graph)
  const [compiled, eager] = [compile(fn), compile(fn, { execution: 'eager' })]
  const [actual, expected] = [await compiled(...inputs), await eager(...inputs)]
  await compiled.dispose()
  expect(actual.shape).toEqual(expected.shape)
  expect(relativeError(actual.data, expected.data)).toBeLessThan(1e-5)
  return graph.nodes.map(({ op }) => op)
}

const x = floats([3, 4], 1)
const y = floats([3, 4], 2)

describe('what the passes make of', () => {
  test('identities, casts there and back, reshapes of reshapes', async () => {
    const chain = (a: tf.Tensor): tf.Tensor =>
      tf.reshape(tf.reshape(tf.clone(tf.cast(tf.cast(tf.greater(a, 0), 'float32'), 'bool')), [12]), [2, 6])
    expect(await simplified(chain, x)).toEqual(['Greater', 'Reshape'])
  })

  test('transposes of transposes, and those that move only axes of length one', async () => {
    expect(await simplified((a) => tf.neg(tf.transpose(tf.transpose(a))), x)).toEqual(['Neg'])
    expect(await simplified((a) => tf.neg(tf.transpose(tf.reshape(a, [3, 1, 4]), [1, 0, 2])), x)).toEqual([
      'Neg',
      'Reshape',
    ])
  })

  test('the same expression twice', async () => {
    const twice = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.mul(tf.sin(tf.add(a, b)), tf.sin(tf.add(a, b)))
    expect(await simplified(twice, x, y)).toEqual(['Add', 'Sin', 'Mul'])
  })

  test('constants', async () => {
    const constant = (a: tf.Tensor): tf.Tensor => tf.add(a, tf.sqrt(tf.add(tf.tensor1d([1, 2, 3, 4]), tf.scalar(5))))
    expect(await simplified(constant, x)).toEqual(['Add'])
  })

  test('zeros, ones, negations and squares', async () => {
    expect(await simplified((a) => tf.sub(tf.div(tf.mul(tf.neg(tf.neg(a)), 1), 1), tf.zeros([4])), x)).toEqual([])
    expect(await simplified((a, b) => tf.add(a, tf.neg(b)), x, y)).toEqual(['Sub'])
    expect(await simplified((a) => tf.sub(tf.zeros([3, 4]), a), x)).toEqual(['Neg'])
    expect(await simplified((a) => tf.pow(a, 2), x)).toEqual(['Mul'])
  })

  test('numbers that multiply one after the other', async () => {
    expect(await simplified((a) => tf.mul(tf.mul(tf.neg(a), 0.5), 3), x)).toEqual(['Mul'])
    expect(await simplified((a) => tf.div(tf.neg(a), 3), x)).toEqual(['Div'])
  })

  test('a zero that broadcasts is a copy, and copies are left to broadcasting', async () => {
    const wide = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.mul(tf.add(a, tf.zeros([5, 3, 4])), b)
    expect(await simplified(wide, floats([1, 3, 4], 1), floats([5, 3, 4], 2))).toEqual(['Mul'])
    expect(await simplified((a) => tf.add(a, tf.zeros([5, 3, 4])), floats([1, 3, 4], 1))).toEqual(['Expand'])
  })

  test('sums of copies', async () => {
    // Σ over five copies is 5·a.
    expect(await simplified((a) => tf.sum(tf.add(a, tf.zeros([5, 3, 4])), 0), floats([1, 3, 4], 1))).toEqual([
      'Reshape',
      'Mul',
    ])
  })

  test('a matrix copied for every task, turned or not', async () => {
    const shared = (a: tf.Tensor, w: tf.Tensor): tf.Tensor => tf.matMul(a, tf.add(w, tf.zeros([5, 4, 4])), false, true)
    const ops = await simplified(shared, floats([5, 3, 4], 1), floats([1, 4, 4], 2))
    expect(ops).toContain('MatMul')
    expect(ops).not.toContain('Expand')
  })

  test('a sum over tasks of products, through additions and scalings', async () => {
    const gradient = (a: tf.Tensor, b: tf.Tensor, c: tf.Tensor): tf.Tensor =>
      tf.sum(tf.sub(tf.mul(tf.matMul(a, b, true), 0.5), tf.neg(c)), 0)
    const ops = await simplified(gradient, floats([5, 3, 4], 1), floats([5, 3, 6], 2), floats([5, 4, 6], 3))
    // One product of 15 rows, and one sum for what is no product.
    expect(ops.filter((op) => op === 'MatMul').length).toBe(1)
    expect(ops.filter((op) => op === 'ReduceSum').length).toBe(1)
    expect(ops.indexOf('MatMul')).toBeGreaterThan(ops.indexOf('Transpose'))
  })

  test('one step of adaptation multiplies by the factors of the gradient', async () => {
    // x (w − η aᵀ b) = x w − η (x aᵀ) b: no product has the shape [3, 12, 12] of the adapted matrices.
    const adapted = (x: tf.Tensor, w: tf.Tensor, a: tf.Tensor, b: tf.Tensor): tf.Tensor => {
      const updated = tf.sub(w, tf.mul(tf.matMul(a, b, true), 0.1))
      return tf.mul(tf.matMul(x, updated), tf.sum(tf.square(tf.matMul(x, updated, false, true))))
    }
    const ops = await simplified(
      adapted,
      floats([3, 2, 12], 1),
      floats([1, 12, 12], 2),
      floats([3, 2, 12], 3),
      floats([3, 2, 12], 4),
    )
    expect(ops.filter((op) => op === 'MatMul').length).toBe(6)
  })

  test('so does the gradient of a step, which negates them, and the sum over tasks goes inside', async () => {
    // As MAML has it: P = aᵀ b is summed over the tasks, and x (−r P) = −r (x aᵀ) b leads to the second order.
    const outer = (x: tf.Tensor, a: tf.Tensor, b: tf.Tensor, r: tf.Tensor): tf.Tensor => {
      const product = tf.matMul(a, b, true)
      const second = tf.matMul(x, tf.mul(tf.neg(product), r))
      return tf.add(tf.sum(product, 0), tf.sum(second, [0, 1]))
    }
    const ops = await simplified(
      outer,
      floats([3, 2, 12], 1),
      floats([3, 2, 12], 2),
      floats([3, 2, 12], 3),
      floats([], 4),
    )
    // x aᵀ, its product with b, and one product for the sum over tasks, to which the rest is added.
    expect(ops.filter((op) => op === 'MatMul' || op === 'Gemm').length).toBe(3)
    expect(ops.filter((op) => op === 'ReduceSum').length).toBe(1)
  })

  test('a product of many columns stays as it is', async () => {
    const fn = (x: tf.Tensor, a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.matMul(x, tf.matMul(a, b))
    const ops = await simplified(fn, floats([3, 2, 4], 1), floats([3, 4, 4], 2), floats([3, 4, 4], 3))
    expect(ops).toEqual(['MatMul', 'MatMul'])
  })

  test('a bias that all rows share is added in the product, and reshapes sink below what follows', async () => {
    const layers = (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor, u: tf.Tensor, c: tf.Tensor): tf.Tensor =>
      tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(x, w), b)), u, false, true), c)
    const ops = await simplified(
      layers,
      floats([3, 5, 2], 1),
      floats([1, 2, 4], 2),
      floats([4], 3),
      floats([1, 6, 4], 4),
      floats([1, 6], 5),
    )
    expect(ops.filter((op) => op === 'Gemm').length).toBe(2)
    expect(ops).not.toContain('Add')
    expect(ops.at(-1)).toBe('Reshape')
  })

  test('a bias of each task, or one that a column shares, is added after the product', async () => {
    const fn = (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.add(tf.matMul(x, w), b)
    const ops = await simplified(fn, floats([3, 5, 2], 1), floats([1, 2, 4], 2), floats([3, 1, 4], 3))
    expect(ops).toContain('Add')
    expect(await simplified(fn, floats([5, 2], 1), floats([2, 4], 2), floats([5, 1], 3))).toEqual(['MatMul', 'Add'])
  })

  test('a sum that gets its axis back keeps it', async () => {
    expect(await simplified((a) => tf.reshape(tf.sum(a, 1), [3, 1]), x)).toEqual(['ReduceSum'])
  })

  test('a sum over tensors with axes of length one goes over those that are longer', async () => {
    const tall = floats([1, 6, 1, 5, 4], 1)
    expect(await simplified((a) => tf.sum(a, [1, 3]), tall)).toEqual(['Reshape', 'ReduceSum'])
    expect(await simplified((a) => tf.max(a, [0, 2, 4], true), tall)).toEqual(['Reshape', 'ReduceMax', 'Reshape'])
    expect(await simplified((a) => tf.mean(a, [0, 1]), floats([4, 3], 1))).toEqual(['ReduceMean'])
  })

  test('a sum over tasks of squared or absolute outer products', async () => {
    for (const each of [tf.square, tf.abs]) {
      const importance = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.sum(each(tf.matMul(a, b, true)), 0)
      const ops = await simplified(importance, floats([5, 1, 4], 1), floats([5, 1, 6], 2))
      // (a²)ᵀ b², laid end to end: the outer products are never made.
      expect(ops.filter((op) => op === 'MatMul').length).toBe(1)
      expect(ops).not.toContain('ReduceSum')
    }
  })

  test('a sum over tasks of squared products that are no outer products', async () => {
    const squares = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.sum(tf.square(tf.matMul(a, b, true)), 0)
    expect(await simplified(squares, floats([5, 2, 4], 1), floats([5, 2, 6], 2))).toContain('ReduceSum')
  })

  test('a sum over tasks whose parts are needed elsewhere', async () => {
    const both = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => {
      const products = tf.matMul(a, b, true)
      return tf.add(tf.sum(products, 0), tf.max(products, 0))
    }
    await simplified(both, floats([5, 3, 4], 1), floats([5, 3, 6], 2))
  })
})

test('a second-order meta-gradient: compiled, eager and in double precision', async () => {
  const [tasks, shots] = [3, 4]
  const loss = (p: tf.Tensor[], a: tf.Tensor, b: tf.Tensor): tf.Scalar => {
    const h = tf.tanh(tf.add(tf.matMul(a, p[0]!), p[1]!))
    return tf.sum(tf.mean(tf.square(tf.sub(tf.matMul(h, p[2]!), b)), [1, 2]))
  }
  const meta = (...inputs: tf.Tensor[]): tf.Tensor[] => {
    const [w1, b1, w2, a, b, qa, qb] = inputs as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ]
    const start = (...shared: tf.Tensor[]): tf.Scalar => {
      const own = shared.map((p) => tf.add(p, tf.zeros([tasks, ...p.shape.slice(1)])))
      const grads = tf.grads((...p: tf.Tensor[]) => loss(p, a, b))(own)
      return loss(
        own.map((p, i) => tf.sub(p, tf.mul(grads[i]!, 0.1))),
        qa,
        qb,
      )
    }
    return tf.grads(start)([w1, b1, w2])
  }
  const inputs = [
    floats([1, 1, 6], 1),
    floats([1, 1, 6], 2),
    floats([1, 6, 1], 3),
    ...[4, 5, 6, 7].map((seed) => floats([tasks, shots, 1], seed)),
  ]
  const compiled = compile(meta)
  const [actual, expected] = [await compiled(...inputs), await compile(meta, { execution: 'eager' })(...inputs)]
  await compiled.dispose()
  const exact = (await openReference(meta, inputs)).run(inputs.map(({ data }) => Float64Array.from(data)))
  actual.forEach(({ data }, i) => {
    expect(relativeError(data, expected[i]!.data)).toBeLessThan(1e-5)
    expect(relativeError(data, exact[i]!)).toBeLessThan(1e-4)
  })

  // The meta-gradient itself, against central differences of the meta-loss in double precision.
  const value = async (): Promise<(inputs: Float64Array[]) => number> => {
    const reference = await openReference((...all: tf.Tensor[]) => {
      const [a, b, qa, qb] = all.slice(3) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
      const own = all.slice(0, 3).map((p) => tf.add(p, tf.zeros([tasks, ...p.shape.slice(1)])))
      const grads = tf.grads((...p: tf.Tensor[]) => loss(p, a, b))(own)
      return loss(
        own.map((p, i) => tf.sub(p, tf.mul(grads[i]!, 0.1))),
        qa,
        qb,
      )
    }, inputs)
    return (doubles) => reference.run(doubles)[0]![0]!
  }
  const at = await value()
  const doubles = inputs.map(({ data }) => Float64Array.from(data))
  const h = 1e-5
  for (const [input, element] of [
    [0, 2],
    [1, 5],
    [2, 0],
  ] as const) {
    const shifted = (by: number): number =>
      at(doubles.map((list, i) => (i === input ? list.map((v, j) => (j === element ? v + by : v)) : list)))
    const difference = (shifted(h) - shifted(-h)) / (2 * h)
    expect(Math.abs(difference - exact[input]![element]!)).toBeLessThan(1e-5 * Math.max(1, Math.abs(difference)))
  }
})
