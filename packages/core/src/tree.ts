/** Element types that a leaf of a state tree may have. */
export type Dtype =
  | 'float64'
  | 'float32'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint32'
  | 'uint16'
  | 'uint8'
  | 'bool'
  | 'int64'
  | 'uint64'

/** The typed array that stores each {@link Dtype}; `bool` is one byte, 0 or 1. */
export interface DtypeArrays {
  float64: Float64Array
  float32: Float32Array
  int32: Int32Array
  int16: Int16Array
  int8: Int8Array
  uint32: Uint32Array
  uint16: Uint16Array
  uint8: Uint8Array
  bool: Uint8Array
  int64: BigInt64Array
  uint64: BigUint64Array
}

export type TypedArray = DtypeArrays[Dtype]

/** An array with its shape, row-major: the one way in which numbers in bulk appear in a state. */
export type ArrayLeaf<D extends Dtype = Dtype> = {
  [K in D]: { readonly dtype: K; readonly shape: readonly number[]; readonly data: DtypeArrays[K] }
}[D]

/** State as data: what a snapshot may hold. No closures, class instances or live tensors. */
export type Tree =
  | null
  | boolean
  | number
  | string
  | bigint
  | ArrayLeaf
  | readonly Tree[]
  | { readonly [key: string]: Tree }
