import { compileNetwork, type NeatGenome, type NeatNetwork, neat } from '@regimen/evolve'
import { testOptimizer } from '@regimen/testing'
import { describe, expect, it } from 'vitest'

const FULL = process.env.REGIMEN_FULL === '1'

const XOR = [
  [0, 0, 0],
  [0, 1, 1],
  [1, 0, 1],
  [1, 1, 0],
] as const

function xorFitness(genome: NeatGenome): { fitness: number; solved: boolean } {
  const net = compileNetwork(genome)
  let error = 0
  let solved = true
  for (const [a, b, want] of XOR) {
    const out = net.activate([a, b])[0]!
    error += Math.abs(want - out)
    if (out > 0.5 !== (want === 1)) solved = false
  }
  return { fitness: (4 - error) ** 2, solved }
}

function generationsToXor(seed: number, limit: number): number {
  const optimizer = neat.open({ inputs: 2, outputs: 1, direction: 'maximize', seed })
  for (let generation = 1; generation <= limit; generation++) {
    let done = false
    const results = optimizer.ask().map(({ id, point }) => {
      const { fitness, solved } = xorFitness(point)
      done ||= solved
      return { id, value: fitness }
    })
    if (done) return generation
    optimizer.tell(results)
  }
  return Number.POSITIVE_INFINITY
}

/** Steps (of 0.02 s, at most `limit`) for which the net keeps two poles within 36° and the cart on its track. */
function balance(net: NeatNetwork, limit: number): number {
  // Wieland's equations: cart of 1 kg, poles of 1 m (0.1 kg) and 0.1 m (0.01 kg), given as half lengths.
  const state = [0, 0, (4 * Math.PI) / 180, 0, 0, 0]
  const derive = (s: readonly number[], force: number): number[] => {
    const pole = (angle: number, speed: number, half: number, mass: number): [number, number, number] => {
      const [sin, cos] = [Math.sin(angle), Math.cos(angle)]
      const friction = (0.000002 * speed) / (mass * half)
      const gravity = -9.8 * sin
      const f = mass * half * speed * speed * sin + 0.75 * mass * cos * (friction + gravity)
      return [f, mass * (1 - 0.75 * cos * cos), friction + gravity]
    }
    const [f1, m1, g1] = pole(s[2]!, s[3]!, 0.5, 0.1)
    const [f2, m2, g2] = pole(s[4]!, s[5]!, 0.05, 0.01)
    const acceleration = (force + f1 + f2) / (1 + m1 + m2)
    return [
      s[1]!,
      acceleration,
      s[3]!,
      (-0.75 * (acceleration * Math.cos(s[2]!) + g1)) / 0.5,
      s[5]!,
      (-0.75 * (acceleration * Math.cos(s[4]!) + g2)) / 0.05,
    ]
  }
  const add = (s: readonly number[], d: readonly number[], h: number): number[] => s.map((v, i) => v + h * d[i]!)
  const inputs = new Float64Array(6)
  let current: number[] = state
  for (let step = 0; step < limit; step++) {
    inputs.set([
      current[0]! / 4.8,
      current[1]! / 2,
      current[2]! / 0.52,
      current[3]! / 2,
      current[4]! / 0.52,
      current[5]! / 2,
    ])
    const force = (net.activate(inputs)[0]! - 0.5) * 20
    for (let half = 0; half < 2; half++) {
      const h = 0.01
      const k1 = derive(current, force)
      const k2 = derive(add(current, k1, h / 2), force)
      const k3 = derive(add(current, k2, h / 2), force)
      const k4 = derive(add(current, k3, h), force)
      current = current.map((v, i) => v + (h / 6) * (k1[i]! + 2 * k2[i]! + 2 * k3[i]! + k4[i]!))
    }
    const limitAngle = (36 * Math.PI) / 180
    if (Math.abs(current[0]!) > 2.4 || Math.abs(current[2]!) > limitAngle || Math.abs(current[4]!) > limitAngle)
      return step
  }
  return limit
}

