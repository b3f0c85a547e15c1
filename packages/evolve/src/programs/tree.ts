import type { Rng } from '@regimen/core'
import { type Operator, operatorsNamed, type ValueType } from './operators.ts'

/** An expression as data, in prefix order: `codes` are operators (by their place in `operators`), variables or constants. */
export type Program = {
  readonly operators: readonly string[]
  readonly variables: readonly string[]
  /** k ≥ 0: operator k; −1: the constant at this place; −2 − v: variable v. */
  readonly codes: Int32Array
  /** Values of the constants, 0 elsewhere. */
  readonly constants: Float64Array
}

/** What trees are built from. */
export interface Grammar {
  readonly operators: readonly Operator[]
  readonly variables: number
  readonly gives: ValueType
  readonly constants: readonly [number, number]
  readonly maxNodes: number
  readonly maxDepth: number
}

// A tree in a row: its length, then codes, then constants.
const CODES = 1

/** Numbers in a row. */
export function rowWidth(grammar: Grammar): number {
  return 1 + 2 * grammar.maxNodes
}

/** Where the subtree that begins at `start` ends. */
export function endOf(grammar: Grammar, row: Float64Array, start: number): number {
  let open = 1
  let at = start
  while (open > 0) {
    const code = row[CODES + at++]!
    open += (code >= 0 ? grammar.operators[code]!.takes.length : 0) - 1
  }
  return at
}

/** What the node gives. */
export function typeOf(grammar: Grammar, code: number): ValueType {
  return code >= 0 ? grammar.operators[code]!.gives : 'number'
}

/** Levels of a tree. */
export function depthOf(grammar: Grammar, row: Float64Array): number {
  const open: number[] = []
  let deepest = 0
  for (let i = 0; i < row[0]!; i++) {
    deepest = Math.max(deepest, open.length + 1)
    const code = row[CODES + i]!
    if (code >= 0) open.push(grammar.operators[code]!.takes.length)
    else {
      while (open.length > 0 && --open[open.length - 1]! === 0) open.pop()
    }
  }
  return deepest
}

/** Appends a random subtree of the type; false when it did not fit. */
export function grow(
  grammar: Grammar,
  rng: Rng,
  row: Float64Array,
  type: ValueType,
  depth: number,
  full: boolean,
): boolean {
  const at = row[0]!
  if (at >= grammar.maxNodes) return false
  const fitting: number[] = []
  grammar.operators.forEach((one, k) => {
    if (one.gives === type) fitting.push(k)
  })
  // A decision has no leaf: it ends in a comparison of leaves.
  const leaf = type === 'number' && (depth <= 1 || fitting.length === 0 || (!full && rng.uniform() < 0.3))
  if (leaf) {
    row[0] = at + 1
    if (rng.uniform() < 0.3) {
      row[CODES + at] = -1
      row[CODES + grammar.maxNodes + at] = rng.uniform(grammar.constants[0], grammar.constants[1])
    } else row[CODES + at] = -2 - rng.int(0, grammar.variables)
    return true
  }
  const shallow = depth <= 2 ? fitting.filter((k) => grammar.operators[k]!.takes.every((t) => t === 'number')) : fitting
  const choices = shallow.length > 0 ? shallow : fitting
  const code = choices[rng.int(0, choices.length)]!
  row[0] = at + 1
  row[CODES + at] = code
  for (const argument of grammar.operators[code]!.takes) {
    if (!grow(grammar, rng, row, argument, depth - 1, full)) return false
  }
  return true
}

/** child ← a with its part [from, to) replaced by b's part [start, end); false when it would be too long. */
export function splice(
  grammar: Grammar,
  a: Float64Array,
  from: number,
  to: number,
  b: Float64Array,
  start: number,
  end: number,
  child: Float64Array,
): boolean {
  const length = a[0]! - (to - from) + (end - start)
  if (length > grammar.maxNodes) return false
  child.fill(0)
  child[0] = length
  for (const base of [CODES, CODES + grammar.maxNodes]) {
    child.set(a.subarray(base, base + from), base)
    child.set(b.subarray(base + start, base + end), base + from)
    child.set(a.subarray(base + to, base + a[0]!), base + from + end - start)
  }
  return true
}

/** The row as a program. */
export function toProgram(grammar: Grammar, variables: readonly string[], rows: Float64Array, at: number): Program {
  const length = rows[at]!
  const constants = at + CODES + grammar.maxNodes
  return {
    operators: grammar.operators.map((one) => one.name),
    variables,
    codes: Int32Array.from(rows.subarray(at + CODES, at + CODES + length)),
    constants: rows.slice(constants, constants + length),
  }
}

/**
 * Compiles a program into a function of its variables' values, in the order of `program.variables`. It runs from the last
 * node to the first over a preallocated stack and allocates nothing; decisions come out as 0 or 1.
 *
 * ```ts
 * import { compileProgram } from '@regimen/evolve'
 *
 * const run = compileProgram({
 *   operators: ['+', '*'],
 *   variables: ['x'],
 *   codes: Int32Array.of(0, 1, -2, -2, -1),
 *   constants: Float64Array.of(0, 0, 0, 0, 3),
 * })
 * run([2]) // => 7
 * ```
 */
export function compileProgram(program: Program): (values: ArrayLike<number>) => number {
  const operators = operatorsNamed(program.operators, 'evolve/program')
  const { codes, constants } = program
  const stack = new Float64Array(codes.length + 3)
  const arity = Int32Array.from(operators, (one) => one.takes.length)
  const apply = operators.map((one) => one.apply)
  return (values) => {
    let top = 0
    for (let i = codes.length - 1; i >= 0; i--) {
      const code = codes[i]!
      if (code === -1) stack[top++] = constants[i]!
      else if (code < 0) stack[top++] = values[-2 - code]!
      else {
        // The first argument lies on top, for the program is read backwards.
        const a = stack[top - 1]!
        const count = arity[code]!
        const b = count > 1 ? stack[top - 2]! : 0
        const c = count > 2 ? stack[top - 3]! : 0
        top -= count
        stack[top++] = apply[code]!(a, b, c)
      }
    }
    return stack[0]!
  }
}

/**
 * Prints a program as a formula that people and mathjs can read. For a simplified one see `simplifyProgram` of
 * `@regimen/evolve/formulas`.
 *
 * ```ts
 * import { printProgram } from '@regimen/evolve'
 *
 * printProgram({
 *   operators: ['+', '*'],
 *   variables: ['x'],
 *   codes: Int32Array.of(0, 1, -2, -2, -1),
 *   constants: Float64Array.of(0, 0, 0, 0, 3),
 * }) // => '((x * x) + 3)'
 * ```
 */
export function printProgram(program: Program): string {
  const operators = operatorsNamed(program.operators, 'evolve/program')
  const { codes, constants, variables } = program
  let at = 0
  const next = (): string => {
    const i = at++
    const code = codes[i]!
    if (code === -1) return String(Number(constants[i]!.toPrecision(6)))
    if (code < 0) return variables[-2 - code]!
    const { name, takes, infix } = operators[code]!
    const parts = takes.map(next)
    if (infix) return `(${parts[0]} ${name} ${parts[1]})`
    if (name === 'neg') return `(-${parts[0]})`
    if (name === 'if') return `(${parts[0]} ? ${parts[1]} : ${parts[2]})`
    return `${name}(${parts.join(', ')})`
  }
  return next()
}
