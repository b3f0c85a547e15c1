import { arrayLeaf, check, decodeSafetensors, encodeSafetensors } from '@regimen/core'

/** One number for each sample of a dataset, in the dataset's order. */
export type SampleArrays = readonly number[] | Float64Array

/** Writes samples as a safetensors file, which any tool reads. */
export function encodeSamples(name: string, values: SampleArrays): Uint8Array {
  check(
    Array.prototype.every.call(values, Number.isFinite),
    'store/publish',
    () => `samples.${name} must hold finite numbers.`,
    'Leave out the samples that could not be measured, in both versions.',
  )
  return encodeSafetensors({ samples: arrayLeaf('float64', [values.length], Float64Array.from(values)) })
}

export function decodeSamples(bytes: Uint8Array): Float64Array {
  return decodeSafetensors(bytes).tensors.samples!.data as Float64Array
}
