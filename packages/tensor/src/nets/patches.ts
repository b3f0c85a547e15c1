import * as tf from '@tensorflow/tfjs-core'

/** Size of a window, its steps, and the zeros around the image. */
export interface WindowOptions {
  readonly window: readonly [number, number]
  readonly stride: readonly [number, number]
  readonly padding: 'valid' | 'same'
}

/** Which image positions each output position reads, and the reverse. Absent ones point one past the end. */
interface Geometry {
  readonly outHeight: number
  readonly outWidth: number
  readonly places: number
  readonly forward: Int32Array
  /** The k-th output position that reads each image position, for k = 0, 1, … */
  readonly backward: readonly Int32Array[]
  readonly padded: boolean
  readonly unread: boolean
}

const geometries = new Map<string, Geometry>()

/**
 * Collects the windows of images [n, height, width, c] as [n, outHeight, outWidth, places, c]. Forward and backward are
 * one gather each: the gradient of a gather would scatter, which every runtime does slowly, but the reads can be
 * inverted once. The two are each other's derivative, so any order follows.
 */
export function takePatches(x: tf.Tensor, options: WindowOptions): tf.Tensor {
  const [n, height, width, channels] = x.shape as [number, number, number, number]
  const geometry = geometryOf(height, width, options)
  const { outHeight, outWidth, places, forward, backward, padded, unread } = geometry

  const collect = (image: tf.Tensor): tf.Tensor => {
    const source = padded
      ? tf.pad(image, [
          [0, 0],
          [0, 1],
          [0, 0],
        ])
      : image
    return take(source, forward)
  }
  const spread = (patches: tf.Tensor): tf.Tensor => {
    const source = unread
      ? tf.pad(patches, [
          [0, 0],
          [0, 1],
          [0, 0],
        ])
      : patches
    // A sum of gathers is several times faster than the sum along an axis of one gather.
    const taken = backward.map((ids) => take(source, ids))
    return taken.length === 1 ? taken[0]! : tf.addN(taken)
  }
  const collected = (image: tf.Tensor): tf.Tensor =>
    tf.customGrad((input) => ({ value: collect(input as tf.Tensor), gradFunc: (dy) => spreaded(dy) }))(image)
  const spreaded = (patches: tf.Tensor): tf.Tensor =>
    tf.customGrad((input) => ({ value: spread(input as tf.Tensor), gradFunc: (dy) => collected(dy) }))(patches)

  const flat = collected(tf.reshape(x, [n, height * width, channels]))
  return tf.reshape(flat, [n, outHeight, outWidth, places, channels])
}

// A runtime copies what lies together at once: with hardly any channels that should be a position of all images.
function take(source: tf.Tensor, places: Int32Array): tf.Tensor {
  const ids = tf.tensor1d(places, 'int32')
  if (source.shape[2]! > 2) return tf.gather(source, ids, 1)
  return tf.transpose(tf.gather(tf.transpose(source, [1, 0, 2]), ids), [1, 0, 2])
}

function geometryOf(height: number, width: number, options: WindowOptions): Geometry {
  const key = JSON.stringify([height, width, options])
  const known = geometries.get(key)
  if (known) return known
  const geometry = measure(height, width, options)
  if (geometries.size >= 64) geometries.clear()
  geometries.set(key, geometry)
  return geometry
}

function measure(height: number, width: number, { window, stride, padding }: WindowOptions): Geometry {
  const [outHeight, top] = extent(height, window[0], stride[0], padding)
  const [outWidth, left] = extent(width, window[1], stride[1], padding)
  const places = window[0] * window[1]
  const size = height * width
  const total = outHeight * outWidth * places
  const forward = new Int32Array(total).fill(size)
  const readers: number[][] = Array.from({ length: size }, () => [])
  for (let o = 0, at = 0; o < outHeight * outWidth; o++) {
    for (let k = 0; k < places; k++, at++) {
      const row = Math.floor(o / outWidth) * stride[0] - top + Math.floor(k / window[1])
      const column = (o % outWidth) * stride[1] - left + (k % window[1])
      if (row < 0 || row >= height || column < 0 || column >= width) continue
      forward[at] = row * width + column
      readers[row * width + column]!.push(at)
    }
  }
  const most = readers.reduce((count, list) => Math.max(count, list.length), 1)
  const backward = Array.from({ length: most }, (_, k) => Int32Array.from(readers, (list) => list[k] ?? total))
  const unread = backward.some((ids) => ids.includes(total))
  return { outHeight, outWidth, places, forward, backward, padded: forward.includes(size), unread }
}

// TensorFlow's convention: 'same' yields ceil(size / stride) and puts the odd zero last.
function extent(
  size: number,
  window: number,
  stride: number,
  padding: 'valid' | 'same',
): [out: number, before: number] {
  if (padding === 'valid') return [Math.floor((size - window) / stride) + 1, 0]
  const out = Math.ceil(size / stride)
  return [out, Math.floor(Math.max((out - 1) * stride + window - size, 0) / 2)]
}
