import ts from 'typescript'

/** A piece of code in documentation. */
export interface Fence {
  /** File that holds it, as given. */
  readonly file: string
  /** Line of the file on which the code begins, from 1. */
  readonly line: number
  readonly code: string
  /** Type-checked but not executed (```` ```ts no-run ````). */
  readonly noRun: boolean
}

/** Finds the `ts` fences of a Markdown file, or of the JSDoc comments of a TypeScript file. */
export function findFences(file: string, text: string): Fence[] {
  const lines = text.split(/\r?\n/)
  if (file.endsWith('.md')) return fencesOf(file, lines, 1)
  const fences: Fence[] = []
  for (const match of text.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const first = text.slice(0, match.index).split('\n').length
    const body = match[0].split(/\r?\n/).map((line) => line.replace(/^\s*\/?\*+ ?/, '').replace(/\s*\*+\/$/, ''))
    fences.push(...fencesOf(file, body, first))
  }
  return fences
}

function fencesOf(file: string, lines: readonly string[], first: number): Fence[] {
  const fences: Fence[] = []
  for (let at = 0; at < lines.length; at++) {
    const open = /^(\s*)(`{3,})ts(?:\s+(.*))?$/.exec(lines[at]!)
    if (!open) {
      // A fence in another language: step over it, so that its content is never taken for a fence.
      const other = /^\s*(`{3,})/.exec(lines[at]!)
      if (other) while (++at < lines.length && !lines[at]!.trim().startsWith(other[1]!));
      continue
    }
    const code: string[] = []
    const begin = at + 1
    while (++at < lines.length && lines[at]!.trim() !== open[2]) {
      const line = lines[at]!
      code.push(line.startsWith(open[1]!) ? line.slice(open[1]!.length) : line)
    }
    fences.push({ file, line: first + begin, code: code.join('\n'), noRun: /\bno-run\b/.test(open[3] ?? '') })
  }
  return fences
}

/** A fence that runs: its assertions are calls of the global `__expect`, on unchanged lines. */
export interface Runnable {
  readonly code: string
  readonly assertions: number
  /** What cannot be turned into an assertion. */
  readonly problems: readonly { readonly line: number; readonly message: string }[]
}

/**
 * Turns `expression // => value` (deep equality) and `expression // ≈ value` (as precise as the written digits) into
 * assertions. The expression is a statement, the initializer of a declaration, or the arguments of a `console.log`.
 */
export function toRunnable(code: string): Runnable {
  const source = ts.createSourceFile('fence.ts', code, ts.ScriptTarget.ES2022, true)
  const targets = new Map<number, ts.Node>()
  const visit = (node: ts.Node): void => {
    const target = assertable(node)
    if (target) targets.set(source.getLineAndCharacterOfPosition(node.getEnd()).line, target)
    ts.forEachChild(node, visit)
  }
  visit(source)
  const edits: { start: number; end: number; text: string }[] = []
  const problems: { line: number; message: string }[] = []
  for (const comment of comments(source)) {
    const match = /^\/\/\s*(=>|≈)\s*(.*)$/.exec(code.slice(comment.pos, comment.end))
    if (!match) continue
    const here = source.getLineAndCharacterOfPosition(comment.pos).line
    const alone = code.slice(source.getPositionOfLineAndCharacter(here, 0), comment.pos).trim() === ''
    const target = targets.get(alone ? here - 1 : here)
    if (!target) {
      problems.push({ line: here, message: `no expression ends where \`${match[0]}\` stands` })
      continue
    }
    const expected = expectation(match[2]!, match[1] === '≈')
    if (expected === undefined) {
      problems.push({ line: here, message: `\`${match[2]}\` is not an expression` })
      continue
    }
    const start = target.getStart(source)
    edits.push({
      start,
      end: target.getEnd(),
      text: `__expect((${code.slice(start, target.getEnd())}), (${expected}), ${JSON.stringify(match[2])}, ${here})`,
    })
  }
  let result = code
  for (const edit of edits.sort((a, b) => b.start - a.start)) {
    // `;` before an expression statement, so that a line that begins with a parenthesis is not read as a call.
    const guard = /^\s*$/.test(result.slice(result.lastIndexOf('\n', edit.start - 1) + 1, edit.start)) ? ';' : ''
    result = result.slice(0, edit.start) + guard + edit.text + result.slice(edit.end)
  }
  return { code: result, assertions: edits.length, problems }
}

function assertable(node: ts.Node): ts.Node | undefined {
  if (ts.isExpressionStatement(node)) {
    const { expression } = node
    if (ts.isCallExpression(expression) && /^console\.\w+$/.test(expression.expression.getText())) {
      return expression.arguments.length === 1 ? expression.arguments[0] : undefined
    }
    return expression
  }
  if (ts.isVariableStatement(node)) return node.declarationList.declarations.at(-1)?.initializer
  return undefined
}

function comments(source: ts.SourceFile): ts.TextRange[] {
  const found = new Map<number, ts.TextRange>()
  const visit = (node: ts.Node): void => {
    const ranges = [
      ...(ts.getLeadingCommentRanges(source.text, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(source.text, node.getEnd()) ?? []),
    ]
    for (const range of ranges) found.set(range.pos, range)
    for (const child of node.getChildren(source)) visit(child)
  }
  visit(source)
  return [...found.values()]
}

/** The expected value as code, its numbers wrapped with their tolerances where the match is approximate. */
function expectation(text: string, approximate: boolean): string | undefined {
  const source = ts.createSourceFile('value.ts', `(${text}\n)`, ts.ScriptTarget.ES2022, true)
  const syntax = ts.transpileModule(source.text, { reportDiagnostics: true }).diagnostics ?? []
  if (text.trim() === '' || syntax.length > 0 || source.statements.length !== 1) return undefined
  if (!approximate) return text
  const edits: { start: number; end: number; text: string }[] = []
  const visit = (node: ts.Node): void => {
    const negative =
      ts.isPrefixUnaryExpression(node) &&
      node.operator === ts.SyntaxKind.MinusToken &&
      ts.isNumericLiteral(node.operand)
    if (negative || ts.isNumericLiteral(node)) {
      const literal = node.getText(source)
      edits.push({
        start: node.getStart(source),
        end: node.getEnd(),
        text: `__expect.near(${literal}, ${tolerance(literal)})`,
      })
      return
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  let result = source.text
  for (const edit of edits.reverse()) result = result.slice(0, edit.start) + edit.text + result.slice(edit.end)
  return result.slice(1, -2)
}

/** One unit of the last written decimal, but never less than a billionth; without decimals a thousandth. */
export function tolerance(literal: string): number {
  const text = literal.replace(/_/g, '').replace(/^-/, '').toLowerCase()
  const [mantissa = '', exponent = '0'] = text.split('e')
  const decimals = mantissa.split('.')[1]
  if (decimals === undefined && !text.includes('e')) return Math.max(1e-3 * Math.abs(Number(text)), 1e-6)
  const unit = 10 ** (Number(exponent) - (decimals ?? '').length) * (1 + 1e-9)
  return Math.max(unit, 1e-9 * Math.abs(Number(text)))
}
