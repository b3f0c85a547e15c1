import { isArrayLeaf, type Schema, schema, type Tree } from '@regimen/core'

/** A schema that accepts trees of the same keys, dtypes and shapes as an example. */
export function schemaLike(example: Tree): Schema {
  if (isArrayLeaf(example)) return schema.leaf(example.dtype, [...example.shape])
  if (typeof example === 'number') return schema.number({ finite: false })
  if (typeof example === 'string') return schema.literal(example)
  if (typeof example !== 'object' || example === null || Array.isArray(example)) return schema.any()
  return schema.object(
    Object.fromEntries(Object.entries(example).map(([key, value]) => [key, schemaLike(value as Tree)])),
  )
}
