import { check, describe } from '@regimen/core'
import { type Compiled, compile, type Fetched, type Net, perSampleGradients } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { type FlatNet, flatNet } from '../flat.ts'

/** Samples in rows. */
export interface Samples {
  /** Inputs, row-major. */
  readonly x: ArrayLike<number>
  /** Numbers in an input, or its shape. */
  readonly width: number | readonly number[]
  /** Classes (whole numbers), or targets row-major; where the measure needs labels. */
  readonly y?: ArrayLike<number>
}

/** A sum over samples of something made from each sample's own gradient. */
export interface PerSampleSum {
  /** The mean over the samples. `outputs` are added to the logits: a large negative number switches a class off. */
  mean(params: ArrayLike<number>, samples: Samples, offsets?: ArrayLike<number>): Promise<Float64Array>
  dispose(): Promise<void>
}

/** What is measured of a sample: each score is differentiated by itself, and the squares (or sizes) are added. */
export interface Measure {
  readonly each: 'square' | 'abs'
  /** Scores [tasks] from outputs [tasks, 1, outputs] and labels [tasks, 1, targets]. */
  readonly scores: (outputs: number) => readonly ((output: tf.Tensor, y: tf.Tensor) => tf.Tensor)[]
}

type Sum = (vector: tf.Tensor, x: tf.Tensor, y: tf.Tensor, offsets: tf.Tensor, weights: tf.Tensor) => tf.Tensor

/**
 * Opens the one loop behind every importance: chunks of samples go through the task axis, where each has its own gradient.
 * Within the graph Σ (x δᵀ)² is the product (x²)ᵀ δ², so the gradients of dense layers are never laid out.
 */
export function openPerSample<P>(
  net: Net<P> | FlatNet<P>,
  measure: Measure,
  options: { chunk: number; where: string },
): PerSampleSum {
  const { chunk, where } = options
  const flat = 'size' in net ? net : flatNet(net)
  check(Number.isInteger(chunk) && chunk >= 1, where, () => `chunk must be an integer from 1, got ${describe(chunk)}.`)
  const sum: Sum = (vector, x, y, offsets, weights) => {
    const params = flat.tree(vector)
    const parts: tf.Tensor[] = []
    for (const score of measure.scores(offsets.shape[0]!)) {
      const gradient = perSampleGradients(
        (p: P, input: tf.Tensor, label: tf.Tensor) => {
          const output = tf.add(flat.net.apply(p, input), offsets)
          return tf.mul(score(output, label), weights)
        },
        params,
        x,
        y,
      )
      parts.push(flat.vector(sumOver(gradient, measure.each)))
    }
    return parts.reduce((a, b) => tf.add(a, b))
  }
  const compiled: Compiled<Parameters<Sum>, Fetched<tf.Tensor>> = compile(sum)
  return {
    async mean(params, samples, offsets) {
      const shape = typeof samples.width === 'number' ? [samples.width] : [...samples.width]
      const width = shape.reduce((product, side) => product * side, 1)
      const n = samples.x.length / width
      check(
        Number.isInteger(n) && n >= 1,
        where,
        () => `x must hold rows of ${width}, got ${samples.x.length} numbers.`,
      )
      check(params.length === flat.size, where, () => `params must hold ${flat.size} numbers, got ${params.length}.`)
      const targets = samples.y ? samples.y.length / n : 1
      check(
        Number.isInteger(targets) && targets >= 1,
        where,
        () => `y must hold as many rows as x (${n}), got ${samples.y?.length} numbers.`,
      )
      const total = new Float64Array(flat.size)
      const vector = Float32Array.from(params)
      const x = new Float32Array(chunk * width)
      const y = new Float32Array(chunk * targets)
      const weights = new Float32Array(chunk)
      const shifts = Float32Array.from(offsets ?? [0])
      for (let start = 0; start < n; start += chunk) {
        const count = Math.min(chunk, n - start)
        for (let i = 0; i < count * width; i++) x[i] = samples.x[start * width + i]!
        if (samples.y) for (let i = 0; i < count * targets; i++) y[i] = samples.y[start * targets + i]!
        weights.fill(0).fill(1, 0, count)
        const part = await compiled(
          vector,
          { dtype: 'float32', shape: [chunk, ...shape], data: x },
          { dtype: 'float32', shape: [chunk, targets], data: y },
          shifts,
          weights,
        )
        for (let i = 0; i < total.length; i++) total[i]! += part.data[i]!
      }
      for (let i = 0; i < total.length; i++) {
        total[i]! /= n
        check(
          Number.isFinite(total[i]!),
          where,
          () => `the importance of parameter ${i} is ${total[i]}.`,
          'Pass finite samples and parameters.',
        )
      }
      return total
    },
    dispose: () => compiled.dispose(),
  }
}

function sumOver<P>(gradients: P, each: 'square' | 'abs'): P {
  const walk = (node: unknown): unknown => {
    if (node instanceof tf.Tensor) return tf.sum(each === 'square' ? tf.square(node) : tf.abs(node), 0)
    if (Array.isArray(node)) return node.map(walk)
    return Object.fromEntries(Object.entries(node as Record<string, unknown>).map(([key, value]) => [key, walk(value)]))
  }
  return walk(gradients) as P
}
