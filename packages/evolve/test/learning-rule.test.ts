import { createRng, samplePoint } from '@regimen/core'
import {
  createLearningRule,
  evolveLearningRule,
  jso,
  type LearningRuleGenome,
  type LearningTask,
  learningRuleSpace,
  scoreLearningRule,
} from '@regimen/evolve'
import { describe, expect, it } from 'vitest'

const none: LearningRuleGenome = {
  rate: 0.1,
  gradient: 0,
  momentum: 0,
  sign: 0,
  normalized: 0,
  decay: 0,
  memory: 0.5,
  squareMemory: 0.75,
}

/** Two steps with the gradients 2 and −4 from θ = 1. */
const twoSteps = (genome: Partial<LearningRuleGenome>): number => {
  const theta = Float64Array.of(1)
  const rule = createLearningRule({ ...none, ...genome }, 1)
  rule.step(theta, [2])
  rule.step(theta, [-4])
  return theta[0]!
}

describe('learningRuleSpace', () => {
  it('holds rules only: every point steps to a finite place', () => {
    const rng = createRng('rules')
    for (let i = 0; i < 200; i++) expect(twoSteps(samplePoint(learningRuleSpace, rng))).toSatisfy(Number.isFinite)
  })
})

describe('createLearningRule', () => {
  // m₁ = 1, m̂₁ = 1/(1 − ½) = 2; m₂ = ½·1 + ½·(−4) = −1.5, m̂₂ = −1.5/(1 − ¼) = −2.
  // v₁ = ¼·4 = 1, v̂₁ = 1/(1 − ¾) = 4; v₂ = ¾·1 + ¼·16 = 4.75, v̂₂ = 4.75/(1 − 9/16) = 76/7.
  it('descends the gradient', () => {
    expect(twoSteps({ gradient: 1 })).toBeCloseTo(1 - 0.1 * (2 - 4), 14)
  })
  it('has a momentum whose start is corrected', () => {
    expect(twoSteps({ momentum: 1 })).toBeCloseTo(1 - 0.1 * (2 - 2), 14)
  })
  it('takes signs', () => {
    expect(twoSteps({ sign: 0.5 })).toBeCloseTo(1 - 0.1 * 0.5 * (1 - 1), 14)
    expect(twoSteps({ sign: 0.5, memory: 0.9 })).toBeCloseTo(1 - 0.1 * 0.5 * (1 - 1), 14)
  })
  it('normalizes', () => {
    expect(twoSteps({ normalized: 1 })).toBeCloseTo(1 - 0.1 * (2 / 2 - 2 / Math.sqrt(76 / 7)), 10)
  })
  it('decays', () => {
    expect(twoSteps({ decay: 0.1 })).toBeCloseTo(0.99 ** 2, 14)
  })

  it('refuses bad input', () => {
    expect(() => createLearningRule(none, 0)).toThrow('size must be an integer from 1')
    expect(() => createLearningRule({ ...none, rate: Number.NaN }, 1)).toThrow('rate must be a finite number')
    expect(() => createLearningRule({ ...none, memory: 1 }, 1)).toThrow('memory must be at least 0 and below 1, got 1')
  })
})

/** A bowl along rotated axes whose slopes differ by a factor. */
const bowl = (factor: number, turn: number): LearningTask => {
  const [c, s] = [Math.cos(turn), Math.sin(turn)]
  return {
    start: (rng) => Float64Array.of(1 + rng.uniform(), rng.normal()),
    loss: ([x, y]) => (c * x! + s * y!) ** 2 + factor * (c * y! - s * x!) ** 2,
    gradient([x, y], out) {
      const [u, v] = [2 * (c * x! + s * y!), 2 * factor * (c * y! - s * x!)]
      out[0] = c * u - s * v
      out[1] = s * u + c * v
    },
  }
}

describe('scoreLearningRule', () => {
  it('is the mean logarithm of what is left of the loss', () => {
    // One step θ ← θ − ¼·2·θ halves θ and quarters the loss: log₁₀ ¼ a step.
    const plain = {
      start: () => Float64Array.of(8),
      loss: ([x]: Float64Array) => x! ** 2,
      gradient: ([x]: Float64Array, out: Float64Array) => {
        out[0] = 2 * x!
      },
    }
    const rule = { ...none, rate: 0.25, gradient: 1 }
    expect(scoreLearningRule(rule, [plain], { steps: 3 })).toBeCloseTo(3 * Math.log10(1 / 4), 10)
    // A rule that diverges costs ten, whatever it reached.
    expect(scoreLearningRule({ ...rule, rate: 1, gradient: -1 }, [plain], { steps: 2000 })).toBe(10)
  })
})

describe('evolveLearningRule', () => {
  const tasks = [bowl(1, 0), bowl(20, 0.4), bowl(5, 1.1)]
  const unseen = [bowl(10, 0.8), bowl(3, 0.2)]

  it('finds a rule that beats every plain rate on tasks it has not seen', async () => {
    const { point, value, stopped } = await evolveLearningRule(tasks, { steps: 30, evaluations: 800, seed: 2 })
    expect(stopped).toBe('evaluations')
    expect(value).toBeCloseTo(scoreLearningRule(point, tasks, { steps: 30, seed: 2 }), 14)
    const rates = Array.from({ length: 40 }, (_, k) => 10 ** (-3 + (3 * k) / 39))
    const plain = rates.map((rate) => scoreLearningRule({ ...none, rate, gradient: 1 }, unseen, { steps: 30, seed: 9 }))
    expect(scoreLearningRule(point, unseen, { steps: 30, seed: 9 })).toBeLessThan(Math.min(...plain) - 0.3)
  })

  it('is the same for one seed, takes another optimizer, and stops for a signal', async () => {
    const options = { steps: 5, evaluations: 100, seed: 3, optimizer: jso, options: { maxEvaluations: 100 } }
    expect((await evolveLearningRule(tasks, options)).point).toEqual((await evolveLearningRule(tasks, options)).point)
    await expect(evolveLearningRule(tasks, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    )
  })

  it('refuses bad input', async () => {
    await expect(evolveLearningRule([])).rejects.toThrow('tasks must be a list of at least one')
    await expect(evolveLearningRule(tasks, { steps: 0 })).rejects.toThrow('steps must be an integer from 1')
    await expect(evolveLearningRule(tasks, { evaluations: 0 })).rejects.toThrow('evaluations must be an integer from 1')
  })
})
