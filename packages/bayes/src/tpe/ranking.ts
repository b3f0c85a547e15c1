/** How good a finished trial is: feasible complete ones by value, then pruned ones, then infeasible ones. Less is better. */
export interface Grade {
  readonly tier: number
  readonly major: number
  readonly minor: number
}

export function compareGrades(a: Grade, b: Grade): number {
  return a.tier - b.tier || a.major - b.major || a.minor - b.minor
}

/**
 * Keeps observations in order of their grade while they arrive one by one, and says which of them change sides between the
 * good ("below") and the rest, so that a model of both can be updated instead of rebuilt.
 */
export class Ranking {
  readonly order: number[] = []
  #below = 0
  readonly #gamma: (n: number) => number
  readonly #grade: (id: number) => Grade

  constructor(gamma: (n: number) => number, grade: (id: number) => Grade) {
    this.#gamma = gamma
    this.#grade = grade
  }

  get size(): number {
    return this.order.length
  }

  /** How many are good. */
  get below(): number {
    return this.#below
  }

  /** Adds one; `move(id, below)` hears of every observation whose side is new, the added one included. */
  add(id: number, move: (id: number, below: boolean) => void): void {
    const { order } = this
    const grade = this.#grade(id)
    let low = 0
    let high = order.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareGrades(this.#grade(order[middle]!), grade) <= 0) low = middle + 1
      else high = middle
    }
    order.splice(low, 0, id)
    const before = this.#below
    const after = Math.min(this.#gamma(order.length), order.length)
    this.#below = after
    move(id, low < after)
    // Everything between the old and the new boundary, as positions of the new order.
    const shifted = low < before ? before + 1 : before
    for (let p = Math.min(shifted, after); p < Math.max(shifted, after); p++) {
      if (order[p] !== id) move(order[p]!, p < after)
    }
  }
}
