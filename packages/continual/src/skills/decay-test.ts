import type { Rng } from '@regimen/core'

/** Strengths of the bets that losses have grown: 1 + ε (1 − 2 p). */
export const BETS = [0.25, 0.5, 1] as const

/** A running test: plain data, changed in place. */
export interface DecayTest {
  /** Losses to compare with, ascending. */
  reference: number[]
  /** What the bets of each strength have grown to. */
  readonly capital: number[]
  /** Losses tested. */
  count: number
  /** The capital in all: 1 at the start. */
  evidence: number
}

/** Begins with losses from when the skill was good. */
export function createDecayTest(losses: ArrayLike<number>): DecayTest {
  return {
    reference: Array.from(losses).sort((a, b) => a - b),
    capital: BETS.map(() => 0),
    count: 0,
    evidence: 1,
  }
}

/**
 * Tests one loss more for whether losses have grown, and keeps at most `limit` losses to compare with. The rank p of the new loss
 * from above, ties broken at random, is uniform and independent of all before as long as losses are exchangeable; each bet
 * 1 + ε (1 − 2 p) then has mean 1. Bets begin anew at every loss, with the share 1 / (n (n + 1)) of the capital, so the capital
 * is a martingale that does not waste away while nothing happens: it ever reaches 1 / α with probability α at most (Ville).
 *
 * The new loss joins the reference and, where that is full, one of all leaves with equal chances: any other rule would make the
 * next ranks depend on the last.
 */
export function testLoss(test: DecayTest, loss: number, limit: number, rng: Rng): void {
  const { reference, capital } = test
  const [from, to] = [place(reference, loss, false), place(reference, loss, true)]
  const above = reference.length - to
  const p = (above + rng.uniform() * (to - from + 1)) / (reference.length + 1)
  reference.splice(to, 0, loss)
  if (reference.length > limit) reference.splice(rng.int(0, reference.length), 1)
  const n = ++test.count
  let total = 1 / (n + 1)
  for (let k = 0; k < BETS.length; k++) {
    capital[k] = (capital[k]! + 1 / (n * (n + 1) * BETS.length)) * (1 + BETS[k]! * (1 - 2 * p))
    total += capital[k]!
  }
  test.evidence = total
}

/** The first place whose value is at least (or, with `after`, more than) the given one. */
function place(sorted: readonly number[], value: number, after: boolean): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < value || (after && sorted[middle] === value)) low = middle + 1
    else high = middle
  }
  return low
}
