import type { Evaluation } from '@regimen/core'
import type { EvolutionOptimizer } from '@regimen/evolve'

/** An optimizer over behaviours as one that is told values only: the behaviour is made from the value. */
export function behaving<Point, O extends EvolutionOptimizer<Point>>(
  inner: O,
  behave: (size: number) => number[],
): EvolutionOptimizer<Point> {
  return {
    direction: inner.direction,
    get best() {
      return inner.best
    },
    get stopped() {
      return inner.stopped
    },
    get evaluations() {
      return inner.evaluations
    },
    get generations() {
      return inner.generations
    },
    get populationSize() {
      return inner.populationSize
    },
    ask: (n) => inner.ask(n),
    tell(evaluations) {
      inner.tell(
        evaluations.map((one) =>
          typeof one !== 'object' || one === null || 'failed' in one
            ? one
            : ({ ...one, behaviour: behave(Math.abs(one.value as number) || 0) } as Evaluation),
        ),
      )
    },
    snapshot: () => inner.snapshot(),
  }
}
