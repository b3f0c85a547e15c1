export type { Buckets } from './compile/buckets.ts'
export { type Compiled, type CompileOptions, compile, type Explanation } from './compile/compile.ts'
export type { PassReport } from './compile/passes/passes.ts'
export { random, withRandom } from './random.ts'
export {
  type Fed,
  type Fetched,
  type FlatTree,
  flattenTree,
  mapTree,
  type Structure,
  type TensorDtype,
  type TensorLeaf,
  unflattenTree,
} from './tree.ts'
