import { type Gate, type Problem, packagesInScope } from '../lib/gate.ts'
import { pack } from '../lib/packs.ts'
import { runTool } from '../lib/workspace.ts'

/** Packed packages keep the registry's customs. */
export const publint: Gate = {
  name: 'publint',
  description: 'publint --strict over the packed packages',
  scoped: true,
  async run(context) {
    const packages = packagesInScope(context)
    const problems: Problem[] = []
    for (const item of packages) {
      const checked = await runTool('publint', ['run', await pack(item), '--strict'])
      if (checked.code !== 0)
        problems.push({ file: `packages/${item.short}/package.json`, message: checked.output.trim() })
    }
    return { passed: packages.length - problems.length, problems }
  },
}
