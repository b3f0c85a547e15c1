import { expect, test } from 'vitest'
import { checkAll } from '../check.ts'
import type { Gate } from '../lib/gate.ts'

test('gates run two at a time, those that want the machine alone after them, and rows keep the order', async () => {
  const seen: string[] = []
  let running = 0
  let most = 0
  const gate = (name: string, turns: number, alone = false): Gate => ({
    name,
    description: '',
    scoped: true,
    alone,
    async run() {
      most = Math.max(most, ++running)
      const beside = running
      for (let i = 0; i < turns; i++) await Promise.resolve()
      seen.push(`${name} of ${beside}`)
      running--
      if (name === 'broken') throw new Error('it fell over')
      return { passed: 1, problems: [] }
    },
  })
  const gates = [gate('page', 1, true), gate('slow', 50), gate('broken', 1), gate('quick', 1), gate('unit', 1, true)]
  const rows = await checkAll(gates, { root: '.', update: false, full: false })
  expect(rows.map((row) => row.gate)).toEqual(['page', 'slow', 'broken', 'quick', 'unit'])
  expect(rows[2]!.verdict.problems).toEqual([{ message: 'it fell over' }])
  expect(most).toBe(2)
  expect(seen).toEqual(['broken of 2', 'quick of 2', 'slow of 1', 'page of 1', 'unit of 1'])
})
