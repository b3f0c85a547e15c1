import { lbfgs, numericalGradient } from '@regimen/core/math'
import { stationaryOf } from './chain.ts'
import { filterAll, logPrior, type Plan, type Run, type Workspace } from './run.ts'

/** Maximizes over the logits of the transitions and the emissions' natural numbers; the start stays as EM left it. */
export function polishRun(plan: Plan, run: Run, work: Workspace): void {
  const { x, begins, k } = plan
  const moves = plan.fixed.includes('transition') ? 0 : k * (k - 1)
  const { values } = plan.fixed.includes('emission') ? { values: new Float64Array(0) } : run.emission.natural()
  const size = Float64Array.from(values, (v) => Math.max(Math.abs(v), 1e-3))
  const from = new Float64Array(moves + values.length)
  for (let i = 0, at = 0; at < moves; i++)
    for (let j = 0; j < k; j++)
      if (j !== i)
        from[at++] = Math.log(Math.max(run.transition[i * k + j]!, 1e-12) / Math.max(run.transition[i * k + i]!, 1e-12))
  for (let i = 0; i < values.length; i++) from[moves + i] = values[i]! / size[i]!
  const apply = (v: Float64Array): boolean => {
    for (let i = 0, at = 0; at < moves; i++) {
      let total = 1
      for (let j = 0; j < k; j++) if (j !== i) total += run.transition[i * k + j] = Math.exp(v[at++]!)
      run.transition[i * k + i] = 1
      for (let j = 0; j < k; j++) run.transition[i * k + j]! /= total
    }
    if (plan.startFrom === 'stationary') run.start.set(stationaryOf(run.transition, k))
    return values.length === 0 || run.emission.adopt(v.slice(moves).map((value, i) => value * size[i]!))
  }
  const loss = (v: Float64Array): number =>
    apply(v)
      ? -filterAll(k, run.start, run.transition, run.emission, x, begins, work) - logPrior(plan, run.transition)
      : Number.NaN
  const before = run.penalized
  const { x: to, value } = lbfgs(
    (v, gradient) => {
      numericalGradient(loss, v, gradient)
      return loss(v)
    },
    from,
    { maxIterations: 200, gradientTolerance: 1e-5 },
  )
  apply(-value > before ? to : from)
  run.logLikelihood = filterAll(k, run.start, run.transition, run.emission, x, begins, work)
  run.penalized = run.logLikelihood + logPrior(plan, run.transition)
  run.history.push(run.penalized)
}
