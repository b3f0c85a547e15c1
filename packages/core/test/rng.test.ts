import { createRng } from '@regimen/core'
import { describe, expect, it } from 'vitest'

describe('rng', () => {
  it('continues identically from its state', () => {
    const rng = createRng(7)
    for (let i = 0; i < 100; i++) rng.normal()
    const copy = createRng(rng.state())
    expect(Array.from({ length: 5 }, () => copy.uniform())).toEqual(Array.from({ length: 5 }, () => rng.uniform()))
  })
})
