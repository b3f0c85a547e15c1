import { check, type Direction, describe, type Rng, type Snapshot } from '@regimen/core'
import { type Engine, type EvolutionOptimizer, isBetter } from '../engine/engine.ts'
import { checkCount, checkRange } from '../engine/factory.ts'
import { openOptimizer } from '../engine/optimizer.ts'
import { operatorsNamed, type ValueType } from './operators.ts'
import { depthOf, endOf, type Grammar, grow, type Program, rowWidth, splice, toProgram, typeOf } from './tree.ts'

/** Options of {@link geneticProgramming}. */
export interface GeneticProgrammingOptions {
  /** Names of the inputs, at least one. */
  readonly variables: readonly string[]
  readonly direction: Direction
  /** @default 0 */
  readonly seed?: number | string
  /**
   * Operators by name: + - * / sin cos exp log sqrt abs neg min max, > < and or not, if.
   * @default ['+', '-', '*', '/'], for decisions also '>', '<', 'and', 'or', 'not'
   */
  readonly operators?: readonly string[]
  /**
   * What a program gives: a number, or a decision (0 or 1).
   * @default 'number'
   */
  readonly gives?: ValueType
  /**
   * Range of new constants.
   * @default [-1, 1]
   */
  readonly constants?: readonly [number, number]
  /**
   * Programs per generation, from 10.
   * @default 300
   */
  readonly populationSize?: number
  /**
   * Most nodes of a program, from 3.
   * @default 48
   */
  readonly maxNodes?: number
  /**
   * Most levels of a program, from 2.
   * @default 9
   */
  readonly maxDepth?: number
  /**
   * What a node costs, in units of the objective: small programs win ties, and more, from 0.
   * @default 0 (a smaller program wins only a tie)
   */
  readonly parsimony?: number
  /**
   * Programs that meet in a tournament, from 2.
   * @default 5
   */
  readonly tournamentSize?: number
}

/** Opens {@link geneticProgramming}. */
export interface GeneticProgrammingFactory {
  readonly id: string
  readonly version: number
  open(from: GeneticProgrammingOptions | Snapshot): EvolutionOptimizer<Program>
}

const ELITES = 2
const PROBES = 8

/**
 * Evolves expressions: formulas of numbers, or rules that decide. Trees are typed, so that a comparison never ends up where a number
 * belongs; they lie in flat rows, grow by ramped half-and-half, and are changed by crossing subtrees, replacing subtrees,
 * nudging constants and changing single operators. A child that computes the same as its parent on random inputs (a
 * semantic check) is changed again, and small programs are preferred (`parsimony`).
 *
 * For formulas and trading rules that a person can read: run the point with `compileProgram`, print it with `printProgram`, simplify
 * it with `simplifyProgram` of `@regimen/evolve/formulas`. For numbers in a fixed formula take `cmaEs`.
 *
 * ```ts
 * import { compileProgram, geneticProgramming } from '@regimen/evolve'
 *
 * const optimizer = geneticProgramming.open({ variables: ['x'], direction: 'minimize', populationSize: 100, seed: 1 })
 * while ((optimizer.best?.value ?? 1) > 1e-9 && optimizer.generations < 50) {
 *   const asked = optimizer.ask()
 *   optimizer.tell(
 *     asked.map(({ id, point }) => {
 *       const f = compileProgram(point)
 *       return { id, value: [-1, 0, 1, 2].reduce((sum, x) => sum + Math.abs(f([x]) - (x * x + x)), 0) }
 *     }),
 *   )
 * }
 * optimizer.best!.value // ≈ 0.000
 * ```
 *
 * Reference: J. Koza, "Genetic programming", 1992; D. Montana, "Strongly typed genetic programming", 1995.
 */
export const geneticProgramming: GeneticProgrammingFactory = {
  id: 'evolve/genetic-programming',
  version: 1,
  open(from) {
    const { id, version } = geneticProgramming
    return openOptimizer<GeneticProgrammingOptions, Program, Engine<Program>>(
      id,
      version,
      from,
      createEngine,
    ) as EvolutionOptimizer<Program>
  },
}

