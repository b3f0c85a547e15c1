import { mkdirSync, writeFileSync } from 'node:fs'
import { library } from '../../scripts/tsup.ts'
import { plotlySource } from './plotly.source.ts'

// Plotly becomes a module of its own, so that importing the package stays cheap and no bundler has to read a file.
mkdirSync('dist', { recursive: true })
writeFileSync('dist/plotly.js', `export const plotlySource = ${JSON.stringify(plotlySource)}\n`)
writeFileSync('dist/plotly.d.ts', 'export declare const plotlySource: string\n')

export default library({ external: ['#plotly'] })
