import { readFileSync } from 'node:fs'
import { inflateRawSync, inflateSync } from 'node:zlib'
import { createRng, type Rng } from '@regimen/core'
import type { LabelledSamples, TaskSampler, TaskSet } from '@regimen/meta'
import type { BenchContext } from './harness.ts'

/** Side of an image after it was made smaller. */
export const SIDE = 28

/** Two alphabets of the eight are for the final test, one for choices; the rest is for training. */
const HELD: { readonly [alphabet: string]: Part } = {
  Balinese: 'test',
  Tagalog: 'test',
  Early_Aramaic: 'validation',
}

export type Part = 'train' | 'validation' | 'test'

/**
 * Images [n, 28, 28, 1] by part, ink 1 on 0. A class is a character in one of four rotations; in training its mirror images are
 * classes, too.
 */
export type Omniglot = { readonly [P in Part]: LabelledSamples & { readonly characters: number } }

/** Reads both archives; undefined where they are not present. */
export function omniglot(context: BenchContext): Omniglot | undefined {
  const files = ['small1', 'small2'].map((name) => context.data(`omniglot/images_background_${name}.zip`))
  const drawings = new Map<string, Float32Array>()
  for (const file of files) {
    if (!file) return undefined
    for (const [path, bytes] of unzip(readFileSync(file))) {
      const name = path.split('/').slice(1).join('/')
      // Greek and Latin are in both archives.
      if (path.endsWith('.png') && !drawings.has(name)) drawings.set(name, shrink(decode(bytes)))
    }
  }
  const of = (part: Part): Omniglot[Part] => {
    const names = [...drawings.keys()].filter((name) => (HELD[name.split('/')[0]!] ?? 'train') === part).sort()
    const characters = [...new Set(names.map((name) => name.slice(0, name.lastIndexOf('/'))))]
    const size = SIDE * SIDE
    const views = part === 'train' ? 8 : 4
    const data = new Float32Array(names.length * views * size)
    const labels = new Int32Array(names.length * views)
    for (const [i, name] of names.entries()) {
      let image = drawings.get(name)!
      const character = characters.indexOf(name.slice(0, name.lastIndexOf('/')))
      for (let view = 0; view < views; view++, image = view === 4 ? mirror(image) : rotate(image)) {
        data.set(image, (views * i + view) * size)
        labels[views * i + view] = views * character + view
      }
    }
    const x = { dtype: 'float32' as const, shape: [labels.length, SIDE, SIDE, 1], data }
    return { x, labels, characters: characters.length }
  }
  return { train: of('train'), validation: of('validation'), test: of('test') }
}

/** Distorts every image a little, as another hand would: turned, scaled, sheared and moved. */
export function distorted(sampler: TaskSampler, seed: string): TaskSampler {
  const root = createRng(seed)
  const change = (set: TaskSet, rng: Rng): TaskSet => {
    const data = new Float32Array(set.x.data.length)
    const size = SIDE * SIDE
    for (let at = 0; at < data.length; at += size) {
      distort(set.x.data.subarray(at, at + size) as Float32Array, data.subarray(at, at + size), rng)
    }
    return { ...set, x: { dtype: 'float32', shape: set.x.shape, data } }
  }
  return {
    async batch(index, count) {
      const rng = root.split(index)
      const tasks = await sampler.batch(index, count)
      return tasks.map((task) => ({ ...task, support: change(task.support, rng), query: change(task.query, rng) }))
    },
  }
}

function distort(image: Float32Array, out: Float32Array, rng: Rng): void {
  const turn = rng.uniform(-0.2, 0.2)
  const [sx, sy, shear] = [rng.uniform(0.85, 1.15), rng.uniform(0.85, 1.15), rng.uniform(-0.2, 0.2)]
  const [dx, dy] = [rng.uniform(-2, 2), rng.uniform(-2, 2)]
  const [cos, sin, middle] = [Math.cos(turn), Math.sin(turn), (SIDE - 1) / 2]
  const at = (row: number, column: number): number =>
    row < 0 || column < 0 || row >= SIDE || column >= SIDE ? 0 : image[row * SIDE + column]!
  for (let i = 0; i < out.length; i++) {
    const [u, v] = [(i % SIDE) - middle, Math.floor(i / SIDE) - middle]
    const x = sx * (cos * u - sin * v + shear * v) + middle + dx
    const y = sy * (sin * u + cos * v) + middle + dy
    const [c, r] = [Math.floor(x), Math.floor(y)]
    const [fx, fy] = [x - c, y - r]
    out[i] =
      (1 - fy) * ((1 - fx) * at(r, c) + fx * at(r, c + 1)) + fy * ((1 - fx) * at(r + 1, c) + fx * at(r + 1, c + 1))
  }
}

/** Files of a zip archive by its central directory. */
function* unzip(bytes: Buffer): Generator<[path: string, bytes: Buffer]> {
  const end = bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]))
  const count = bytes.readUInt16LE(end + 10)
  for (let i = 0, at = bytes.readUInt32LE(end + 16); i < count; i++) {
    const [method, size] = [bytes.readUInt16LE(at + 10), bytes.readUInt32LE(at + 20)]
    const [name, extra, comment] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ]
    const local = bytes.readUInt32LE(at + 42)
    const from = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28)
    const stored = bytes.subarray(from, from + size)
    yield [bytes.toString('utf8', at + 46, at + 46 + name), method === 8 ? inflateRawSync(stored) : stored]
    at += 46 + name + extra + comment
  }
}

interface Bitmap {
  readonly width: number
  readonly height: number
  /** 1 where there is ink. */
  readonly ink: Uint8Array
}

/** Decodes a PNG of one bit a pixel whose rows are not filtered, as all of Omniglot is. */
function decode(png: Buffer): Bitmap {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)]
  const parts: Buffer[] = []
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') {
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
    }
  }
  const rows = inflateSync(Buffer.concat(parts))
  const stride = Math.ceil(width / 8) + 1
  const ink = new Uint8Array(width * height)
  for (let row = 0; row < height; row++) {
    if (png[24] !== 1 || png[25] !== 0 || rows[row * stride] !== 0) throw new Error('Not a plain one-bit PNG.')
    for (let i = 0; i < width; i++)
      ink[row * width + i] = 1 - ((rows[row * stride + 1 + (i >> 3)]! >> (7 - (i & 7))) & 1)
  }
  return { width, height, ink }
}

/** Share of ink under each pixel of the smaller image. */
function shrink({ width, height, ink }: Bitmap): Float32Array {
  const out = new Float32Array(SIDE * SIDE)
  const overlap = (pixel: number, cell: number, scale: number): number =>
    Math.max(0, Math.min(pixel + 1, (cell + 1) * scale) - Math.max(pixel, cell * scale)) / scale
  const [sx, sy] = [width / SIDE, height / SIDE]
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (ink[row * width + column] === 0) continue
      for (let r = Math.floor(row / sy); r < Math.min(SIDE, (row + 1) / sy); r++) {
        for (let c = Math.floor(column / sx); c < Math.min(SIDE, (column + 1) / sx); c++) {
          out[r * SIDE + c]! += overlap(row, r, sy) * overlap(column, c, sx)
        }
      }
    }
  }
  return out
}

/** A quarter of a turn. */
function rotate(image: Float32Array): Float32Array {
  return image.map((_, i) => image[(i % SIDE) * SIDE + (SIDE - 1 - Math.floor(i / SIDE))]!)
}

function mirror(image: Float32Array): Float32Array {
  return image.map((_, i) => image[Math.floor(i / SIDE) * SIDE + (SIDE - 1 - (i % SIDE))]!)
}
