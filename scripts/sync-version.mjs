// After `changeset version`: the version that snapshots name follows core's package.json.
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../packages/core/src/version.ts', import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('../packages/core/package.json', import.meta.url), 'utf8'))
writeFileSync(file, readFileSync(file, 'utf8').replace(/libraryVersion = '[^']*'/, `libraryVersion = '${version}'`))
