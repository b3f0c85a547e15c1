import {
  type Candidate,
  type Direction,
  type Evaluation,
  hashSnapshot,
  type Incumbent,
  type Optimizer,
  RegimenError,
  type Snapshot,
} from '@regimen/core'
import { type Checks, registerChecks, runChecks } from './checks.ts'
import { difference, fingerprint } from './compare.ts'
import { promise } from './contract-error.ts'
import { snapshotChecks } from './snapshot.ts'

/** What {@link testOptimizer} needs to know of an ask/tell optimizer. */
export interface OptimizerSuite<Point> {
  /** Registered name that the snapshots must carry. */
  id?: string
  /**
   * Opens one with a fixed seed for a direction (the same for each objective when there are several), or from a snapshot.
   */
  open(from: Direction | Snapshot): Optimizer<Point>
  /** What is optimized; deterministic. A list for several objectives. */
  objective(point: Point): number | readonly number[]
  /**
   * Rounds of ask and tell in a run.
   * @default 6
   */
  rounds?: number
  /**
   * Points asked for in each round.
   * @default the optimizer's own number
   */
  batch?: number
  /**
   * Whether the order in which one batch is told must make no difference at all to what is asked next; false for
   * optimizers that learn from each result as it arrives.
   * @default true
   */
  orderInvariant?: boolean
  /** Says what is wrong with a point that was asked, for example that it lies outside the bounds. */
  pointProblem?: (point: Point) => string | undefined
}

/**
 * The promises of ask and tell: one seed gives one path, ids are never reused, points stay as they were asked, results may
 * come in any order and in part, a wrong id changes nothing, maximizing f is minimizing −f, `best` is the best that was
 * told, failed evaluations do no harm, and a restored optimizer goes on identically.
 */
