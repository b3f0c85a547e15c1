import { RegimenError } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { withOwnGradients } from './gradients/higher-order.ts'
import { withNoise } from './random.ts'
import { flattenTree, unflattenTree } from './tree.ts'

const WHERE = 'tensor/checkpoint'

/**
 * Makes a function that forgets what it computed on the way and computes it again when a gradient is taken: memory for time.
 * Between the forward and the backward pass only arguments and results stay alive, so n steps in a row, each
 * checkpointed, hold n states and the inside of one step instead of the inside of all; every inside is computed twice.
 * Values and derivatives of any order are those of the plain function. Without a gradient around it, it is the plain function.
 *
 * In a compiled graph the second computation waits for the gradient that asks for it, by adding 0 times a number of that gradient
 * to the arguments: neither this package's passes nor onnxruntime's can merge the two, and none can run early. `explain()` has
 * the bytes that are alive at once.
 *
 * Gotchas: what is differentiated must be an argument; a tensor captured from outside is an error, since its gradient would be
 * lost. Random draws inside are an error, since the second computation would draw others. The function runs twice, so it should
 * have no side effects. Trees in and out; dtypes other than float32 pass through without a gradient.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { checkpoint } from '@regimen/tensor'
 *
 * const step = checkpoint((x: tf.Tensor) => tf.tanh(tf.mul(x, 2)))
 * const plain = (x: tf.Tensor) => tf.tanh(tf.mul(x, 2))
 * const slope = (f: typeof plain) => tf.grad((x: tf.Tensor) => tf.sum(f(f(x))))(tf.scalar(0.3)).dataSync()[0]!
 * slope(step) - slope(plain) // ≈ 0
 * ```
 *
 * Reference: Chen, Xu, Zhang and Guestrin 2016; Griewank and Walther 2000.
 */
export function checkpoint<Args extends readonly unknown[], R>(fn: (...args: Args) => R): (...args: Args) => R {
  return (...args) => {
    const engine = tf.engine()
    const { leaves, structure } = flattenTree<tf.Tensor>(args)
    if (engine.state.gradientDepth === 0 || engine.state.kernelDepth > 0 || leaves.length === 0) return fn(...args)
    const run = (given: readonly tf.Tensor[]) =>
      flattenTree<tf.Tensor>(withNoise(refuseNoise, () => fn(...(unflattenTree(structure, given) as Args))))
    const results = offTape(leaves, () => run(leaves))
    const places = leaves.flatMap(({ dtype }, i) => (dtype === 'float32' ? [i] : []))
    // tf.customGrad with several results, which tfjs has and does not export.
    const record = Reflect.get(engine, 'runKernelFunc') as (call: RecordedCall) => tf.Tensor[]
    const outputs = record.call(engine, {
      forwardFunc: (_, save) => {
        save(leaves)
        return results.leaves.map((leaf) => tf.clone(leaf))
      },
      backwardsFunc: (dy, saved) => {
        const gradients = again(run, saved, places, [dy].flat())
        return Object.fromEntries(gradients.map((gradient, i) => [String(i), () => gradient]))
      },
      inputs: Object.fromEntries(places.map((place, i) => [String(i), leaves[place]!])),
    })
    return unflattenTree(results.structure, outputs) as R
  }
}

interface RecordedCall {
  forwardFunc(backend: unknown, save: (tensors: readonly tf.Tensor[]) => void): tf.Tensor[]
  backwardsFunc(dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]): { [input: string]: () => tf.Tensor }
  readonly inputs: { readonly [input: string]: tf.Tensor }
}

/** Runs without leaving a trace on the tape that is being recorded; gradients inside find all they need on another. */
function offTape<T>(inputs: readonly tf.Tensor[], run: () => T): T {
  const { state } = tf.engine()
  const outer = state.activeTape
  // Numbers of tensors ascend.
  const first = tf.tidy(() => tf.scalar(0).id)
  state.activeTape = []
  try {
    const result = run()
    refuseCaptured(inputs, first)
    return result
  } finally {
    for (const { saved } of state.activeTape) tf.dispose(saved ?? [])
    state.activeTape = outer
  }
}

/** The vector-Jacobian product of the function, computed anew from its arguments. */
function again(
  run: (given: readonly tf.Tensor[]) => { leaves: tf.Tensor[] },
  saved: readonly tf.Tensor[],
  places: readonly number[],
  dys: readonly tf.Tensor[],
): tf.Tensor[] {
  const engine = tf.engine()
  const wait = tf.getBackend() === 'trace' ? nothingOf(dys) : undefined
  const xs = places.map((place) => (wait ? after(saved[place]!, wait) : tf.clone(saved[place]!)))
  const given = saved.slice()
  places.forEach((place, i) => {
    given[place] = xs[i]!
  })
  const along = () =>
    run(given)
      .leaves.flatMap((y, i) => (y.dtype === 'float32' ? [tf.sum(tf.mul(y, dys[i]!))] : []))
      .reduce((a, b) => tf.add(a, b))
  const outer = engine.state.activeTape
  try {
    const { grads } = withOwnGradients(() => engine.gradients(along, xs, undefined, true))
    return grads.map((gradient, i) => (gradient as tf.Tensor | null) ?? tf.zerosLike(xs[i]!))
  } finally {
    // The outermost backward pass has ended its tape already, and a gradient inside would clear it.
    if (engine.state.gradientDepth === 0) engine.state.activeTape = outer
  }
}

/** Zero, but only known when every gradient is. */
function nothingOf(dys: readonly tf.Tensor[]): tf.Tensor {
  const firsts = dys.map((dy) => tf.slice(tf.reshape(dy, [dy.size]), [0], [Math.min(1, dy.size)]))
  return constant(() => tf.mul(tf.sum(tf.concat(firsts)), 0))
}

/** The tensor itself, not before `wait` is known. */
function after(x: tf.Tensor, wait: tf.Tensor): tf.Tensor {
  const held = tf.customGrad((v) => ({ value: tf.add(v as tf.Tensor, wait), gradFunc: (dy: tf.Tensor) => dy }))
  return held(x)
}

/** Computes what derivatives pass by. */
function constant(compute: () => tf.Tensor): tf.Tensor {
  return tf.customGrad(() => ({ value: compute(), gradFunc: () => [] }))()
}

function refuseNoise(): never {
  throw new RegimenError('the function draws random numbers, which would differ when it is computed again.', {
    code: 'RANDOM_INSIDE',
    where: WHERE,
    hint: 'Draw outside and pass the numbers as an argument.',
  })
}

/** Looks at the inputs of all that was computed: each was an argument, or was made inside. */
function refuseCaptured(inputs: readonly tf.Tensor[], first: number): void {
  const known = new Set(inputs.map(({ id }) => id))
  for (const node of tf.engine().state.activeTape) {
    for (const input of Object.values(node.inputs)) {
      if (input.id >= first || known.has(input.id)) continue
      throw new RegimenError(`a tensor of shape [${input.shape.join(', ')}] from outside is used inside.`, {
        code: 'CAPTURED_TENSOR',
        where: WHERE,
        hint: 'Its gradient would be lost. Pass it as an argument.',
      })
    }
  }
}
