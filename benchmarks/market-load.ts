import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadCsv } from '@regimen/market'
import { bench, timing } from './harness.ts'
import { syntheticBars } from './market-features.ts'

const PANDAS = `
import json, sys, time
import pandas as pd
times = []
for turn in range(int(sys.argv[2]) + 1):
    begin = time.perf_counter()
    with open(sys.argv[1], 'rb') as file:
        frame = pd.read_csv(file, parse_dates=['time'])
    if turn: times.append(time.perf_counter() - begin)
assert str(frame.time.dtype).startswith('datetime64')
times.sort()
print(json.dumps({'ms': 1000 * times[len(times) // 2], 'rows': len(frame)}))
`

export default bench({
  name: 'market-load',
  description: 'A CSV of 1,000,000 one-minute bars with ISO times from disk to validated bars, against pandas.read_csv',
  async run(context) {
    const count = context.number('bars', 1_000_000)
    const rounds = context.number('rounds', 5)
    const folder = mkdtempSync(join(tmpdir(), 'regimen-load-'))
    const file = join(folder, 'bars.csv')
    try {
      const size = writeBars(file, count)
      const times: number[] = []
      let rows = 0
      for (let round = 0; round <= rounds; round++) {
        const begin = performance.now()
        rows = loadCsv(readFileSync(file)).bars.time.length
        if (round > 0) times.push(performance.now() - begin)
      }
      if (rows !== count) throw new Error(`Loaded ${rows} of ${count} bars.`)
      const ours = timing(times)
      const peer = await context.python<{ ms: number; rows: number }>(PANDAS, {
        needs: ['pandas'],
        args: [file, String(rounds)],
      })
      return {
        figures: {
          ms: { value: ours.median, unit: 'ms', spread: ours.spread, note: 'validation and report included' },
          bars_per_s: (1000 * count) / ours.median,
          mb_per_s: size / 1000 / ours.median,
          ...(peer.absent === undefined
            ? { ratio: { value: ours.median / peer.value.ms, note: 'our time over that of pandas' } }
            : {}),
        },
        peers: {
          pandas:
            peer.absent === undefined
              ? { ms: { value: peer.value.ms, unit: 'ms' }, bars_per_s: (1000 * count) / peer.value.ms }
              : { absent: peer.absent },
        },
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
})

/** Writes the file and returns its size; nothing of it stays in memory, as nothing does in the peer's process. */
function writeBars(file: string, count: number): number {
  const bars = syntheticBars(count)
  const lines = ['time,open,high,low,close,volume']
  for (let i = 0; i < count; i++) {
    const time = new Date(bars.time[i]!).toISOString().slice(0, 19).replace('T', ' ')
    const prices = [bars.open, bars.high, bars.low, bars.close].map((column) => column[i]!.toFixed(6))
    lines.push(`${time},${prices.join(',')},${bars.volume![i]}`)
  }
  const text = lines.join('\n')
  writeFileSync(file, text)
  return text.length
}
