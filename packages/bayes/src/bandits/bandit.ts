import {
  check,
  createSnapshot,
  describe,
  isSnapshot,
  Rng,
  type RngState,
  restore,
  type Snapshot,
  schema,
} from '@regimen/core'

/** How a bandit weighs trying against earning; see {@link openBandit}. */
export type BanditPolicy = 'thompson' | 'ucb' | 'exp3' | 'sliding-window'

/** Options of {@link openBandit}. */
export type BanditOptions = {
  /** What can be chosen, from 1; for example strategies. */
  arms: number
  policy: BanditPolicy
  /** Last rewards that `sliding-window` looks at. @default 100 */
  window?: number
  /** Share of blind choices of `exp3`, in (0, 1]. @default 0.1 */
  exploration?: number
  /** Width of the confidence bound of `ucb` and `sliding-window`. @default 1 */
  width?: number
  /** @default 0 */
  seed?: number | string
}

/** A bandit in progress. */
export interface Bandit {
  /** The arm to play next. */
  choose(): number
  /** Learns what an arm earned; any arm, at any time. Rewards of `exp3` must lie in [0, 1]. */
  reward(arm: number, value: number): void
  /** Plays of each arm. */
  readonly counts: readonly number[]
  snapshot(): Snapshot
}

type BanditState = {
  counts: number[]
  means: number[]
  squares: number[]
  /** Logarithms of the weights of EXP3. */
  weights: number[]
  recent: { arm: number; value: number }[]
}

/**
 * Opens a multi-armed bandit, for choosing among strategies while they earn. Which policy when:
 *
 * - `thompson`: draws each arm's mean from its posterior (normal with unknown variance) and plays the best; the default choice for
 *   returns that stay as they are;
 * - `ucb`: plays the largest x̄ + width·√(2 ln t / n); the same without chance;
 * - `sliding-window`: the same over the last `window` plays, for markets that change;
 * - `exp3`: makes no assumption about where rewards come from, and pays for it with regret.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { openBandit } from '@regimen/bayes'
 *
 * const bandit = openBandit({ arms: 3, policy: 'thompson', seed: 1 })
 * const rng = createRng(2)
 * for (let day = 0; day < 300; day++) {
 *   const arm = bandit.choose()
 *   bandit.reward(arm, rng.normal([0, 0.5, 0.1][arm]!, 1))
 * }
 * bandit.counts.indexOf(Math.max(...bandit.counts)) // => 1
 * ```
 *
 * Reference: P. Auer et al., "Finite-time analysis of the multiarmed bandit problem", 2002 (UCB1), and "The nonstochastic multiarmed
 * bandit problem", 2002 (EXP3); A. Garivier & E. Moulines, 2011 (sliding window); D. Russo et al., 2018 (Thompson).
 */
export function openBandit(from: BanditOptions | Snapshot): Bandit {
  const where = 'bayes/bandit'
  const restored = isSnapshot(from) ? restore(from, { id: where, version: 1, state: STATE }) : undefined
  const options = (restored ? restored.config : from) as BanditOptions
  const { arms, policy, window = 100, exploration = 0.1, width = 1, seed = 0 } = options
  check(Number.isInteger(arms) && arms >= 1, where, () => `arms must be a whole number from 1, got ${describe(arms)}.`)
  check(
    ['thompson', 'ucb', 'exp3', 'sliding-window'].includes(policy),
    where,
    () => `policy must be 'thompson', 'ucb', 'exp3' or 'sliding-window', got ${describe(policy)}.`,
  )
  check(Number.isInteger(window) && window >= 1, where, () => `window must be from 1, got ${describe(window)}.`)
  check(
    exploration > 0 && exploration <= 1,
    where,
    () => `exploration must be in (0, 1], got ${describe(exploration)}.`,
  )
  const zeros = (): number[] => new Array<number>(arms).fill(0)
  const state: BanditState = restored
    ? (structuredClone(restored.state.arms) as BanditState)
    : { counts: zeros(), means: zeros(), squares: zeros(), weights: zeros(), recent: [] }
  const rng = new Rng(restored ? (restored.state.rng as RngState) : seed)
  const chances = (): number[] => {
    const top = Math.max(...state.weights)
    const raw = state.weights.map((w) => Math.exp(w - top))
    const total = raw.reduce((a, b) => a + b)
    return raw.map((w) => ((1 - exploration) * w) / total + exploration / arms)
  }
  return {
    get counts() {
      return state.counts
    },
    choose() {
      if (policy === 'exp3') return rng.categorical(chances())
      if (policy === 'thompson') {
        const untried = state.counts.findIndex((n) => n < 2)
        if (untried >= 0) return untried
        // Mean of a normal with unknown variance under the flat prior: x̄ + s/√n · t with n − 1 degrees of freedom.
        return argmax(state.counts, (n, arm) => {
          const spread = Math.sqrt(state.squares[arm]! / (n - 1) / n)
          return state.means[arm]! + spread * rng.studentT(n - 1)
        })
      }
      let { counts, means } = state
      if (policy === 'sliding-window') {
        counts = zeros()
        means = zeros()
        for (const { arm, value } of state.recent) means[arm]! += (value - means[arm]!) / ++counts[arm]!
      }
      const untried = counts.indexOf(0)
      if (untried >= 0) return untried
      const total = counts.reduce((a, b) => a + b)
      return argmax(counts, (n, arm) => means[arm]! + width * Math.sqrt((2 * Math.log(total)) / n))
    },
    reward(arm, value) {
      check(Number.isInteger(arm) && arm >= 0 && arm < arms, where, () => `there is no arm ${describe(arm)}.`)
      check(Number.isFinite(value), where, () => `a reward must be finite, got ${describe(value)}.`)
      if (policy === 'exp3') {
        check(value >= 0 && value <= 1, where, () => `exp3 needs rewards in [0, 1], got ${value}.`, 'Scale them.')
        state.weights[arm]! += (exploration * value) / (arms * chances()[arm]!)
      }
      const n = ++state.counts[arm]!
      const gap = value - state.means[arm]!
      state.means[arm]! += gap / n
      state.squares[arm]! += gap * (value - state.means[arm]!)
      if (policy !== 'sliding-window') return
      state.recent.push({ arm, value })
      if (state.recent.length > window) state.recent.shift()
    },
    snapshot: () =>
      createSnapshot({
        id: where,
        version: 1,
        config: { ...options },
        state: { arms: structuredClone(state), rng: { ...rng.state() } },
      }),
  }
}

const STATE = schema.object({
  arms: schema.object({
    counts: schema.list(schema.number()),
    means: schema.list(schema.number()),
    squares: schema.list(schema.number()),
    weights: schema.list(schema.number()),
    recent: schema.list(schema.object({ arm: schema.number(), value: schema.number() })),
  }),
  rng: schema.object({
    key: schema.string(),
    c: schema.number(),
    s0: schema.number(),
    s1: schema.number(),
    s2: schema.number(),
  }),
})

function argmax(counts: readonly number[], score: (count: number, arm: number) => number): number {
  let best = 0
  let bestScore = Number.NEGATIVE_INFINITY
  for (const [arm, count] of counts.entries()) {
    const value = score(count, arm)
    if (value > bestScore) {
      bestScore = value
      best = arm
    }
  }
  return best
}
