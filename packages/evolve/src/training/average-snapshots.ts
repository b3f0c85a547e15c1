import { check, describe, isArrayLeaf, type Snapshot, type Tree } from '@regimen/core'

const WHERE = 'evolve/average-snapshots'

/**
 * Averages snapshots of the same layout, leaf by leaf: floating-point arrays and numbers become weighted means, everything else
 * (whole-number arrays, strings, flags) is the first one's. The plainest `merge` of `trainSwarm`, right for nets that
 * began with the same weights; where members differ in more than noise, distill.
 *
 * ```ts
 * import { arrayLeaf, createSnapshot } from '@regimen/core'
 * import { averageSnapshots } from '@regimen/evolve'
 *
 * const net = (w: number) =>
 *   createSnapshot({ id: 'example/net', version: 1, config: {}, state: { w: arrayLeaf('float64', [1], [w]) } })
 * const { state } = averageSnapshots([net(1), net(4)], [2, 1])
 * state // => { w: { dtype: 'float64', shape: [1], data: Float64Array.of(2) } }
 * ```
 */
export function averageSnapshots(snapshots: readonly Snapshot[], weights?: ArrayLike<number>): Snapshot {
  check(snapshots.length > 0, WHERE, () => 'there must be at least one snapshot, got none.')
  const w = Float64Array.from(weights ?? snapshots.map(() => 1))
  const total = w.reduce((sum, one) => sum + one, 0)
  check(
    w.length === snapshots.length && w.every((one) => one >= 0) && total > 0 && Number.isFinite(total),
    WHERE,
    () => `weights must be ${snapshots.length} numbers of at least 0 with a positive sum, got ${describe(weights)}.`,
  )
  const [first] = snapshots as [Snapshot]
  for (const { id, version } of snapshots) {
    check(
      id === first.id && version === first.version,
      WHERE,
      () => `all must be snapshots of ${first.id} ${first.version}, got ${id} ${version}.`,
    )
  }
  const shares = w.map((one) => one / total)
  const children: { [name: string]: Snapshot } = {}
  for (const name of Object.keys(first.children)) {
    children[name] = averageSnapshots(
      snapshots.map((one) => {
        const child = one.children[name]
        check(child !== undefined, WHERE, () => `the child ${describe(name)} is missing in one of them.`)
        return child
      }),
      shares,
    )
  }
  return {
    ...first,
    state: average(
      snapshots.map(({ state }) => state),
      shares,
      'state',
    ),
    children,
  }
}

function average(trees: readonly (Tree | undefined)[], shares: Float64Array, path: string): Tree {
  const first = trees[0] as Tree
  if (typeof first === 'number') {
    check(
      trees.every((one) => typeof one === 'number'),
      WHERE,
      () => `${path} must be a number in all of them.`,
    )
    return Number.isInteger(first) && trees.every((one) => one === first)
      ? first
      : trees.reduce<number>((sum, one, k) => sum + shares[k]! * (one as number), 0)
  }
  if (isArrayLeaf(first)) {
    const leaves = trees.filter(isArrayLeaf)
    check(
      leaves.length === trees.length &&
        leaves.every((one) => one.dtype === first.dtype && `${one.shape}` === `${first.shape}`),
      WHERE,
      () => `${path} must have the dtype ${first.dtype} and the shape [${first.shape}] in all of them.`,
      'Average nets of the same shape only.',
    )
    if (first.dtype !== 'float64' && first.dtype !== 'float32') return { ...first, data: first.data.slice() } as Tree
    const data = first.data.slice()
    for (let i = 0; i < data.length; i++) {
      let sum = 0
      for (let k = 0; k < leaves.length; k++) sum += shares[k]! * (leaves[k]!.data[i] as number)
      data[i] = sum
    }
    return { ...first, data } as Tree
  }
  if (first === null || typeof first !== 'object') return first
  if (Array.isArray(first)) {
    return first.map((_, i) =>
      average(
        trees.map((one) => (one as Tree[] | undefined)?.[i]),
        shares,
        `${path}[${i}]`,
      ),
    )
  }
  return Object.fromEntries(
    Object.keys(first).map((key) => [
      key,
      average(
        trees.map((one) => (one as { [key: string]: Tree } | null | undefined)?.[key]),
        shares,
        `${path}.${key}`,
      ),
    ]),
  )
}
