import { symmetricEigen } from '@regimen/core/math'
import type { Skill } from './skill-types.ts'

/** A skill as a node. `x` and `y` place it so that distances in the plane are near those of the descriptors. */
export interface SkillNode {
  readonly name: string
  readonly kind: 'regime' | 'task'
  readonly x: number
  readonly y: number
  readonly added: number
  readonly judged: number
  readonly loss: number
  readonly evidence: number
  readonly decayed: boolean
  readonly absorbed: readonly string[]
  readonly metrics: { readonly [name: string]: number }
}

/** `similar` is mutual; `started` goes from a skill to one whose model began with it. */
export interface SkillEdge {
  readonly source: string
  readonly target: string
  readonly kind: 'similar' | 'started'
  /** Between the descriptors. */
  readonly distance: number
  /** 1 / (1 + distance). */
  readonly similarity: number
}

/** A library as a graph: plain JSON. */
export interface SkillGraph {
  readonly nodes: readonly SkillNode[]
  readonly edges: readonly SkillEdge[]
}

/** Root of the mean squared difference. */
export function distanceOf(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2
  return Math.sqrt(sum / a.length)
}

/** The graph of some skills, each linked to its nearest ones. */
export function skillGraph(
  skills: readonly Skill[],
  links: number,
  find: (name: string) => Skill | undefined,
): SkillGraph {
  const n = skills.length
  const distances = skills.map((a) => skills.map((b) => distanceOf(a.descriptor, b.descriptor)))
  const places = scaling(distances)
  const edges: SkillEdge[] = []
  const edge = (i: number, j: number, kind: SkillEdge['kind']): void => {
    const distance = distances[i]![j]!
    const [source, target] = [skills[i]!.name, skills[j]!.name]
    edges.push({ source, target, kind, distance, similarity: 1 / (1 + distance) })
  }
  const near = skills.map((_, i) =>
    Array.from({ length: n }, (_, j) => j)
      .filter((j) => j !== i)
      .sort((a, b) => distances[i]![a]! - distances[i]![b]! || a - b)
      .slice(0, links),
  )
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) if (near[i]!.includes(j) || near[j]!.includes(i)) edge(i, j, 'similar')
  for (const [j, { name, parent }] of skills.entries()) {
    const from = parent === null ? undefined : find(parent)
    if (from && from.name !== name) edge(skills.indexOf(from), j, 'started')
  }
  const nodes = skills.map(({ name, kind, added, judged, loss, evidence, decayed, absorbed, metrics }, i) => ({
    name,
    kind,
    x: places[i]![0]!,
    y: places[i]![1]!,
    added,
    judged,
    loss,
    evidence,
    decayed: decayed !== null,
    absorbed: [...absorbed],
    metrics: { ...metrics },
  }))
  return { nodes, edges }
}

/**
 * Classical multidimensional scaling to the plane: the two leading eigenvectors of −½ J D² J, times the roots of their values. The
 * largest coordinate on each axis is made positive, which settles the sign.
 *
 * Reference: Torgerson 1952.
 */
export function scaling(distances: readonly (readonly number[])[]): [number, number][] {
  const n = distances.length
  if (n === 0) return []
  const squares = distances.map((row) => row.map((value) => value * value))
  const means = squares.map((row) => row.reduce((a, b) => a + b, 0) / n)
  const all = means.reduce((a, b) => a + b, 0) / n
  const centred = squares.map((row, i) => row.map((value, j) => -0.5 * (value - means[i]! - means[j]! + all)))
  const { values, vectors } = symmetricEigen(centred)
  const axis = (k: number): number[] => {
    const root = Math.sqrt(Math.max(0, values[n - 1 - k] ?? 0))
    const made = Array.from({ length: n }, (_, i) => (k < n ? vectors.data[i * n + (n - 1 - k)]! * root : 0))
    let largest = 0
    for (let i = 1; i < n; i++) if (Math.abs(made[i]!) > Math.abs(made[largest]!) * (1 + 1e-9)) largest = i
    // Without −0, which JSON does not keep.
    return made.map((value) => (made[largest]! < 0 ? -value : value) + 0)
  }
  const [xs, ys] = [axis(0), axis(1)]
  return xs.map((x, i) => [x, ys[i]!])
}
