import { check } from '@regimen/core'

/** A net as data: what NEAT asks to have valued, and what can be stored. */
export type NeatGenome = {
  readonly inputs: number
  readonly outputs: number
  readonly recurrent: boolean
  /** Ids of the hidden nodes. Inputs are 0 …, the bias follows, then the outputs. */
  readonly hidden: Int32Array
  readonly from: Int32Array
  readonly to: Int32Array
  readonly weights: Float64Array
  /** 1 where the connection is in use. */
  readonly enabled: Uint8Array
}

/** A genome made ready to run. */
export interface NeatNetwork {
  /** Sets the activations of a recurrent net to zero. */
  reset(): void
  /** Runs one step and gives the outputs, each on (0, 1); the array is reused. */
  activate(inputs: ArrayLike<number>): Float64Array
}

/**
 * Compiles a genome into flat instructions, node by node in the order of computation: an activation then takes some
 * nanoseconds a connection and allocates nothing. Feed-forward nets are complete after one step; recurrent ones take
 * each step from the activations of the step before. Nodes compute 1/(1 + exp(−4.9·sum)).
 *
 * ```ts
 * import { compileNetwork } from '@regimen/evolve'
 *
 * const net = compileNetwork({
 *   inputs: 1,
 *   outputs: 1,
 *   recurrent: false,
 *   hidden: new Int32Array(0),
 *   from: Int32Array.of(0, 1),
 *   to: Int32Array.of(2, 2),
 *   weights: Float64Array.of(1, -0.5),
 *   enabled: Uint8Array.of(1, 1),
 * })
 * net.activate([0.5])[0] // ≈ 0.5
 * ```
 */
export function compileNetwork(genome: NeatGenome): NeatNetwork {
  const { inputs, outputs, hidden, from, to, weights, enabled, recurrent } = genome
  const where = 'evolve/neat'
  check(
    from.length === to.length && from.length === weights.length && from.length === enabled.length,
    where,
    () => `from, to, weights and enabled must be of one length, got ${from.length}, ${to.length}, ${weights.length}.`,
  )
  const total = inputs + 1 + outputs + hidden.length
  const place = new Map<number, number>()
  for (let i = 0; i < inputs + 1 + outputs; i++) place.set(i, i)
  hidden.forEach((id, k) => {
    place.set(id, inputs + 1 + outputs + k)
  })
  const incoming: { from: number; weight: number }[][] = Array.from({ length: total }, () => [])
  for (let i = 0; i < from.length; i++) {
    const [a, b] = [place.get(from[i]!), place.get(to[i]!)]
    check(
      a !== undefined && b !== undefined,
      where,
      () => `connection ${i} leads from ${from[i]} to ${to[i]}, which is no node.`,
    )
    if (enabled[i] === 1) incoming[b]!.push({ from: a, weight: weights[i]! })
  }
  const order = recurrent
    ? Array.from({ length: total - inputs - 1 }, (_, k) => inputs + 1 + k)
    : topological(incoming, inputs, outputs, total)
  const nodes = Int32Array.from(order)
  const starts = new Int32Array(order.length + 1)
  const flat = order.flatMap((node) => incoming[node]!)
  order.forEach((node, k) => {
    starts[k + 1] = starts[k]! + incoming[node]!.length
  })
  const sources = Int32Array.from(flat, (one) => one.from)
  const gains = Float64Array.from(flat, (one) => one.weight)
  const values = new Float64Array(total)
  const next = new Float64Array(total)
  const out = new Float64Array(outputs)
  return {
    reset: () => void values.fill(0),
    activate(given) {
      for (let i = 0; i < inputs; i++) values[i] = given[i]!
      values[inputs] = 1
      const target = recurrent ? next : values
      for (let k = 0; k < nodes.length; k++) {
        let sum = 0
        for (let c = starts[k]!; c < starts[k + 1]!; c++) sum += gains[c]! * values[sources[c]!]!
        target[nodes[k]!] = 1 / (1 + Math.exp(-4.9 * sum))
      }
      if (recurrent) for (let k = 0; k < nodes.length; k++) values[nodes[k]!] = next[nodes[k]!]!
      for (let o = 0; o < outputs; o++) out[o] = values[inputs + 1 + o]!
      return out
    },
  }
}

/** Nodes that have to be computed, each after what it depends on. */
function topological(
  incoming: readonly (readonly { from: number }[])[],
  inputs: number,
  outputs: number,
  total: number,
): number[] {
  const order: number[] = []
  // 1 is being visited, 2 is done.
  const mark = new Uint8Array(total)
  const visit = (node: number): void => {
    if (node <= inputs || mark[node] === 2) return
    check(mark[node] !== 1, 'evolve/neat', () => `node ${node} depends on itself.`, 'Set { recurrent: true }.')
    mark[node] = 1
    for (const { from } of incoming[node]!) visit(from)
    mark[node] = 2
    order.push(node)
  }
  for (let o = 0; o < outputs; o++) visit(inputs + 1 + o)
  return order
}
