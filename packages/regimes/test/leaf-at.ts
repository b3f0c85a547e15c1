import { isArrayLeaf, type Tree } from '@regimen/core'

/** The numbers of an array in a state tree. */
export function leafAt(tree: Tree, ...path: string[]): Float64Array {
  let at: unknown = tree
  for (const key of path) at = (at as { [key: string]: unknown })[key]
  if (!isArrayLeaf(at as Tree)) throw new Error(`no array at ${path.join('.')}`)
  return (at as { data: Float64Array }).data
}
