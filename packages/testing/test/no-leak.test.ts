import { ContractError, checkNoLeak, testNoLeak } from '@regimen/testing'
import { expect, it } from 'vitest'

let held = 0
let cached = false
testNoLeak('work that fills a cache once', {
  count: () => held,
  run: () => {
    if (!cached) held++
    cached = true
  },
})

it('finds work that keeps something each round', async () => {
  const leak = checkNoLeak({ count: () => held, run: async () => void held++ })
  await expect(leak).rejects.toThrow(ContractError)
  await expect(leak).rejects.toThrow('3 more after 3 rounds')
})
