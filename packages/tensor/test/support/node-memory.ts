import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

/** Collects garbage: what is merely not collected yet is no leak. */
export const collect = runInNewContext('gc') as () => void

/** Bytes that the process holds once garbage is collected. */
export function settledRss(): number {
  collect()
  return process.memoryUsage.rss()
}
