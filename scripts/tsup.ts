import { readFileSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'

type Config = ReturnType<typeof defineConfig>

/** Builds every entry that the package's `exports` names, as ESM with shared chunks; `tsc` writes the declarations. */
export function library(overrides: Options = {}): Config {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
    exports: Record<string, { '@regimen/source'?: string }>
  }
  const entry: Record<string, string> = {}
  for (const target of Object.values(manifest.exports)) {
    const source = target['@regimen/source']
    if (source) entry[source.replace(/^\.\/src\//, '').replace(/\.ts$/, '')] = source
  }
  return defineConfig({
    entry,
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    splitting: true,
    sourcemap: true,
    clean: false,
    dts: false,
    silent: true,
    // Bundlers tell what only Node has by its prefix.
    removeNodeProtocol: false,
    external: [/^node:/],
    ...overrides,
  })
}
