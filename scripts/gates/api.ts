import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { type Exported, entries, exportsOf, readProgram } from '../lib/exports.ts'
import { type Gate, type Problem, packagesInScope } from '../lib/gate.ts'
import { type Package, shown } from '../lib/workspace.ts'

/** The public names and declarations are those that docs/api records. */
export const api: Gate = {
  name: 'api',
  description: 'public names and declarations match docs/api (pnpm check api --update records them)',
  scoped: true,
  async run(context) {
    const packages = packagesInScope(context)
    const program = readProgram(
      packages.flatMap((item) => entries(item, 'types').map((entry) => entry.file)),
      false,
    )
    const problems: Problem[] = []
    let names = 0
    for (const item of packages) {
      const { text, count } = describeApi(program, item)
      names += count
      const path = join(context.root, 'docs', 'api', `${item.short}.md`)
      const file = shown(context.root, path)
      const recorded = existsSync(path) ? readFileSync(path, 'utf8').replace(/\r\n/g, '\n') : undefined
      if (recorded === text) continue
      if (context.update) {
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, text)
      } else if (recorded === undefined) {
        problems.push({ file, message: 'is missing. Record it with `pnpm check api --update`.' })
      } else {
        const changes = difference(recorded, text)
        problems.push({
          file,
          message: `the public API changed; if it should, \`pnpm check api --update\`:\n${changes}`,
        })
      }
    }
    return { passed: packages.length - problems.length, problems, note: `${names} public names` }
  },
}

function describeApi(program: ts.Program, item: Package): { text: string; count: number } {
  const lines = [
    `# The public API of ${item.name}`,
    '',
    'Recorded by `pnpm check api --update`; a change here is a change for users.',
  ]
  let count = 0
  for (const entry of entries(item, 'types')) {
    const exported = exportsOf(program, item, entry)
    count += exported.length
    const specifier = item.name + entry.subpath.slice(1)
    lines.push('', `## \`${specifier}\``, '', '```typescript')
    for (const one of exported) lines.push(declarationOf(one))
    lines.push('```')
  }
  return { text: `${lines.join('\n')}\n`, count }
}

function declarationOf(exported: Exported): string {
  if (exported.foreign) {
    const file = exported.declarations[0]?.getSourceFile().fileName ?? ''
    const owner = /packages\/([^/]+)\/dist\//.exec(file)
    const module = owner
      ? `@regimen/${owner[1]}`
      : (/.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? 'elsewhere')
    return `export { ${exported.name} } from '${module}'`
  }
  const printer = ts.createPrinter({ removeComments: true, newLine: ts.NewLineKind.LineFeed })
  return exported.declarations
    .map((declaration) => {
      const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration
      return printer
        .printNode(ts.EmitHint.Unspecified, node, declaration.getSourceFile())
        .replace(/^export declare /, 'export ')
    })
    .join('\n')
}

/** Lines that left and lines that came, at most twenty of them. */
function difference(before: string, after: string): string {
  const old = new Set(before.split('\n'))
  const now = new Set(after.split('\n'))
  const lines = [
    ...[...old].filter((line) => !now.has(line)).map((line) => `- ${line}`),
    ...[...now].filter((line) => !old.has(line)).map((line) => `+ ${line}`),
  ]
  return lines.length > 20 ? [...lines.slice(0, 20), `… ${lines.length - 20} more`].join('\n') : lines.join('\n')
}
