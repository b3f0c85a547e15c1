import { describe, expect, test } from 'vitest'
import { openTerminal, type Terminal, table } from '../src/terminal.ts'

function fake(isTTY: boolean, quiet = false): { terminal: Terminal; written: { out: string; err: string } } {
  const written = { out: '', err: '' }
  const terminal = openTerminal({
    out: {
      write(text) {
        written.out += text
      },
    },
    err: {
      write(text) {
        written.err += text
      },
      isTTY,
      columns: 80,
    },
    quiet,
  })
  return { terminal, written }
}

describe('progress', () => {
  test('redraws one line on a terminal, never wider than it, and wipes it at the end', () => {
    const { terminal, written } = fake(true)
    const bar = terminal.progress('adaptive')
    for (let done = 0; done <= 400; done++) bar({ done, total: 400, message: 'x'.repeat(200) })
    expect(written.out).toBe('')
    expect(written.err).not.toContain('\n')
    const frames = written.err.split('\r').filter(Boolean)
    expect(frames.every((frame) => frame.length <= 79)).toBe(true)
    expect(frames.some((frame) => frame.includes(' 50 %'))).toBe(true)
    expect(frames.at(-1)!.trim()).toBe('')
    // Steps 0 to 200, and the wiping of the last.
    expect(frames.length).toBe(202)
  })

  test('says a quarter at a time where there is none', () => {
    const { terminal, written } = fake(false)
    const bar = terminal.progress('static')
    for (let done = 0; done <= 400; done++) bar({ done, total: 400 })
    expect(written.err).toBe('static: 25 %\nstatic: 50 %\nstatic: 75 %\nstatic: 100 %\n')
  })
})

test('with one JSON value on standard output nothing else goes there', () => {
  const { terminal, written } = fake(false, true)
  terminal.say('for people')
  terminal.json({ a: 1 })
  expect(written.out).toBe('{"a":1}\n')
})

test('columns: the first to the left, the others to the right, or as told', () => {
  const rows = [
    ['name', 'value'],
    ['a', '10'],
  ]
  expect(table(rows)).toEqual(['name  value', 'a        10'])
  expect(table(rows, 'll')).toEqual(['name  value', 'a     10'])
})
