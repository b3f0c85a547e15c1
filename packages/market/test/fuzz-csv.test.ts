import { createRng, RegimenError } from '@regimen/core'
import { expect, test } from 'vitest'
import { loadCsv, type RepairPolicies } from '../src/index.ts'

const FULL = process.env.REGIMEN_FULL === '1'
const MUTATIONS = FULL ? 10_000 : 300
const SEEDS = [
  'Date,Open,High,Low,Close,Adj Close,Volume\n2020-01-02,10,12,8,10,5,100\n2020-01-03,10,12,8,11,10,100\n2020-01-06,11,12,8,10,9,90\n',
  '1640995200000,"46216.93","46731.39","46208.37","46656.13","1503.3",1640998799999,"6.9e7",1,"2","3",0\n1640998800000,"46216.93","46731.39","46208.37","46656.13","1503.3",1641002399999,"6.9e7",1,"2","3",0\n',
  '<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\n2020.01.02\t00:05:00\t1\t2\t0.5\t1.5\t33\n2020.01.02\t00:10:00\t1\t2\t0.5\t1.5\t33\n',
  'time;open;high;low;close\n13/01/2021 11:00 PM;1,25;1.300,5;1,2;1,3\n14/01/2021 01:00 AM;1,25;1,3;1,2;1,3\n',
  'time,open,high,low,close,volume\n2021-02-28T23:59:00Z,1.5,2,1,1.25,7\n2021-03-01T00:00:00Z,1.5,2.000001,1,1.25,7\n1614556860,1,2,1,2,9\n',
]
const SPLICES = [
  '',
  ',',
  '\n',
  '\r',
  '"',
  '""',
  ';',
  '-',
  '.',
  '..',
  'NaN',
  '1e999',
  '-1',
  '0',
  'é',
  '\0',
  '9'.repeat(40),
  '#',
  ' ',
  '1970',
  'inf',
  'null',
  '\t',
  ':',
  '/',
  '+',
]
const POLICIES: RepairPolicies[] = [
  {},
  {
    badTime: 'drop',
    missing: 'drop',
    nonPositive: 'drop',
    highBelowLow: 'drop',
    outside: 'drop',
    badVolume: 'drop',
    duplicates: 'first',
    flat: 'drop',
    badTicks: 'drop',
    splits: 'adjust',
  },
  {
    badTime: 'drop',
    missing: 'previous',
    nonPositive: 'drop',
    highBelowLow: 'swap',
    outside: 'widen',
    badVolume: 'omit',
    duplicates: 'last',
    gaps: 'fill',
  },
]

test(`${MUTATIONS} mutated files: an error or clean bars with a report, never a crash, a hang or a silent NaN`, () => {
  const rng = createRng(20_260_101)
  let loaded = 0
  let refused = 0
  for (let k = 0; k < MUTATIONS; k++) {
    const bytes = Array.from(new TextEncoder().encode(SEEDS[k % SEEDS.length]))
    const edits = 1 + Math.floor(rng.uniform() * 6)
    for (let e = 0; e < edits; e++) {
      const at = Math.floor(rng.uniform() * (bytes.length + 1))
      const kind = rng.uniform()
      if (kind < 0.3) bytes[at] = Math.floor(rng.uniform() * 256)
      else if (kind < 0.5) bytes.splice(at, 1 + Math.floor(rng.uniform() * 12))
      else if (kind < 0.8) {
        bytes.splice(at, 0, ...new TextEncoder().encode(SPLICES[Math.floor(rng.uniform() * SPLICES.length)]))
      } else bytes.splice(at, 0, ...bytes.slice(Math.floor(at / 2), at))
    }
    const input = Uint8Array.from(bytes, (byte) => byte ?? 0)
    try {
      const { bars, report } = loadCsv(input, {
        repair: POLICIES[k % POLICIES.length]!,
        ...(k % 2 ? { interval: '1h' } : {}),
        dateOrder: k % 5 ? undefined : 'mdy',
      })
      loaded++
      expect(report.rows).toBeGreaterThan(0)
      for (const values of [bars.time, bars.open, bars.high, bars.low, bars.close, bars.volume ?? []]) {
        for (const value of values) {
          if (!Number.isFinite(value)) throw new Error(`mutation ${k}: ${value} in the bars`)
        }
      }
    } catch (error) {
      if (!(error instanceof RegimenError)) throw new Error(`mutation ${k}: ${String(error)}`, { cause: error })
      refused++
    }
  }
  // Both outcomes must occur, or the mutations test nothing.
  expect(loaded).toBeGreaterThan(MUTATIONS / 10)
  expect(refused).toBeGreaterThan(MUTATIONS / 10)
}, 120_000)
