import { check, describe } from '@regimen/core'
import { type Engine, isBetter } from '../engine/engine.ts'
import {
  checkBounded,
  checkCount,
  checkRange,
  defineSearch,
  type SearchFactory,
  type Setting,
} from '../engine/factory.ts'
import type { AnyPoint } from '../engine/space.ts'

/** Options of {@link particleSwarm}. */
export interface ParticleSwarmOptions {
  /**
   * Particles, from 3.
   * @default 10 + floor(2 √n)
   */
  readonly populationSize?: number
  /**
   * Whom a particle follows: `'ring'` its two neighbours (slower, harder to trap), `'global'` the best of all.
   * @default 'ring'
   */
  readonly topology?: 'ring' | 'global'
  /**
   * Share of the velocity that is kept, 0 to 1.
   * @default 0.7298
   */
  readonly inertia?: number
  /**
   * Pull towards the particle's own best and its neighbours', each from 0 to 4.
   * @default 1.49618
   */
  readonly pull?: number
}

/**
 * Minimizes or maximizes with a swarm of particles that remember their best place and are drawn to it and to that of their
 * neighbours: v ← w·v + c·r₁∘(p − x) + c·r₂∘(l − x). Simple, robust against noise, and quick at first on a few real
 * parameters; `cmaEs` and `jso` are more exact. A particle that hits a bound stays there with its velocity turned.
 *
 * ```ts
 * import { particleSwarm } from '@regimen/evolve'
 *
 * const swarm = particleSwarm.open({ space: { dimension: 2, lower: -3, upper: 3 }, direction: 'minimize', seed: 1 })
 * while (swarm.evaluations < 2000) {
 *   swarm.tell(swarm.ask().map(({ id, point: [x, y] }) => ({ id, value: (x! - 1) ** 2 + y! ** 2 })))
 * }
 * swarm.best!.value // ≈ 0.0000
 * ```
 *
 * Reference: M. Clerc & J. Kennedy, "The particle swarm: explosion, stability, and convergence", 2002.
 */
export const particleSwarm: SearchFactory<ParticleSwarmOptions> = defineSearch<ParticleSwarmOptions>(
  'evolve/particle-swarm',
  1,
  createEngine,
)

function createEngine({ id, options, codec, rng, start }: Setting<ParticleSwarmOptions>): Engine<AnyPoint> {
  checkBounded(id, codec)
  const { n, lower, upper } = codec
  const { topology = 'ring', inertia = 0.7298, pull = 1.49618 } = options
  const size = checkCount(id, 'populationSize', options.populationSize ?? 10 + Math.floor(2 * Math.sqrt(n)), 3)
  check(
    topology === 'ring' || topology === 'global',
    id,
    () => `topology must be 'ring' or 'global', got ${describe(topology)}.`,
  )
  checkRange(id, 'inertia', inertia, 0, 1)
  checkRange(id, 'pull', pull, 0, 4)
  const s = {
    slot: 0,
    started: 0,
    x: new Float64Array(size * n),
    v: new Float64Array(size * n),
    best: new Float64Array(size * n),
    values: new Float64Array(size).fill(Number.POSITIVE_INFINITY),
    violations: new Float64Array(size).fill(Number.POSITIVE_INFINITY),
  }
  const better = (a: number, b: number): boolean =>
    isBetter(s.violations[a]!, s.values[a]!, s.violations[b]!, s.values[b]!)
  const leaderOf = (particle: number): number => {
    let leader = particle
    if (topology === 'global') {
      for (let k = 0; k < size; k++) if (better(k, leader)) leader = k
      return leader
    }
    for (const k of [(particle + size - 1) % size, (particle + 1) % size]) if (better(k, leader)) leader = k
    return leader
  }
  return {
    width: n + 1,
    size,
    stopped: undefined,
    state: s,
    decode: (rows, at) => codec.decode(rows, at),
    propose(rows, at) {
      const particle = s.slot
      s.slot = (particle + 1) % size
      rows[at + n] = particle
      const base = particle * n
      if (s.started < size) {
        s.started++
        for (let i = 0; i < n; i++) {
          s.x[base + i] = rng.uniform(lower[i]!, upper[i]!)
          s.v[base + i] = (rng.uniform(lower[i]!, upper[i]!) - s.x[base + i]!) / 2
        }
        if (particle === 0 && start) s.x.set(start, 0)
        s.best.set(s.x.subarray(base, base + n), base)
      } else {
        const leader = leaderOf(particle) * n
        for (let i = 0; i < n; i++) {
          const x = s.x[base + i]!
          let v = inertia * s.v[base + i]! + pull * rng.uniform() * (s.best[base + i]! - x)
          v += pull * rng.uniform() * (s.best[leader + i]! - x)
          let next = x + v
          if (next < lower[i]! || next > upper[i]!) {
            next = Math.min(Math.max(next, lower[i]!), upper[i]!)
            v *= -0.5
          }
          s.v[base + i] = v
          s.x[base + i] = next
        }
      }
      rows.set(s.x.subarray(base, base + n), at)
    },
    learn({ count, rows, values, violations }) {
      for (let k = 0; k < count; k++) {
        const row = k * (n + 1)
        const particle = rows[row + n]!
        if (!isBetter(violations[k]!, values[k]!, s.violations[particle]!, s.values[particle]!)) continue
        s.best.set(rows.subarray(row, row + n), particle * n)
        s.values[particle] = values[k]!
        s.violations[particle] = violations[k]!
      }
    },
  }
}