function createEngine(options: GeneticProgrammingOptions, rng: Rng): Engine<Program> {
  const { id } = geneticProgramming
  const { variables, gives = 'number', constants = [-1, 1] } = options
  check(
    Array.isArray(variables) && variables.length > 0 && variables.every((name) => /^[A-Za-z_]\w*$/.test(name)),
    id,
    () => `variables must be names, at least one, got ${describe(variables)}.`,
  )
  check(
    gives === 'number' || gives === 'boolean',
    id,
    () => `gives must be 'number' or 'boolean', got ${describe(gives)}.`,
  )
  check(constants[0] < constants[1], id, () => `constants must be a range, got ${describe(constants)}.`)
  const numeric = ['+', '-', '*', '/']
  const names = options.operators ?? (gives === 'number' ? numeric : [...numeric, '>', '<', 'and', 'or', 'not'])
  const operators = operatorsNamed(names, id)
  check(
    gives === 'number' || operators.some((one) => one.gives === 'boolean' && one.takes.every((t) => t === 'number')),
    id,
    () => `decisions need a comparison among the operators, got ${describe(names)}.`,
    "Add '>' or '<'.",
  )
  const size = checkCount(id, 'populationSize', options.populationSize ?? 300, 10)
  const grammar: Grammar = {
    operators,
    variables: variables.length,
    gives,
    constants,
    maxNodes: checkCount(id, 'maxNodes', options.maxNodes ?? 48, 3, 10_000),
    maxDepth: checkCount(id, 'maxDepth', options.maxDepth ?? 9, 2, 100),
  }
  const parsimony = checkRange(id, 'parsimony', options.parsimony ?? 0, 0, 1e100)
  const tournament = checkCount(id, 'tournamentSize', options.tournamentSize ?? 5, 2)
  const width = rowWidth(grammar)
  const s = {
    filled: false,
    slot: 0,
    rows: new Float64Array(size * width),
    values: new Float64Array(size),
    violations: new Float64Array(size),
  }
  const child = new Float64Array(width)
  const scratch = new Float64Array(width)
  // The semantic check's inputs: any will do, as long as they are always the same.
  const probes = Array.from({ length: PROBES }, (_, p) =>
    Float64Array.from(variables, (_name, v) => Math.sin(12.9898 * (p + 1) + 78.233 * (v + 1)) * 2),
  )

  const cost = (i: number): number => s.values[i]! + parsimony * s.rows[i * width]!
  const beats = (a: number, b: number): boolean => {
    if (isBetter(s.violations[a]!, cost(a), s.violations[b]!, cost(b))) return true
    if (isBetter(s.violations[b]!, cost(b), s.violations[a]!, cost(a))) return false
    return s.rows[a * width]! < s.rows[b * width]!
  }
  const select = (): Float64Array => {
    let best = rng.int(0, size)
    for (let k = 1; k < tournament; k++) {
      const other = rng.int(0, size)
      if (beats(other, best)) best = other
    }
    return s.rows.subarray(best * width, (best + 1) * width)
  }
  const fresh = (type: ValueType, depth: number, full: boolean, out: Float64Array): void => {
    // A tree that does not fit is tried again a level lower; a leaf always fits.
    for (let levels = depth; ; levels = Math.max(1, levels - 1)) {
      out.fill(0)
      if (grow(grammar, rng, out, type, levels, full)) return
    }
  }
  /** A node of the type, or any; inner nodes nine times out of ten. */
  const pick = (row: Float64Array, type?: ValueType): number => {
    const inner: number[] = []
    const all: number[] = []
    for (let i = 0; i < row[0]!; i++) {
      const code = row[1 + i]!
      if (type !== undefined && typeOf(grammar, code) !== type) continue
      all.push(i)
      if (code >= 0) inner.push(i)
    }
    const list = inner.length > 0 && rng.uniform() < 0.9 ? inner : all
    return list.length === 0 ? -1 : list[rng.int(0, list.length)]!
  }

  const vary = (parent: Float64Array): void => {
    const kind = rng.uniform()
    if (kind < 0.75) {
      const other = select()
      const at = pick(parent)
      const from = pick(other, typeOf(grammar, parent[1 + at]!))
      if (from >= 0 && replace(parent, at, other, from)) return
    } else if (kind < 0.87) {
      const at = pick(parent)
      fresh(typeOf(grammar, parent[1 + at]!), 1 + rng.int(1, 4), false, scratch)
      if (replace(parent, at, scratch, 0)) return
    } else if (kind < 0.95) {
      child.set(parent)
      for (let i = 0; i < child[0]!; i++)
        if (child[1 + i] === -1) child[1 + grammar.maxNodes + i]! += rng.normal(0, 0.1 * (constants[1] - constants[0]))
      return
    }
    child.set(parent)
    const at = pick(child)
    const code = child[1 + at]!
    if (code < 0) child[1 + at] = -2 - rng.int(0, grammar.variables)
    else {
      const { takes, gives: type } = operators[code]!
      const same = operators.flatMap((one, k) => (one.gives === type && String(one.takes) === String(takes) ? [k] : []))
      child[1 + at] = same[rng.int(0, same.length)]!
    }
  }
  const replace = (parent: Float64Array, at: number, other: Float64Array, from: number): boolean =>
    splice(grammar, parent, at, endOf(grammar, parent, at), other, from, endOf(grammar, other, from), child) &&
    depthOf(grammar, child) <= grammar.maxDepth

  const stack = new Float64Array(grammar.maxNodes + 3)
  const evaluate = (row: Float64Array, values: Float64Array): number => {
    let top = 0
    for (let i = row[0]! - 1; i >= 0; i--) {
      const code = row[1 + i]!
      if (code === -1) stack[top++] = row[1 + grammar.maxNodes + i]!
      else if (code < 0) stack[top++] = values[-2 - code]!
      else {
        const { takes, apply } = operators[code]!
        const result = apply(
          stack[top - 1]!,
          takes.length > 1 ? stack[top - 2]! : 0,
          takes.length > 2 ? stack[top - 3]! : 0,
        )
        top -= takes.length
        stack[top++] = result
      }
    }
    return stack[0]!
  }
  const sameMeaning = (a: Float64Array, b: Float64Array): boolean =>
    probes.every((x) => evaluate(a, x) === evaluate(b, x))

  return {
    width,
    size,
    stopped: undefined,
    state: s,
    decode: (rows, at) => toProgram(grammar, variables, rows, at),
    propose(rows, at) {
      const slot = s.slot
      s.slot = (slot + 1) % size
      if (!s.filled) fresh(gives, Math.min(grammar.maxDepth, 2 + (slot % 5)), slot % 2 === 0, child)
      else {
        for (let attempt = 0; attempt < 3; attempt++) {
          const parent = select()
          vary(parent)
          if (!sameMeaning(child, parent)) break
        }
      }
      rows.set(child, at)
    },
    learn(batch) {
      if (s.filled) {
        // The elite takes the places of the worst children.
        const elite = Array.from({ length: size }, (_, i) => i)
          .sort((a, b) => (beats(a, b) ? -1 : beats(b, a) ? 1 : a - b))
          .slice(0, ELITES)
          .map((i) => ({
            row: s.rows.slice(i * width, (i + 1) * width),
            value: s.values[i]!,
            violation: s.violations[i]!,
          }))
        write()
        const worst = Array.from({ length: size }, (_, i) => i)
          .sort((a, b) => (beats(a, b) ? 1 : beats(b, a) ? -1 : b - a))
          .slice(0, ELITES)
        elite.forEach(({ row, value, violation }, k) => {
          s.rows.set(row, worst[k]! * width)
          s.values[worst[k]!] = value
          s.violations[worst[k]!] = violation
        })
      } else write()
      s.filled = true
      function write(): void {
        s.rows.set(batch.rows)
        s.values.set(batch.values)
        s.violations.set(batch.violations)
      }
    },
  }
}
