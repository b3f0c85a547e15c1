// A random walk is stopped in the middle, saved as bytes, restored, and goes on to the identical end.
import assert from 'node:assert/strict'
import {
  arrayLeaf,
  createRng,
  createSnapshot,
  decodeSnapshot,
  encodeSnapshot,
  hashSnapshot,
  type Rng,
} from '@regimen/core'

const STEPS = 250

/** Log prices of a walk with 1 % daily volatility. */
function walk(rng: Rng, from: number, steps: number): Float64Array {
  const prices = new Float64Array(steps)
  let price = from
  for (let t = 0; t < steps; t++) {
    price += 0.01 * rng.normal()
    prices[t] = price
  }
  return prices
}

const rng = createRng(7)
const firstHalf = walk(rng, Math.log(100), STEPS)

// State is data: numbers, strings and typed arrays. The generator's state is a part of it.
const saved = createSnapshot({
  id: 'example/walk',
  version: 1,
  config: { volatility: 0.01 },
  state: { rng: rng.state(), prices: arrayLeaf('float64', [STEPS], firstHalf) },
})
const bytes = encodeSnapshot(saved)
const restored = decodeSnapshot(bytes) as typeof saved

const straight = walk(rng, firstHalf[STEPS - 1]!, STEPS)
const resumed = walk(createRng(restored.state.rng), firstHalf[STEPS - 1]!, STEPS)

console.log(`after ${STEPS} days        ${Math.exp(firstHalf[STEPS - 1]!).toFixed(4)}`)
console.log(`saved as             ${bytes.length} bytes, sha-256 ${hashSnapshot(saved).slice(0, 16)}…`)
console.log(`went straight on to  ${Math.exp(straight[STEPS - 1]!).toFixed(4)}`)
console.log(`restored and went to ${Math.exp(resumed[STEPS - 1]!).toFixed(4)}`)

assert.equal(hashSnapshot(restored), hashSnapshot(saved))
assert.deepEqual(resumed, straight)
console.log('The two paths are the same, bit for bit.')
