// A tanh net 1-h-1 in plain double precision with its gradient by hand, to hold the float32 graphs against.

export interface Samples {
  readonly x: readonly number[]
  readonly y: readonly number[]
}

/** Parameters in the order of the tree: kernel 1 [h], bias 1 [h], kernel 2 [h], bias 2 [1]. */
export function forward(p: readonly number[], x: number): { h: number[]; y: number } {
  const size = (p.length - 1) / 3
  const h = Array.from({ length: size }, (_, j) => Math.tanh(x * p[j]! + p[size + j]!))
  return { h, y: h.reduce((sum, value, j) => sum + value * p[2 * size + j]!, p[3 * size]!) }
}

export function loss(p: readonly number[], { x, y }: Samples): number {
  return x.reduce((sum, value, i) => sum + (forward(p, value).y - y[i]!) ** 2 / x.length, 0)
}

export function gradient(p: readonly number[], { x, y }: Samples): number[] {
  const size = (p.length - 1) / 3
  const g = p.map(() => 0)
  x.forEach((value, i) => {
    const { h, y: out } = forward(p, value)
    const e = (2 * (out - y[i]!)) / x.length
    for (let j = 0; j < size; j++) {
      const back = e * p[2 * size + j]! * (1 - h[j]! ** 2)
      g[j]! += back * value
      g[size + j]! += back
      g[2 * size + j]! += e * h[j]!
    }
    g[3 * size]! += e
  })
  return g
}

/** Parameters after gradient descent; `moves` says which of them adapt. */
export function adapted(
  p: readonly number[],
  support: Samples,
  { steps, rate, moves = () => true }: { steps: number; rate: number; moves?: (i: number) => boolean },
): number[] {
  let own = [...p]
  for (let step = 0; step < steps; step++) {
    const g = gradient(own, support)
    own = own.map((value, i) => (moves(i) ? value - rate * g[i]! : value))
  }
  return own
}

/** Central differences. */
export function differences(f: (p: readonly number[]) => number, p: readonly number[], h = 1e-5): number[] {
  return p.map((_, i) => {
    const at = (shift: number): number => f(p.map((value, j) => (i === j ? value + shift : value)))
    return (at(h) - at(-h)) / (2 * h)
  })
}
