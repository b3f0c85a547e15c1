import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** Plotly's minified source. The build writes it into `dist/plotly.js`; inside the workspace it is read from the package. */
export const plotlySource: string = readFileSync(
  createRequire(import.meta.url).resolve('plotly.js-basic-dist-min'),
  'utf8',
)
