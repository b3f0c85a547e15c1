import { add, lag, sub } from './kernel/expression.ts'
import type { FeatureFamily } from './types.ts'

const HORIZONS = [1, 5, 10, 20, 60]

/** `ret_k`: log return of the close over k bars, ln(C_t / C_{t−k}). `gap`: ln(O_t / C_{t−1}). */
export const returns: FeatureFamily = {
  features: [...HORIZONS.map((k) => ({ name: `ret_${k}`, warmup: k + 1 })), { name: 'gap', warmup: 2 }],
  formulas: ({ level, ret, logOpen }) => [
    ...HORIZONS.map((k) => (k === 1 ? ret : sub(level, lag(level, k)))),
    add(logOpen, ret),
  ],
  push({ logClose, logOpen, at }, out, k) {
    for (let f = 0; f < HORIZONS.length; f++) out[k + f] = logClose[at]! - logClose[at - HORIZONS[f]!]!
    out[k + HORIZONS.length] = logOpen[at]! - logClose[at - 1]!
  },
}
