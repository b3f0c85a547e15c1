import type { Rng } from '@regimen/core'

/** Numbers per connection gene: innovation, from, to, weight, enabled. */
export const GENE = 5

/** How a genome lies in a row of numbers: connections, hidden nodes, then the hidden nodes' ids and the genes. */
export interface Layout {
  readonly inputs: number
  readonly outputs: number
  readonly maxHidden: number
  readonly maxConnections: number
  readonly width: number
  /** Where the genes begin. */
  readonly genes: number
}

/** Plans the rows for nets of a size. */
export function createLayout(inputs: number, outputs: number, maxHidden: number, maxConnections: number): Layout {
  const genes = 2 + maxHidden
  return { inputs, outputs, maxHidden, maxConnections, genes, width: genes + GENE * maxConnections }
}

/** Numbers that the innovations of one generation have been given; the same change made twice gets the same number. */
export interface Innovations {
  next: number
  nextNode: number
  readonly links: Map<string, number>
  readonly splits: Map<number, number>
}

/** Forgets what this generation invented; the counters go on. */
export function newGeneration(innovations: Innovations): void {
  innovations.links.clear()
  innovations.splits.clear()
}

function innovationOf(innovations: Innovations, from: number, to: number): number {
  const key = `${from}>${to}`
  let number = innovations.links.get(key)
  if (number === undefined) {
    number = innovations.next++
    innovations.links.set(key, number)
  }
  return number
}

/** The smallest net: every input and the bias to every output. Its innovations are 0 … (inputs + 1)·outputs − 1. */
export function writeMinimal(layout: Layout, rng: Rng, range: number, row: Float64Array): void {
  const { inputs, outputs, genes } = layout
  row.fill(0)
  let count = 0
  for (let from = 0; from <= inputs; from++) {
    for (let o = 0; o < outputs; o++) {
      const at = genes + GENE * count
      row[at] = count
      row[at + 1] = from
      row[at + 2] = inputs + 1 + o
      row[at + 3] = rng.uniform(-range, range)
      row[at + 4] = 1
      count++
    }
  }
  row[0] = count
}

/** Inserts a gene in the order of innovations; false when it is there already or nothing more fits. */
function insertGene(
  layout: Layout,
  row: Float64Array,
  innovation: number,
  from: number,
  to: number,
  weight: number,
): boolean {
  const count = row[0]!
  if (count >= layout.maxConnections) return false
  let place = count
  while (place > 0 && row[layout.genes + GENE * (place - 1)]! >= innovation) place--
  const at = layout.genes + GENE * place
  if (place < count && row[at] === innovation) return false
  row.copyWithin(at + GENE, at, layout.genes + GENE * count)
  row[at] = innovation
  row[at + 1] = from
  row[at + 2] = to
  row[at + 3] = weight
  row[at + 4] = 1
  row[0] = count + 1
  return true
}

/** Whether a path leads from `start` to `goal`, disabled genes included, for they may come back. */
function reaches(layout: Layout, row: Float64Array, start: number, goal: number): boolean {
  if (start === goal) return true
  const seen = new Set([start])
  const queue = [start]
  while (queue.length > 0) {
    const node = queue.pop()!
    for (let i = 0; i < row[0]!; i++) {
      const at = layout.genes + GENE * i
      if (row[at + 1] !== node) continue
      const next = row[at + 2]!
      if (next === goal) return true
      if (!seen.has(next)) {
        seen.add(next)
        queue.push(next)
      }
    }
  }
  return false
}

/** Adds a connection between two nodes that have none yet; may find no place and then does nothing. */
export function addConnection(
  layout: Layout,
  rng: Rng,
  innovations: Innovations,
  row: Float64Array,
  recurrent: boolean,
  range: number,
): void {
  const { inputs, outputs, genes } = layout
  const hidden = row[1]!
  for (let attempt = 0; attempt < 20; attempt++) {
    const source = rng.int(0, inputs + 1 + outputs + hidden)
    const target = rng.int(0, outputs + hidden)
    const from = source < inputs + 1 + outputs ? source : row[2 + source - inputs - 1 - outputs]!
    const to = target < outputs ? inputs + 1 + target : row[2 + target - outputs]!
    if (!recurrent && reaches(layout, row, to, from)) continue
    let taken = false
    for (let i = 0; i < row[0]! && !taken; i++)
      taken = row[genes + GENE * i + 1] === from && row[genes + GENE * i + 2] === to
    if (taken) continue
    insertGene(layout, row, innovationOf(innovations, from, to), from, to, rng.uniform(-range, range))
    return
  }
}

