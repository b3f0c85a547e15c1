import { describe, RegimenError } from '../errors.ts'
import { type ArrayLeaf, leafProblem, looksLikeLeaf, setOwn, type Tree } from '../tree.ts'

/**
 * A tree written as plain JSON. What JSON lacks is an object with one key that starts with a dollar sign:
 * `{"$number":"NaN"}`, `{"$bigint":"12"}`, `{"$array":"float64",…}`; a user's own key `$x` is written `$$x`.
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

// Deep enough for any model, and far from the end of the stack; it also catches circular input.
const MAX_DEPTH = 400

/** Writes a tree as {@link Json}; the caller says how array leaves are written and whether keys are sorted. */
export function toTagged(
  tree: Tree,
  path: string,
  options: { leaf: (leaf: ArrayLeaf, path: string) => Json; sort?: boolean },
  depth = 0,
): Json {
  if (tree === null || typeof tree === 'boolean' || typeof tree === 'string') return tree
  if (typeof tree === 'number') {
    return Number.isFinite(tree) && !Object.is(tree, -0) ? tree : { $number: Object.is(tree, -0) ? '-0' : String(tree) }
  }
  if (typeof tree === 'bigint') return { $bigint: String(tree) }
  if (typeof tree !== 'object') throw invalidState(`${path} is ${describe(tree)}.`)
  if (depth > MAX_DEPTH) throw invalidState(`${path} is nested more than ${MAX_DEPTH} deep, or the state is circular.`)
  if (looksLikeLeaf(tree)) {
    const problem = leafProblem(tree)
    if (problem) throw invalidState(`${path} ${problem}.`)
    return options.leaf(tree, path)
  }
  if (Array.isArray(tree)) {
    const list: Json[] = []
    for (let i = 0; i < tree.length; i++) list.push(toTagged(tree[i] as Tree, `${path}[${i}]`, options, depth + 1))
    return list
  }
  if (ArrayBuffer.isView(tree)) {
    throw invalidState(`${path} is a bare ${describe(tree)}.`, 'Wrap it: arrayLeaf(dtype, shape, data).')
  }
  const prototype: unknown = Object.getPrototypeOf(tree)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw invalidState(`${path} is an instance of ${(tree as object).constructor.name}.`)
  }
  const record = tree as { readonly [key: string]: Tree }
  const keys = Object.keys(record)
  if (options.sort) keys.sort()
  const out: { [key: string]: Json } = {}
  for (const key of keys) {
    const value = toTagged(record[key] as Tree, joinPath(path, key), options, depth + 1)
    setOwn(out as { [key: string]: Tree }, key.startsWith('$') ? `$${key}` : key, value)
  }
  return out
}

/** Reads what {@link toTagged} wrote; the caller says how array leaves are read. */
export function fromTagged(
  json: Json,
  path: string,
  leaf: (tagged: { readonly [key: string]: Json }, path: string) => ArrayLeaf,
  depth = 0,
): Tree {
  if (json === null || typeof json !== 'object') return json
  if (depth > MAX_DEPTH) throw corrupt(`${path} is nested more than ${MAX_DEPTH} deep.`)
  if (Array.isArray(json)) return json.map((item: Json, i) => fromTagged(item, `${path}[${i}]`, leaf, depth + 1))
  const record = json as { readonly [key: string]: Json }
  const keys = Object.keys(record)
  const tag = keys.find((key) => key.startsWith('$') && !key.startsWith('$$'))
  if (tag !== undefined) {
    if (tag === '$array') return leaf(record, path)
    const text = record[tag]
    if (keys.length === 1 && tag === '$number' && typeof text === 'string' && SPECIAL.has(text)) return Number(text)
    if (keys.length === 1 && tag === '$bigint' && typeof text === 'string' && /^-?\d+$/.test(text)) return BigInt(text)
    throw corrupt(`${path} has the unknown tag ${describe(tag)}.`)
  }
  const out: { [key: string]: Tree } = {}
  for (const key of keys) {
    const name = key.startsWith('$$') ? key.slice(1) : key
    setOwn(out, name, fromTagged(record[key] as Json, joinPath(path, name), leaf, depth + 1))
  }
  return out
}

const SPECIAL: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity', '-0'])

/** Throws unless the value is a {@link Tree}, naming the path of the first thing that is not. */
export function checkTree(tree: unknown, path: string): asserts tree is Tree {
  toTagged(tree as Tree, path, { leaf: () => null })
}

/** `state.layers[2]` and `w` make `state.layers[2].w`; other keys are quoted. */
export function joinPath(path: string, key: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${path}[${JSON.stringify(key)}]`
  return path === '' ? key : `${path}.${key}`
}

/** The error for bytes or text that no intact snapshot consists of. */
export function corrupt(problem: string, cause?: unknown): RegimenError {
  return new RegimenError(problem, {
    code: 'CORRUPT_SNAPSHOT',
    where: 'core/snapshot',
    hint: 'Restore it from an intact copy.',
    ...(cause === undefined ? {} : { cause }),
  })
}

function invalidState(
  problem: string,
  hint = 'A state may hold null, booleans, numbers, strings, bigints, lists, plain objects and array leaves.',
): RegimenError {
  return new RegimenError(problem, { code: 'INVALID_STATE', where: 'core/snapshot', hint })
}
