import { ContractError, checkOptimizer, type OptimizerSuite, testOptimizer } from '@regimen/testing'
import { describe, expect, it } from 'vitest'
import { type OptimizerFlaw, randomSearch } from './fixtures.ts'

type Point = { x: number; y: number }

const suite = (flaw?: OptimizerFlaw): OptimizerSuite<Point> => ({
  id: 'testing/random-search',
  open: (from) => randomSearch(from, flaw),
  objective: ({ x, y }) => (x - 0.3) ** 2 + (y + 0.2) ** 2,
  batch: 5,
  pointProblem: ({ x, y }) => (Math.max(Math.abs(x), Math.abs(y)) > 1 ? `(${x}, ${y}) is outside [-1, 1]` : undefined),
})

testOptimizer('an honest optimizer', suite())
const { batch: _, ...ownBatch } = suite()
testOptimizer('an honest optimizer with its own batch', ownBatch)

describe('a broken optimizer', () => {
  const flaws: [OptimizerFlaw, string][] = [
    ['ignores seed', 'one seed gives one path'],
    ['reuses ids', 'an id is never used twice'],
    ['leaves the space', 'points are legal'],
    ['too few', 'ask(n) gives n points'],
    ['moves asked points', 'points stay as asked'],
    ['mutates results', 'tell does not change its input'],
    ['order matters', 'the order of results makes no difference'],
    ['accepts unknown', 'an unknown id is a RegimenError'],
    ['half tell', 'an unknown id after a known one changes nothing'],
    ['accepts twice', 'an id that was told before is a RegimenError'],
    ['takes NaN', 'NaN is never the best'],
    ['ignores direction', 'maximizing f is minimizing −f'],
    ['best is latest', 'best is the best that was told'],
    ['best is wrong point', 'best names the point that was asked'],
    ['best of failures', 'a failure is never the best'],
    ['forgets best', 'a restored object continues as the original would'],
    ['forgets outstanding', 'id 4 was not asked for'],
  ]
  it.each(flaws)('that %s is found', async (flaw, promise) => {
    const own = { ...suite(flaw), orderInvariant: flaw !== 'best is latest' }
    const outcome = checkOptimizer(flaw === 'forgets outstanding' ? { ...own, batch: 4 } : own)
    if (flaw !== 'forgets outstanding') await expect(outcome).rejects.toThrow(ContractError)
    await expect(outcome).rejects.toThrow(promise)
  })

  it('may learn from each result as it comes', async () => {
    await expect(checkOptimizer({ ...suite('order matters'), orderInvariant: false })).resolves.toBeUndefined()
  })
})

// Two objectives: every point is as good as any, there is no single best.
testOptimizer('an optimizer of two objectives', {
  open: (from) => {
    const inner = randomSearch(from)
    const direction = [inner.direction, inner.direction] as ('minimize' | 'maximize')[]
    return {
      ...inner,
      direction,
      best: undefined,
      ask: (n) => inner.ask(n),
      tell: (results) =>
        inner.tell(results.map((one) => ('value' in one ? { id: one.id, value: (one.value as number[])[0]! } : one))),
    }
  },
  objective: ({ x, y }: Point) => [x ** 2, y ** 2],
})
