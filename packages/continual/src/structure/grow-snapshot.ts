import { type ArrayLeaf, arrayLeaf, type Snapshot, type Tree } from '@regimen/core'
import { mlp } from '@regimen/tensor'
import { flatNet } from '../flat.ts'
import { growMlp } from './grow.ts'

/** What is grown of a net of these sizes. */
interface Growth {
  readonly sizes: readonly number[]
  readonly layer: number
  readonly by: number
  readonly seed: string
}

/**
 * Makes a trainer's snapshot that of a wider net with the same outputs. Old numbers move to their new places; at the new places moments,
 * importances and paths are 0, anchors, the start of the task and the teacher what the new weights are, which ties these to nothing.
 */
export function growSnapshot(snapshot: Snapshot, { sizes, layer, by, seed }: Growth): Snapshot {
  const state = snapshot.state as { readonly [name: string]: Tree }
  const wide = flatNet(mlp({ sizes: sizes.map((size, i) => (i === layer + 1 ? size + by : size)) }))
  const old = (state.vector as ArrayLeaf<'float32'>).data
  const grown = wide.toVector(growMlp(flatNet(mlp({ sizes })).toParams(old), { layer, by, seed }))
  const places = placesAfter(sizes, layer, by)
  const spread = (leaf: Tree, fill: 'zeros' | 'grown'): Tree => {
    if (!isVector(leaf, old.length)) return leaf
    const data = leaf.dtype === 'float64' ? new Float64Array(wide.size) : new Float32Array(wide.size)
    if (fill === 'grown') data.set(grown)
    for (let i = 0; i < places.length; i++) data[places[i]!] = leaf.data[i]!
    return arrayLeaf(leaf.dtype as 'float32', [wide.size], data as Float32Array)
  }
  const rule = Object.entries(state.rule as { readonly [slot: string]: Tree })
  const fresh = (names: readonly string[], fill: 'zeros' | 'grown') =>
    Object.fromEntries(names.map((name) => [name, spread(state[name]!, fill)]))
  return {
    ...snapshot,
    state: {
      ...state,
      vector: arrayLeaf('float32', [wide.size], grown),
      rule: Object.fromEntries(rule.map(([slot, one]) => [slot, spread(one, 'zeros')])),
      ...fresh(['importance', 'path'], 'zeros'),
      ...fresh(['anchor', 'start', 'teacher'], 'grown'),
    },
  }
}

/** Where each parameter of the narrow net lies in the wide one. */
function placesAfter(sizes: readonly number[], layer: number, by: number): Int32Array {
  const places: number[] = []
  let at = 0
  for (let i = 0; i + 1 < sizes.length; i++) {
    const [inputs, outputs] = [sizes[i]!, sizes[i + 1]!]
    const width = outputs + (i === layer ? by : 0)
    for (let row = 0; row < inputs; row++) for (let c = 0; c < outputs; c++) places.push(at + row * width + c)
    at += (inputs + (i === layer + 1 ? by : 0)) * width
    for (let c = 0; c < outputs; c++) places.push(at + c)
    at += width
  }
  return Int32Array.from(places)
}

function isVector(leaf: Tree | undefined, size: number): leaf is ArrayLeaf<'float32' | 'float64'> {
  const one = leaf as ArrayLeaf | null | undefined
  return one !== null && typeof one === 'object' && one?.shape?.length === 1 && one.shape[0] === size
}
