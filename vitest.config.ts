import { readdirSync } from 'node:fs'
import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'

// Inside the workspace a package name resolves to its TypeScript source; published packages resolve to dist.
const conditions = ['@regimen/source', ...defaultServerConditions]
const packages = readdirSync(new URL('packages', import.meta.url)).filter((name) => !name.startsWith('.'))
// Files of these leave nothing behind that another could see: no backend of tfjs, no module replaced. A worker then imports
// what they share once, which is a third of their time.
const sharing = new Set(['market', 'regimes', 'meta', 'continual', 'evolve', 'bayes'])

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    pool: 'forks',
    testTimeout: 30_000,
    maxWorkers: 2,
    projects: [
      ...packages.map((name) => ({
        extends: true as const,
        test: { name, root: `packages/${name}`, include: ['test/**/*.test.ts'], isolate: !sharing.has(name) },
      })),
      {
        extends: true as const,
        test: { name: 'scripts', root: 'scripts', include: ['test/**/*.test.ts'], testTimeout: 180_000 },
      },
    ],
  },
})
