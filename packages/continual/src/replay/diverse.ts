import { arrayLeaf, type Snapshot, schema } from '@regimen/core'
import { openStore, type PolicyKind, type ReplayBuffer, type ReplayOptions } from './store.ts'

const DIVERSE: PolicyKind = {
  id: 'continual/diverse-replay',
  bytesPerSample: 8,
  state: schema.leaf('float64', [null]),
  open({ capacity }, saved) {
    const scores = new Float64Array(capacity)
    if (saved) scores.set((saved as { readonly data: Float64Array }).data)
    let kept = (saved as { readonly data: Float64Array } | undefined)?.data.length ?? 0
    return {
      place({ size, rng }, _, similarity) {
        const score = Math.max(0, 1 + similarity)
        if (size < capacity) {
          scores[size] = score
          kept = size + 1
          return size
        }
        // A sample that pulls the way of one that is kept adds nothing.
        if (score >= 1) return -1
        let total = 0
        for (let i = 0; i < size; i++) total += scores[i]!
        if (total === 0) return -1
        const slot = rng.categorical(scores)
        if (rng.uniform() * (scores[slot]! + score) >= scores[slot]!) return -1
        scores[slot] = score
        return slot
      },
      state: () => arrayLeaf('float64', [kept], scores.slice(0, kept)),
    }
  },
}

/**
 * Opens a buffer whose samples pull the parameters in different directions. A new sample scores c = 1 + the largest cosine between
 * its gradient and that of a few remembered ones. Once the buffer is full, one with c < 1 challenges a slot i drawn in proportion to
 * the slots' scores and takes it with probability cᵢ / (cᵢ + c); others are passed over. So what is common is kept once and what is rare
 * stays, without groups or task boundaries.
 *
 * The cosine comes with the sample as `similarity`; `openTrainer` measures it where `replay.buffer` is `diverse`. Choose it for streams
 * in which some regimes are rare and unlabelled; with labels of the regime {@link balancedReplay} is cheaper and surer. Gotchas: the
 * trainer needs a gradient of its own for every new sample; outliers and wrong labels are diverse too.
 *
 * ```ts
 * import { diverseReplay } from '@regimen/continual'
 *
 * const buffer = diverseReplay({ bytes: 20 * 2, width: 1 })
 * for (const x of [1, 2]) buffer.add({ x: [x], y: 0, similarity: 1 })
 * buffer.add({ x: [3], y: 0, similarity: 0.9 }) // => -1
 * buffer.add({ x: [4], y: 0, similarity: -1 }) >= 0 // => true
 * ```
 *
 * Reference: Aljundi, Lin, Goujaud and Bengio 2019, gradient-based sample selection, algorithm 2 (GSS-greedy).
 */
export function diverseReplay(from: ReplayOptions | Snapshot): ReplayBuffer {
  return openStore(DIVERSE, from).buffer
}