describe('neat', () => {
  it('solves XOR within 150 generations on at least 48 of the seeds 1 to 50', () => {
    const seeds = FULL ? 50 : 6
    let solved = 0
    for (let seed = 1; seed <= seeds; seed++) if (generationsToXor(seed, 150) <= 150) solved++
    expect(solved).toBeGreaterThanOrEqual(FULL ? 48 : 6)
  })

  it('balances two poles with velocities', () => {
    const steps = FULL ? 100_000 : 5000
    const optimizer = neat.open({ inputs: 6, outputs: 1, direction: 'maximize', seed: 1 })
    let longest = 0
    for (let generation = 0; generation < 150 && longest < steps; generation++) {
      const results = optimizer.ask().map(({ id, point }) => {
        const value = balance(compileNetwork(point), steps)
        longest = Math.max(longest, value)
        return { id, value }
      })
      optimizer.tell(results)
    }
    expect(longest).toBe(steps)
  })

  it('starts minimal and grows; its species are told', () => {
    const optimizer = neat.open({ inputs: 3, outputs: 2, direction: 'maximize', seed: 2, addNodeRate: 0.5 })
    const first = optimizer.ask()
    // (3 inputs + bias) × 2 outputs, no hidden nodes.
    for (const { point } of first) expect([point.from.length, point.hidden.length]).toEqual([8, 0])
    optimizer.tell(first.map(({ id }) => ({ id, value: id })))
    const second = optimizer.ask()
    expect(second.some(({ point }) => point.hidden.length === 1)).toBe(true)
    expect(optimizer.species().reduce((sum, one) => sum + one.size, 0)).toBeLessThanOrEqual(150)
    // One split of one connection in one generation is one innovation: the same node everywhere.
    const nodes = new Map<string, Set<number>>()
    for (const { point } of second) {
      const off = point.enabled.indexOf(0)
      if (point.hidden.length !== 1 || off < 0) continue
      const split = `${point.from[off]}>${point.to[off]}`
      nodes.set(split, (nodes.get(split) ?? new Set()).add(point.hidden[0]!))
    }
    expect(nodes.size).toBeGreaterThan(1)
    for (const ids of nodes.values()) expect(ids.size).toBe(1)
  })

  it('makes recurrent nets that remember', () => {
    // Output the input of the step before: impossible without a memory.
    const optimizer = neat.open({ inputs: 1, outputs: 1, direction: 'maximize', recurrent: true, seed: 1 })
    const stream = [1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1]
    const score = (genome: NeatGenome): number => {
      const net = compileNetwork(genome)
      let right = 0
      for (let t = 0; t < stream.length; t++) {
        net.activate([stream[t]!])
        const out = net.activate([0])[0]!
        right += 1 - Math.abs(out - stream[t]!)
      }
      return right
    }
    while (optimizer.generations < 60) {
      optimizer.tell(optimizer.ask().map(({ id, point }) => ({ id, value: score(point) })))
    }
    expect(optimizer.best!.value).toBeGreaterThan(11)
  })
})

describe('compileNetwork', () => {
  const base = { inputs: 2, outputs: 1, recurrent: false } as const
  it('computes what the formula says', () => {
    // hidden 4 ← 0.5·x₀ − 1·x₁; output 3 ← 2·h + 0.1·bias.
    const net = compileNetwork({
      ...base,
      hidden: Int32Array.of(4),
      from: Int32Array.of(0, 1, 4, 2, 0),
      to: Int32Array.of(4, 4, 3, 3, 3),
      weights: Float64Array.of(0.5, -1, 2, 0.1, 99),
      enabled: Uint8Array.of(1, 1, 1, 1, 0),
    })
    const squash = (v: number): number => 1 / (1 + Math.exp(-4.9 * v))
    expect(net.activate([1, 0.3])[0]).toBeCloseTo(squash(2 * squash(0.5 - 0.3) + 0.1), 14)
  })

  it('refuses cycles in feed-forward nets and connections to nowhere', () => {
    const cycle = { ...base, hidden: Int32Array.of(4), weights: Float64Array.of(1, 1), enabled: Uint8Array.of(1, 1) }
    expect(() => compileNetwork({ ...cycle, from: Int32Array.of(4, 3), to: Int32Array.of(3, 4) })).toThrow(
      'depends on itself',
    )
    expect(() => compileNetwork({ ...cycle, from: Int32Array.of(0, 0), to: Int32Array.of(3, 9) })).toThrow('no node')
  })
})

describe('bad input', () => {
  it('is refused', () => {
    expect(() => neat.open({ inputs: 0, outputs: 1, direction: 'maximize' })).toThrow(
      'inputs must be an integer from 1',
    )
    expect(() => neat.open({ inputs: 2, outputs: 1, direction: 'maximize', populationSize: 1 })).toThrow('from 4')
    expect(() => neat.open({ inputs: 2, outputs: 1, direction: 'maximize', maxConnections: 3 })).toThrow(
      'maxConnections',
    )
    const optimizer = neat.open({ inputs: 2, outputs: 1, direction: 'maximize' })
    const [first] = optimizer.ask()
    expect(() => optimizer.tell([{ id: first!.id, value: Number.NaN }])).toThrow('must be a number, got NaN')
  })
})

testOptimizer<NeatGenome>('neat', {
  id: 'evolve/neat',
  open: (from) =>
    neat.open(
      typeof from === 'string'
        ? {
            inputs: 2,
            outputs: 1,
            direction: from,
            populationSize: 20,
            seed: 3,
            addNodeRate: 0.3,
            addConnectionRate: 0.3,
          }
        : from,
    ),
  objective: (genome) => -xorFitness(genome).fitness,
  pointProblem: (genome) => {
    try {
      compileNetwork(genome)
      return undefined
    } catch (error) {
      return String(error)
    }
  },
})
