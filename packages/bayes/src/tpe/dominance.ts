import { hypervolume } from '@regimen/core/math'

/** Weight of a good observation that adds no volume. */
const LEAST = 1e-12

/** Observations with several losses, ranked by dominance. */
export interface Ranked {
  readonly losses: readonly (readonly number[])[]
  /** 0 for those that nothing dominates, 1 for those that only they dominate, and so on. */
  readonly ranks: ArrayLike<number>
  /** A point that all of them dominate. */
  readonly reference: readonly number[]
}

/** The corner from which volumes are measured: a tenth of each objective's range beyond its worst value. */
export function referenceOf(losses: readonly (readonly number[])[]): number[] {
  return (losses[0] ?? []).map((_, k) => {
    let best = Number.POSITIVE_INFINITY
    let worst = Number.NEGATIVE_INFINITY
    for (const row of losses) {
      best = Math.min(best, row[k]!)
      worst = Math.max(worst, row[k]!)
    }
    return worst + 0.1 * (worst - best || 1)
  })
}

/**
 * Chooses the `count` best of the members: whole fronts while they fit, and of the front that does not fit the subset that dominates the most
 * volume. It is found greedily, which is within 1 − 1/e of the best; a point's gain only falls while the subset grows, so a gain need
 * not be computed again until its old value leads.
 */
export function chooseByDominance(ranked: Ranked, members: readonly number[], count: number): number[] {
  const order = [...members].sort((a, b) => ranked.ranks[a]! - ranked.ranks[b]! || a - b)
  if (order.length <= count) return order
  const cut = ranked.ranks[order[count]!]!
  const chosen = order.filter((i) => ranked.ranks[i]! < cut)
  const { losses, reference } = ranked
  const kept: (readonly number[])[] = []
  let volume = 0
  const open = order
    .filter((i) => ranked.ranks[i] === cut)
    .map((i) => ({ i, gain: hypervolume([losses[i]!], reference), at: 0 }))
  while (chosen.length < count) {
    let best = 0
    for (;;) {
      for (let k = 0; k < open.length; k++) if (open[k]!.gain > open[best]!.gain) best = k
      const leader = open[best]!
      if (leader.at === kept.length) break
      leader.gain = hypervolume([...kept, losses[leader.i]!], reference) - volume
      leader.at = kept.length
    }
    const [leader] = open.splice(best, 1)
    chosen.push(leader!.i)
    kept.push(losses[leader!.i]!)
    volume += leader!.gain
  }
  return chosen
}

/** What each of the chosen adds to the volume that all dominate, over the largest such share. */
export function volumeShares(ranked: Ranked, chosen: readonly number[]): number[] {
  const rows = chosen.map((i) => ranked.losses[i]!)
  const whole = hypervolume(rows, ranked.reference)
  const shares = rows.map((_, k) => whole - hypervolume(rows.toSpliced(k, 1), ranked.reference))
  const most = Math.max(...shares)
  return shares.map((share) => (most > 0 ? Math.max(share / most, LEAST) : 1))
}
