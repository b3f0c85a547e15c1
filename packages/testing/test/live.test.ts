import { createRng, RegimenError, toAsyncFactory } from '@regimen/core'
import { ContractError, checkLive, type LiveSuite, testLive } from '@regimen/testing'
import { describe, expect, it } from 'vitest'
import { type Flaw, type MeanConfig, noisyMean, resources } from './fixtures.ts'

const suite = (flaw?: Flaw): LiveSuite<MeanConfig, Float64Array, undefined, Float64Array> => {
  // Fresh for every use, because a broken learner may change it.
  const rng = createRng(3)
  return {
    factory: noisyMean(flaw),
    config: { noise: 0.1, seed: 5 },
    stream: Array.from({ length: 10 }, () => ({ x: Float64Array.of(rng.normal(), rng.normal()) })),
    countResources: () => resources.count,
  }
}

testLive('an honest learner', suite())
testLive('an honest asynchronous learner', { ...suite(), factory: toAsyncFactory(noisyMean()) })

describe('a broken learner', () => {
  const flaws: [Flaw, string][] = [
    ['mutates input', 'inputs are not changed'],
    ['ignores seed', 'one seed gives one path'],
    ['predict learns', 'predict answers the same twice'],
    ['update does not learn', 'update learns'],
    ['forgets generator', 'a restored object continues as the original would'],
    ['aliases snapshot', 'a snapshot shares nothing with the live object'],
    ['snapshot disturbs', 'predict never learns'],
    ['writes into snapshot', 'opening a snapshot and going on does not change it'],
    ['accepts any snapshot', 'the id of another algorithm is refused'],
    ['accepts any shape', 'state.sums of another shape is refused'],
    ['vague refusal', 'a refusal names the path'],
    ['wrong id', 'a snapshot carries its factory’s id'],
    ['swallows NaN', 'no silent NaN'],
    ['plain error', 'empty input is refused with a RegimenError'],
    ['half update', 'a refused update leaves the state alone'],
    ['works when disposed', 'update after dispose is a RegimenError'],
    ['leaks per update', 'updates leak nothing'],
    ['leaks on dispose', 'dispose frees everything'],
  ]
  it.each(flaws)('that %s is found', async (flaw, promise) => {
    const outcome = checkLive(suite(flaw))
    await expect(outcome).rejects.toThrow(ContractError)
    await expect(outcome).rejects.toThrow(promise)
  })

  it('is found behind the asynchronous interface too', async () => {
    const broken = { ...suite(), factory: toAsyncFactory(noisyMean('forgets generator')) }
    await expect(checkLive(broken)).rejects.toThrow('a restored object continues')
  })

  it('whose predictions are no data is told to pass a view', async () => {
    const factory = {
      ...noisyMean(),
      open: () => ({ ...noisyMean().open({ noise: 0, seed: 1 }), predict: () => new Map() }),
    }
    const { config, stream } = suite()
    await expect(checkLive({ factory, config, stream })).rejects.toThrow('pass a `view`')
    await expect(checkLive({ factory, config, stream })).rejects.not.toThrow(RegimenError)
  })

  it('cannot hide behind a stream of nothing', () => {
    expect(() => checkLive({ ...suite(), stream: [] })).toThrow('the stream is long enough to tell')
  })

  it('may document its NaN', async () => {
    const { countResources: _, ...rest } = suite('swallows NaN')
    const documented = { ...rest, documentedNaN: 'NaN in, NaN out.' }
    await expect(checkLive(documented)).resolves.toBeUndefined()
  })
})
