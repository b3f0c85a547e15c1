import { type Gate, type Problem, packagesInScope } from '../lib/gate.ts'
import { pack } from '../lib/packs.ts'
import { runTool } from '../lib/workspace.ts'

/** The types of packed packages resolve wherever the code does. */
export const attw: Gate = {
  name: 'attw',
  description: 'attw --profile esm-only over the packed packages',
  scoped: true,
  async run(context) {
    const packages = packagesInScope(context)
    const problems: Problem[] = []
    const queue = [...packages]
    const work = async (): Promise<void> => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
        const args = [await pack(item), '--profile', 'esm-only', '--format', 'ascii', '--no-emoji', '--no-color']
        const checked = await runTool('@arethetypeswrong/cli', args, { bin: 'attw' })
        if (checked.code !== 0)
          problems.push({ file: `packages/${item.short}/package.json`, message: checked.output.trim() })
      }
    }
    await Promise.all([work(), work()])
    return { passed: packages.length - problems.length, problems }
  },
}