/** Splits an enabled connection: it is disabled, and a new node gets weight 1 in front and the old weight behind. */
export function addNode(layout: Layout, rng: Rng, innovations: Innovations, row: Float64Array): void {
  const { genes, maxHidden, maxConnections, inputs } = layout
  const count = row[0]!
  if (row[1]! >= maxHidden || count + 2 > maxConnections) return
  for (let attempt = 0; attempt < 10; attempt++) {
    const at = genes + GENE * rng.int(0, count)
    // The bias stays connected, or a split would starve the node of it.
    if (row[at + 4] === 0 || row[at + 1] === inputs) continue
    const innovation = row[at]!
    const from = row[at + 1]!
    const to = row[at + 2]!
    const weight = row[at + 3]!
    let node = innovations.splits.get(innovation)
    if (node === undefined) {
      node = innovations.nextNode++
      innovations.splits.set(innovation, node)
    }
    for (let k = 0; k < row[1]!; k++) if (row[2 + k] === node) return
    row[at + 4] = 0
    row[2 + row[1]!] = node
    row[1]!++
    insertGene(layout, row, innovationOf(innovations, from, node), from, node, 1)
    insertGene(layout, row, innovationOf(innovations, node, to), node, to, weight)
    return
  }
}

/** Perturbs or replaces weights. */
export function mutateWeights(
  layout: Layout,
  rng: Rng,
  row: Float64Array,
  replace: number,
  power: number,
  range: number,
): void {
  for (let i = 0; i < row[0]!; i++) {
    const at = layout.genes + GENE * i + 3
    row[at] = rng.uniform() < replace ? rng.uniform(-range, range) : row[at]! + rng.uniform(-power, power)
    row[at] = Math.min(Math.max(row[at]!, -30), 30)
  }
}

/** Turns one gene on or off. */
export function toggleGene(layout: Layout, rng: Rng, row: Float64Array): void {
  const at = layout.genes + GENE * rng.int(0, row[0]!) + 4
  if (row[at] === 0) row[at] = 1
  else {
    // Never the last way out of a node.
    const from = row[at - 3]
    for (let i = 0; i < row[0]!; i++) {
      const other = layout.genes + GENE * i
      if (other + 4 !== at && row[other + 1] === from && row[other + 4] === 1) {
        row[at] = 0
        return
      }
    }
  }
}

/**
 * Crosses two genomes by their innovations: matching genes come from either parent, disjoint and excess ones from the fitter (the
 * first, when they are equally fit). A gene disabled in either parent is disabled in three of four children.
 */
export function crossGenomes(
  layout: Layout,
  rng: Rng,
  fitter: Float64Array,
  other: Float64Array,
  child: Float64Array,
): void {
  const { genes } = layout
  child.fill(0)
  let count = 0
  let j = 0
  for (let i = 0; i < fitter[0]!; i++) {
    const a = genes + GENE * i
    while (j < other[0]! && other[genes + GENE * j]! < fitter[a]!) j++
    const b = genes + GENE * j
    const matching = j < other[0]! && other[b] === fitter[a]
    const at = genes + GENE * count++
    for (let k = 0; k < GENE; k++) child[at + k] = fitter[a + k]!
    if (!matching) continue
    if (rng.uniform() < 0.5) child[at + 3] = other[b + 3]!
    if (fitter[a + 4] === 0 || other[b + 4] === 0) child[at + 4] = rng.uniform() < 0.75 ? 0 : 1
  }
  child[0] = count
  // All hidden nodes of the fitter parent come along, so every gene finds its ends.
  child[1] = fitter[1]!
  for (let k = 0; k < fitter[1]!; k++) child[2 + k] = fitter[2 + k]!
}

/** δ = (c₁·excess + c₂·disjoint)/N + c₃·mean weight difference, N = 1 below 20 genes. */
export function geneticDistance(layout: Layout, a: Float64Array, b: Float64Array, c12: number, c3: number): number {
  const { genes } = layout
  let i = 0
  let j = 0
  let apart = 0
  let matching = 0
  let difference = 0
  while (i < a[0]! && j < b[0]!) {
    const p = genes + GENE * i
    const q = genes + GENE * j
    if (a[p] === b[q]) {
      matching++
      difference += Math.abs(a[p + 3]! - b[q + 3]!)
      i++
      j++
    } else {
      apart++
      if (a[p]! < b[q]!) i++
      else j++
    }
  }
  apart += a[0]! - i + (b[0]! - j)
  const larger = Math.max(a[0]!, b[0]!)
  return (c12 * apart) / (larger < 20 ? 1 : larger) + (matching > 0 ? (c3 * difference) / matching : 0)
}