export function optimizerChecks<Point>(suite: OptimizerSuite<Point>): Checks {
  const { rounds = 6, batch, orderInvariant = true } = suite
  const minus = (value: number | readonly number[]): number | readonly number[] =>
    typeof value === 'number' ? -value : value.map((one) => -one)
  const evaluate = (candidates: readonly Candidate<Point>[], sign: 1 | -1 = 1): Evaluation[] =>
    candidates.map(({ id, point }) => {
      const value = suite.objective(point)
      return { id, value: sign === 1 ? value : minus(value) }
    })
  const ask = (optimizer: Optimizer<Point>): Candidate<Point>[] => optimizer.ask(batch)
  const step = (optimizer: Optimizer<Point>): Candidate<Point>[] => {
    const asked = ask(optimizer)
    optimizer.tell(evaluate(asked))
    return asked
  }
  const single = (optimizer: Optimizer<Point>): boolean => typeof optimizer.direction === 'string'

  return {
    'asks points, one path for one seed': async () => {
      const [first, second] = [suite.open('minimize'), suite.open('minimize')]
      const ids = new Set<number>()
      const seen: { candidate: Candidate<Point>; before: string }[] = []
      for (let round = 0; round < rounds; round++) {
        const asked = step(first)
        const wrong = difference(step(second), asked)
        promise(wrong === undefined, 'one seed gives one path', () => `Round ${round}: ${wrong}.`)
        promise(asked.length > 0 || first.stopped !== undefined, 'ask gives points', () => `Round ${round} gave none.`)
        if (batch !== undefined && first.stopped === undefined) {
          promise(asked.length === batch, 'ask(n) gives n points', () => `ask(${batch}) gave ${asked.length}.`)
        }
        for (const candidate of asked) {
          promise(!ids.has(candidate.id), 'an id is never used twice', () => `${candidate.id} was.`)
          ids.add(candidate.id)
          seen.push({ candidate, before: fingerprint(candidate) })
          const problem = suite.pointProblem?.(candidate.point)
          promise(problem === undefined, 'points are legal', () => `Point ${candidate.id}: ${problem}.`)
        }
      }
      for (const { candidate, before } of seen) {
        promise(fingerprint(candidate) === before, 'points stay as asked', () => `Point ${candidate.id} was changed.`)
      }
    },

    'takes results in any order': async () => {
      const [forward, backward] = [suite.open('minimize'), suite.open('minimize')]
      for (let round = 0; round < rounds; round++) {
        const asked = ask(forward)
        const results = evaluate(asked)
        const before = fingerprint(results)
        forward.tell(results)
        promise(fingerprint(results) === before, 'tell does not change its input', () => 'It did.')
        const other = ask(backward)
        if (orderInvariant) {
          const wrong = difference(other, asked)
          promise(wrong === undefined, 'the order of results makes no difference', () => `Round ${round}: ${wrong}.`)
        }
        backward.tell(evaluate(other).reverse())
      }
    },

    'takes results in part': async () => {
      const optimizer = suite.open('minimize')
      const told: { candidate: Candidate<Point>; value: number }[] = []
      let waiting: Candidate<Point>[] = []
      const tell = (candidates: readonly Candidate<Point>[]): void => {
        const results = evaluate(candidates)
        optimizer.tell(results)
        results.forEach((result, i) => {
          if ('value' in result && typeof result.value === 'number') {
            told.push({ candidate: candidates[i]!, value: result.value })
          }
        })
      }
      for (let round = 0; round < rounds && optimizer.stopped === undefined; round++) {
        waiting.push(...ask(optimizer))
        const half = Math.ceil(waiting.length / 2)
        const [now, later] = [waiting.slice(waiting.length - half), waiting.slice(0, waiting.length - half)]
        tell(now)
        waiting = later
      }
      tell(waiting)
      if (single(optimizer)) {
        const least = Math.min(...told.map(({ value }) => value))
        promise(
          bestOf(optimizer)?.value === least,
          'best is the best that was told, in parts too',
          () => `It is ${bestOf(optimizer)?.value} and should be ${least}.`,
        )
      }
    },

    'refuses what it did not ask for and changes nothing': async () => {
      const optimizer = suite.open('minimize')
      const done = step(optimizer)
      const asked = ask(optimizer)
      const results = evaluate(asked)
      const unknown = 1 + Math.max(...done.map(({ id }) => id), ...asked.map(({ id }) => id)) + 1000
      const value = results[0] && 'value' in results[0] ? results[0].value : 0
      const bad: [string, Evaluation[]][] = [
        ['an unknown id', [{ id: unknown, value }]],
        ['an unknown id after a known one', [results[0]!, { id: unknown, value }]],
        ['an id that was told before', [{ id: done[0]!.id, value }]],
        ['one id twice', [results[0]!, results[0]!]],
      ]
      for (const [what, evaluations] of bad) {
        const before = hashSnapshot(optimizer.snapshot())
        promise(
          refused(() => optimizer.tell(evaluations)),
          `${what} is a RegimenError`,
          () => 'It was accepted.',
        )
        const same = hashSnapshot(optimizer.snapshot()) === before
        promise(same, `${what} changes nothing`, () => 'The state changed.')
      }
      optimizer.tell(results)
    },

    'never takes NaN for a result': async () => {
      const optimizer = suite.open('minimize')
      const asked = ask(optimizer)
      const count = single(optimizer) ? undefined : optimizer.direction.length
      const nan = count === undefined ? Number.NaN : new Array<number>(count).fill(Number.NaN)
      const before = hashSnapshot(optimizer.snapshot())
      if (refused(() => optimizer.tell([{ id: asked[0]!.id, value: nan }]))) {
        const same = hashSnapshot(optimizer.snapshot()) === before
        promise(same, 'a refused result changes nothing', () => 'NaN changed the state.')
      } else promise(!Number.isNaN(bestOf(optimizer)?.value), 'NaN is never the best', () => 'best.value is NaN.')
    },

    'maximizes f as it minimizes −f': async () => {
      const [down, up] = [suite.open('minimize'), suite.open('maximize')]
      for (let round = 0; round < rounds; round++) {
        const asked = ask(down)
        const mirrored = ask(up)
        const wrong = difference(mirrored, asked)
        promise(wrong === undefined, 'maximizing f is minimizing −f', () => `Round ${round}: ${wrong}.`)
        down.tell(evaluate(asked))
        up.tell(evaluate(mirrored, -1))
      }
      if (single(down)) {
        const [a, b] = [down.best?.value, up.best?.value]
        promise(a !== undefined && b === -a, 'best follows the direction', () => `${a} down, ${b} up.`)
      }
    },

    'knows the best': async () => {
      for (const direction of ['minimize', 'maximize'] as const) {
        const optimizer = suite.open(direction)
        promise(bestOf(optimizer) === undefined, 'there is no best before the first result', () => 'There was.')
        const all: { candidate: Candidate<Point>; value: number }[] = []
        for (let round = 0; round < rounds; round++) {
          const asked = ask(optimizer)
          const results = evaluate(asked)
          optimizer.tell(results)
          results.forEach((result, i) => {
            if ('value' in result && typeof result.value === 'number') {
              all.push({ candidate: asked[i]!, value: result.value })
            }
          })
          if (!single(optimizer)) {
            promise(bestOf(optimizer) === undefined, 'several objectives have no single best', () => 'There was one.')
            continue
          }
          const values = all.map(({ value }) => value)
          const expected = direction === 'minimize' ? Math.min(...values) : Math.max(...values)
          const best = bestOf(optimizer)
          promise(best?.value === expected, 'best is right', () => `It is ${best?.value} and should be ${expected}.`)
          const own = all.find(({ candidate }) => candidate.id === best.id)
          const right = own?.value === expected && difference(best.point, own.candidate.point) === undefined
          promise(right, 'best names the point that was asked', () => `Point ${best.id} is another.`)
        }
      }
    },

    'survives failed evaluations': async () => {
      const optimizer = suite.open('minimize')
      optimizer.tell(ask(optimizer).map(({ id }) => ({ id, failed: 'the simulator ran out of data' })))
      promise(bestOf(optimizer) === undefined, 'a failure is never the best', () => 'best is set.')
      let least = Number.POSITIVE_INFINITY
      for (let round = 0; round < rounds && optimizer.stopped === undefined; round++) {
        const asked = ask(optimizer)
        const results = evaluate(asked).map((result, i): Evaluation => {
          if (i % 3 === 1) return { id: result.id, failed: 'no data' }
          if ('value' in result && typeof result.value === 'number') least = Math.min(least, result.value)
          return result
        })
        optimizer.tell(results)
      }
      if (single(optimizer)) {
        const got = bestOf(optimizer)?.value
        promise(got === least, 'best ignores failures', () => `It is ${got} and should be ${least}.`)
      }
    },

    ...snapshotChecks<Optimizer<Point>>({
      ...(suite.id === undefined ? {} : { id: suite.id }),
      open: (from) => suite.open(from ?? 'minimize'),
      steps: rounds,
      snapshot: (optimizer) => optimizer.snapshot(),
      step: (optimizer) => {
        const asked = step(optimizer)
        return { asked, best: optimizer.best, stopped: optimizer.stopped }
      },
    }),

    'continues identically with results outstanding': async () => {
      const optimizer = suite.open('minimize')
      step(optimizer)
      const asked = ask(optimizer)
      const restored = suite.open(optimizer.snapshot())
      optimizer.tell(evaluate(asked))
      restored.tell(evaluate(asked))
      const wrong = difference(ask(restored), ask(optimizer))
      promise(wrong === undefined, 'a restored optimizer knows what it asked', () => `The next round: ${wrong}.`)
    },
  }
}

/** Runs {@link optimizerChecks}; the first broken promise rejects. */
export function checkOptimizer<Point>(suite: OptimizerSuite<Point>): Promise<void> {
  return runChecks(optimizerChecks(suite))
}

/** Registers {@link optimizerChecks} as vitest tests. */
export function testOptimizer<Point>(name: string, suite: OptimizerSuite<Point>): void {
  registerChecks(name, optimizerChecks(suite))
}

// A call, because TypeScript would take a getter that was undefined once for undefined ever after.
function bestOf<Point>(optimizer: Optimizer<Point>): Incumbent<Point> | undefined {
  return optimizer.best
}

function refused(work: () => void): boolean {
  try {
    work()
    return false
  } catch (error) {
    if (error instanceof RegimenError) return true
    throw error
  }
}
