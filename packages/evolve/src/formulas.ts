import { create, simplifyDependencies } from 'mathjs'
import { type Program, printProgram } from './programs/tree.ts'

/**
 * Simplifies a program with mathjs and prints it, so that a person can read what evolution found: constants are folded, like terms
 * joined. Protected operators are printed as the plain ones, so where a denominator or the argument of a logarithm
 * reaches 0 the formula and the program differ. Decisions come out as they are, for mathjs simplifies numbers only.
 *
 * On a subpath of its own because mathjs is large.
 *
 * ```ts
 * import { simplifyProgram } from '@regimen/evolve/formulas'
 *
 * simplifyProgram({
 *   operators: ['+', '-'],
 *   variables: ['x'],
 *   codes: Int32Array.of(0, -2, 1, -2, -2),
 *   constants: new Float64Array(5),
 * }) // => 'x'
 * ```
 */
export function simplifyProgram(program: Program): string {
  const text = printProgram(program)
  if (program.codes.some((code) => code >= 0 && DECIDES.has(program.operators[code]!))) return text
  return create({ ...simplifyDependencies })
    .simplify(text)
    .toString()
}

const DECIDES = new Set(['>', '<', 'and', 'or', 'not', 'if'])
