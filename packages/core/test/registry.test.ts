import { defineRegistry } from '@regimen/core'
import { expect, it } from 'vitest'

it('a registry finds functions by id and ids by function, and says what it knows', () => {
  const registry = defineRegistry<(x: number) => number>('example/losses', { square: (x) => x * x, abs: Math.abs })
  expect(registry.get('square')(3)).toBe(9)
  expect(registry.idOf(Math.abs)).toBe('abs')
  expect(() => registry.get('huber')).toThrow(
    '[example/losses] nothing is registered as "huber". Use one of abs, square, or register it first.',
  )
  expect(() => registry.get('toString')).toThrow('nothing is registered')
  expect(() => registry.idOf(Math.sign)).toThrow('a function is not registered')
  registry.register('sign', Math.sign)
  registry.register('sign', Math.sign)
  expect(registry.ids()).toEqual(['abs', 'sign', 'square'])
  expect(registry.has('sign')).toBe(true)
  expect(() => registry.register('sign', Math.abs)).toThrow('"sign" is taken. Choose another id.')
  expect(() => registry.register('', Math.exp)).toThrow('id must be a string, got ""')
})
