import { createRng } from '@regimen/core'
import type { TaskData } from '../src/index.ts'

/** Points in the plane whose label is the side of a line; every task turns the line by 120° of the last. */
export function contradicting(task: number, n: number, seed: number): TaskData {
  const rng = createRng(`contradicting/${seed}`)
  const x = new Float32Array(n * 2)
  const y = new Int32Array(n)
  const angle = (task * 2 * Math.PI) / 3
  for (let i = 0; i < n; i++) {
    x[2 * i] = rng.normal()
    x[2 * i + 1] = rng.normal()
    y[i] = x[2 * i]! * Math.cos(angle) + x[2 * i + 1]! * Math.sin(angle) > 0 ? 1 : 0
  }
  return { x, y }
}
