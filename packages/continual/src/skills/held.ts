import { check } from '@regimen/core'
import { allFinite } from '../replay/store.ts'
import { slice } from '../rows.ts'
import type { SkillSamples } from './skill-types.ts'

/** Samples held back, the oldest first. Never written into. */
export interface Held {
  readonly x: Float32Array
  readonly y: Float32Array
}

/** Numbers in an input and in a label, and the most samples to keep. */
export interface HeldShape {
  readonly width: number
  readonly targets: number
  readonly limit: number
}

/** Copies the finite ones of some samples. */
export function heldSamples(
  { x, y }: SkillSamples,
  { width, targets }: HeldShape,
  where: string,
): { held: Held; refused: number } {
  const n = x.length / width
  check(
    Number.isInteger(n) && n >= 1,
    where,
    () => `x must hold rows of ${width}, got ${x.length} numbers.`,
    'A changed input width needs a new library.',
  )
  check(y.length === n * targets, where, () => `y must hold ${n * targets} numbers, got ${y.length}.`)
  const held = { x: new Float32Array(n * width), y: new Float32Array(n * targets) }
  let count = 0
  for (let i = 0; i < n; i++) {
    const [input, label] = [slice(x, i * width, width), slice(y, i * targets, targets)]
    if (!allFinite(input) || !allFinite(label)) continue
    held.x.set(input, count * width)
    held.y.set(label, count * targets)
    count++
  }
  return { held: { x: held.x.slice(0, count * width), y: held.y.slice(0, count * targets) }, refused: n - count }
}

/** Samples of one after those of another; the oldest of the longer go where there are too many. */
export function joinHeld(first: Held, second: Held, { width, targets, limit }: HeldShape): Held {
  const join = (a: Float32Array, b: Float32Array, each: number): Float32Array => {
    const all = new Float32Array(a.length + b.length)
    all.set(a)
    all.set(b, a.length)
    return all.slice(Math.max(0, all.length - limit * each))
  }
  return { x: join(first.x, second.x, width), y: join(first.y, second.y, targets) }
}

/** The latest samples. */
export function latest({ x, y }: Held, count: number, { width, targets }: HeldShape): Held {
  return { x: x.slice(x.length - count * width), y: y.slice(y.length - count * targets) }
}

/** The latest samples of both: half the room each, or what the other leaves. */
export function halves(first: Held, second: Held, shape: HeldShape): Held {
  const [a, b] = [first.y.length / shape.targets, second.y.length / shape.targets]
  const half = shape.limit >> 1
  const kept = Math.min(a, Math.max(half, shape.limit - b))
  return joinHeld(latest(first, kept, shape), latest(second, Math.min(b, shape.limit - kept), shape), shape)
}
