/** A chain over (state, rows left in the stay); durations are states × longest. */
export interface DurationChain {
  readonly k: number
  readonly longest: number
  readonly start: Float64Array
  /** Zero diagonal. */
  readonly transition: Float64Array
  readonly durations: Float64Array
}

/** What the forward pass leaves for the backward one. */
export interface DurationBeliefs {
  /** P(state, rows left | rows up to t), rows × states × longest. */
  readonly joint: Float64Array
  /** p(x_t | rows before) / exp(shift_t). */
  readonly scales: Float64Array
  /** Largest ln b of each row. */
  readonly shifts: Float64Array
  readonly filtered: Float64Array
  readonly logLikelihood: number
}

/** α_t(j, r) ∝ b_j(x_t) [α_t−1(j, r + 1) + p_j(r) Σ_i α_t−1(i, 1) a_ij], scaled to sum to 1 at each row. */
export function forward(chain: DurationChain, logB: Float64Array, rows: number): DurationBeliefs {
  const { k, longest, start, durations } = chain
  const size = k * longest
  const joint = new Float64Array(rows * size)
  const scales = new Float64Array(rows)
  const shifts = new Float64Array(rows)
  const filtered = new Float64Array(rows * k)
  const entry = new Float64Array(k)
  let logLikelihood = 0
  for (let t = 0; t < rows; t++) {
    const now = t * size
    if (t === 0) entry.set(start)
    else enter(chain, joint, now - size, entry)
    // The shift is taken where there is belief, so that nothing underflows to an impossible row.
    let top = Number.NEGATIVE_INFINITY
    for (let j = 0; j < k; j++) {
      let possible = entry[j]! > 0
      for (let r = 0; r < longest; r++) {
        const continued = t > 0 && r + 1 < longest ? joint[now - size + j * longest + r + 1]! : 0
        const p = continued + entry[j]! * durations[j * longest + r]!
        joint[now + j * longest + r] = p
        possible ||= p > 0
      }
      if (possible) top = Math.max(top, logB[t * k + j]!)
    }
    let total = 0
    for (let j = 0; j < k; j++) {
      const b = Math.exp(Math.min(0, logB[t * k + j]! - top))
      let sum = 0
      for (let r = 0; r < longest; r++) sum += joint[now + j * longest + r]! *= b
      filtered[t * k + j] = sum
      total += sum
    }
    for (let i = now; i < now + size; i++) joint[i]! /= total
    for (let j = 0; j < k; j++) filtered[t * k + j]! /= total
    scales[t] = total
    shifts[t] = top
    logLikelihood += top + Math.log(total)
  }
  return { joint, scales, shifts, filtered, logLikelihood }
}

/** Backward pass: smoothed states, expected moves (states × states) and expected stays (states × longest) that began. */
export function backward(
  chain: DurationChain,
  logB: Float64Array,
  rows: number,
  run: DurationBeliefs,
  smoothed: Float64Array,
): { moves: Float64Array; stays: Float64Array } {
  const { k, longest, start, transition, durations } = chain
  const size = k * longest
  const { joint, scales, shifts } = run
  const moves = new Float64Array(k * k)
  const stays = new Float64Array(size)
  let beta = new Float64Array(size).fill(1)
  let before = new Float64Array(size)
  const entry = new Float64Array(k)
  const value = new Float64Array(k)
  for (let t = rows - 1; t >= 0; t--) {
    const now = t * size
    for (let j = 0; j < k; j++) {
      let sum = 0
      for (let r = j * longest; r < (j + 1) * longest; r++) sum += joint[now + r]! * beta[r]!
      smoothed[t * k + j] = sum
    }
    if (t === 0) entry.set(start)
    else enter(chain, joint, now - size, entry)
    for (let j = 0; j < k; j++) {
      const b = Math.exp(Math.min(0, logB[t * k + j]! - shifts[t]!)) / scales[t]!
      value[j] = 0
      for (let r = 0; r < longest; r++) {
        const at = j * longest + r
        const gain = b * beta[at]!
        const begun = durations[at]! * gain
        value[j]! += begun
        stays[at]! += entry[j]! * begun
        if (r + 1 < longest) before[at + 1] = gain
      }
    }
    if (t === 0) break
    for (let i = 0; i < k; i++) {
      let sum = 0
      for (let j = 0; j < k; j++) {
        const move = transition[i * k + j]! * value[j]!
        sum += move
        moves[i * k + j]! += joint[now - size + i * longest]! * move
      }
      before[i * longest] = sum
    }
    const held = beta
    beta = before
    before = held
  }
  return { moves, stays }
}

/** The likeliest states with their stays, a stay cut off by the end included. */
export function likeliestPath(
  chain: DurationChain,
  logB: Float64Array,
  rows: number,
): { path: Int32Array; logProbability: number } {
  const { k, longest } = chain
  const size = k * longest
  const log = (p: number): number => (p > 0 ? Math.log(p) : Number.NEGATIVE_INFINITY)
  const moves = chain.transition.map(log)
  const stays = chain.durations.map(log)
  const origin = new Int32Array(rows * size)
  let score = new Float64Array(size)
  let next = new Float64Array(size)
  for (let t = 0; t < rows; t++) {
    for (let j = 0; j < k; j++) {
      let best = t === 0 ? log(chain.start[j]!) : Number.NEGATIVE_INFINITY
      let from = 0
      if (t > 0)
        for (let i = 0; i < k; i++) {
          const reached = score[i * longest]! + moves[i * k + j]!
          if (reached > best) {
            best = reached
            from = i * longest
          }
        }
      for (let r = 0; r < longest; r++) {
        const at = j * longest + r
        const begun = best + stays[at]!
        const continued = t > 0 && r + 1 < longest ? score[at + 1]! : Number.NEGATIVE_INFINITY
        next[at] = Math.max(begun, continued) + logB[t * k + j]!
        origin[t * size + at] = continued > begun ? at + 1 : from
      }
    }
    const held = score
    score = next
    next = held
  }
  let last = 0
  for (let i = 1; i < size; i++) if (score[i]! > score[last]!) last = i
  const logProbability = score[last]!
  const path = new Int32Array(rows)
  for (let t = rows - 1; t >= 0; t--) {
    path[t] = Math.floor(last / longest)
    last = origin[t * size + last]!
  }
  return { path, logProbability }
}

/** P(a stay in j begins at the next row | rows up to this one). */
function enter(chain: DurationChain, joint: Float64Array, at: number, out: Float64Array): void {
  const { k, longest, transition } = chain
  out.fill(0)
  for (let i = 0; i < k; i++) {
    const leaving = joint[at + i * longest]!
    if (leaving > 0) for (let j = 0; j < k; j++) out[j]! += leaving * transition[i * k + j]!
  }
}
