import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { command, csv, folder } from './support.ts'

describe('help', () => {
  test('names every command and fits 80 columns', async () => {
    const { code, out } = await command('--help')
    expect(code).toBe(0)
    for (const name of ['run', 'report', 'regimes', 'tune', 'store', 'new', 'doctor'])
      expect(out).toContain(`\n  ${name}`)
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  test.each(['run', 'regimes', 'tune', 'store', 'report'])('of %s says its options', async (name) => {
    const { code, out } = await command(name, '--help')
    expect(code).toBe(0)
    expect(out).toContain(`Usage: regimen ${name}`)
  })
})

describe('wrong input is one readable line and exit code 2', () => {
  const write = (name: string, text: string): string => {
    const path = join(folder(), name)
    writeFileSync(path, text)
    return path
  }

  test.each([
    ['an unknown command', ['dance'], "unknown command 'dance'"],
    ['an unknown option', ['run', '--dance'], "unknown option '--dance'"],
    ['no number', ['run', '--years', 'ten'], 'a number is needed'],
    ['out of range', ['run', '--years', '-3'], 'years in the command line'],
    ['an unknown device', ['run', '--device', 'abacus'], 'Allowed choices are cpu, wasm'],
    ['a device that is not here', ['run', '--device', 'node'], 'the backend node cannot be used'],
    ['an unknown market', ['run', '--market', 'tulips'], 'Allowed choices are equity-daily'],
    ['a missing file', ['run', '--data', 'nowhere.csv'], 'nowhere.csv cannot be read: there is no such file'],
    ['no run there', ['report', 'nowhere'], 'there is no run in nowhere'],
    ['no store there', ['store', 'list', 'nowhere'], 'there is no store in nowhere'],
    ['a name that is none', ['new', 'Über'], 'a name is made of a-z, 0-9 and -'],
  ])('%s', async (_, args, message) => {
    const { code, out, err } = await command(...args, ...(args[0] === 'run' ? ['--out', join(folder(), 'run')] : []))
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(message)
    expect(err).not.toContain('    at ')
  })

  test.each([
    ['empty', '', 'holds no line'],
    ['tiny', csv(20), 'has 20 bars, at least 600 are needed'],
    ['without movement', csv(700, (i, [day]) => `${day},5,5,5,5,${i}`), 'hardly moves'],
    ['no prices at all', 'a,b\nx,y\n', 'time'],
    ['only NaN', csv(700, (_, [day]) => `${day},NaN,NaN,NaN,NaN,1`), 'no usable row'],
  ])('a CSV that is %s', async (name, text, message) => {
    const { code, err } = await command('run', '--data', write(`${name}.csv`, text), '--out', join(folder(), 'run'))
    expect(err.trim().split('\n').length).toBe(1)
    expect(err).toMatch(new RegExp(message, 'i'))
    expect(code).toBe(2)
  })

  test.each([
    ['no JSON', '{years: 5}', 'is not JSON'],
    ['no object', '[5]', 'holds no JSON object'],
    ['an unknown field', '{"yeers": 5}', 'Unrecognized key: "yeers"'],
    ['a wrong type', '{"years": "5"}', 'years in'],
  ])('settings with %s', async (_, text, message) => {
    const { code, err } = await command('run', '--config', write('run.json', text), '--out', join(folder(), 'run'))
    expect([code, err.trim().split('\n').length]).toEqual([2, 1])
    expect(err).toContain(message)
  })

  test('a folder that belongs to another run', async () => {
    const out = join(folder(), 'run')
    mkdirSync(out)
    writeFileSync(join(out, 'run.json'), '{"years": 1}\n')
    const { code, err } = await command('run', '--out', out)
    expect(code).toBe(2)
    expect(err).toContain('holds a run with other settings')
  })

  test('a folder that cannot be written to', async () => {
    // A folder below a file can be made by nobody, root included.
    const { code, err } = await command('run', '--out', join(write('file', ''), 'run'))
    expect(code).toBe(2)
    expect(err).toContain('cannot be written to')
  })
})

describe('regimes', () => {
  test('of a file with holes and disorder: shares and probabilities sum to one', async () => {
    const [head, ...rows] = csv(400).trim().split('\n')
    // Newest first, one row twice, one without a price.
    const mixed = [head, ...rows.reverse(), rows[5], '2014-12-31,10,11,9,,5']
    const path = write400(mixed)
    const { code, out } = await command('regimes', path, '--states', '2', '--json')
    expect(code).toBe(0)
    const { bars, regimes } = JSON.parse(out) as {
      bars: number
      regimes: { share: number; now: number; next: number }[]
    }
    expect(bars).toBe(400)
    for (const name of ['share', 'now', 'next'] as const) {
      expect(regimes.reduce((sum, one) => sum + one[name], 0)).toBeCloseTo(1, 9)
    }
  })

  test('of a simulated market as a table', async () => {
    const { out } = await command('regimes', '--market', 'separable', '--years', '2', '--states', '2,3')
    expect(out).toContain('regimes by BIC')
    expect(out.split('\n').find((line) => line.startsWith('regime'))).toMatch(/share\s+a year\s+volatility/)
  })
})

function write400(lines: readonly (string | undefined)[]): string {
  const path = join(folder(), 'prices.csv')
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

test('new writes a package whose learner continues from its snapshot', async () => {
  const before = process.cwd()
  // Inside this package, so that its dependencies are found.
  const place = join(import.meta.dirname, '..', 'node_modules', '.cache', 'new-test')
  mkdirSync(place, { recursive: true })
  const name = `mine-${process.pid}`
  try {
    process.chdir(place)
    const { code, out } = await command('new', name)
    expect(code).toBe(0)
    expect(out).toContain('npm test')
    expect((await command('new', name)).err).toContain('is already there')
  } finally {
    process.chdir(before)
  }
  const cwd = join(place, name)
  const args = ['-C', '@regimen/source', '--import', import.meta.resolve('tsx'), '--test']
  const text = execFileSync(process.execPath, args, { cwd, encoding: 'utf8' })
  expect(text).toMatch(/pass 1\b/)
  expect(JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'))).toMatchObject({ name })
})
