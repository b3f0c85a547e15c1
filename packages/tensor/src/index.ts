export { useBackend } from './backends.ts'
export { compile } from './compile/compile.ts'
export { random, withRandom } from './random.ts'
export { flattenTree, mapTree, unflattenTree } from './tree.ts'

// Types.

export type { BackendName, BackendReport } from './backends.ts'
export type { Buckets } from './compile/buckets.ts'
export type { Compiled, CompileOptions, Explanation } from './compile/compile.ts'
export type { PassReport } from './compile/passes/passes.ts'
export type { Fed, Fetched, FlatTree, Structure, TensorDtype, TensorLeaf } from './tree.ts'
