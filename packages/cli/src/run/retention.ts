import type { Snapshot } from '@regimen/core'
import { type Bars, logScoreGaussian } from '@regimen/market'
import { prequential } from '@regimen/pipeline'
import { openPreset, rewind } from '../preset/model.ts'
import { frozen } from './arms.ts'

/** How well each stored version knows each year. */
export interface Retention {
  readonly versions: readonly number[]
  readonly years: readonly string[]
  /** Mean log score above N(0, scale²), versions × years, nats a bar. */
  readonly values: readonly (readonly number[])[]
}

/** Shows every version the whole series again, without learning: what it knows of the years before and after its training. */
export async function measureRetention(
  bars: Bars,
  versions: readonly { readonly version: number; readonly snapshot: Snapshot }[],
): Promise<Retention> {
  const year = Array.from(bars.time, (time) => new Date(time).getUTCFullYear())
  const names = [...new Set(year)]
  const values: number[][] = []
  for (const { snapshot } of versions) {
    const model = await frozen(openPreset())(await rewind(snapshot))
    const { logScore } = await prequential(model, bars)
    await model.dispose()
    const baseline = scaleScores(bars)
    const sums = new Map(names.map((name) => [name, { sum: 0, count: 0 }]))
    logScore.forEach((value, row) => {
      const gain = value - baseline[row]!
      if (Number.isNaN(gain)) return
      const at = sums.get(year[row]!)!
      at.sum += gain
      at.count++
    })
    values.push(names.map((name) => sums.get(name)!.sum / sums.get(name)!.count))
  }
  return { versions: versions.map(({ version }) => version), years: names.map(String), values }
}

/** ln N(r; 0, scale²) of each next return, by a running scale of thirty bars. */
function scaleScores({ close }: Bars): Float64Array {
  const out = new Float64Array(close.length).fill(Number.NaN)
  let variance = 0
  for (let row = 1; row < close.length; row++) {
    const r = Math.log(close[row]! / close[row - 1]!)
    if (variance > 0) out[row - 1] = logScoreGaussian(r, 0, Math.sqrt(variance))
    variance += Math.max(1 / row, 1 / 30) * (r * r - variance)
  }
  return out
}
