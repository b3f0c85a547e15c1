import type { FeatureFamily } from './types.ts'

const HORIZONS = [1, 5, 10, 20, 60]

/** `ret_k`: log return of the close over k bars, ln(C_t / C_{t−k}). `gap`: ln(O_t / C_{t−1}). */
export const returns: FeatureFamily = {
  features: [...HORIZONS.map((k) => ({ name: `ret_${k}`, warmup: k + 1 })), { name: 'gap', warmup: 2 }],
  batch({ logClose, logOpen, size }, out) {
    HORIZONS.forEach((k, f) => {
      const column = out[f]
      if (!column) return
      for (let i = k; i < size; i++) column[i] = logClose[i]! - logClose[i - k]!
    })
    const gap = out[HORIZONS.length]
    if (!gap) return
    for (let i = 1; i < size; i++) gap[i] = logOpen[i]! - logClose[i - 1]!
  },
  push({ logClose, logOpen, at }, out, k) {
    for (let f = 0; f < HORIZONS.length; f++) out[k + f] = logClose[at]! - logClose[at - HORIZONS[f]!]!
    out[k + HORIZONS.length] = logOpen[at]! - logClose[at - 1]!
  },
}
