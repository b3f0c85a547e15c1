import { check, describe } from '@regimen/core'

/** What an expression gives: a number, or a decision. */
export type ValueType = 'number' | 'boolean'

/** A function of an expression tree. Booleans are 0 and 1 inside. */
export interface Operator {
  /** Name in a printed formula. */
  readonly name: string
  readonly takes: readonly ValueType[]
  readonly gives: ValueType
  /** Whether it is printed between its two arguments. */
  readonly infix?: boolean
  readonly apply: (a: number, b: number, c: number) => number
}

const N: ValueType = 'number'
const B: ValueType = 'boolean'

const unary = (name: string, apply: (a: number) => number): Operator => ({ name, takes: [N], gives: N, apply })
const infix = (
  name: string,
  takes: ValueType,
  gives: ValueType,
  apply: (a: number, b: number) => number,
): Operator => ({
  name,
  takes: [takes, takes],
  gives,
  infix: true,
  apply,
})

/** Division, root and logarithm are protected: where they are undefined they give 1, |·| or 0 instead of NaN. */
const TABLE: readonly Operator[] = [
  infix('+', N, N, (a, b) => a + b),
  infix('-', N, N, (a, b) => a - b),
  infix('*', N, N, (a, b) => a * b),
  infix('/', N, N, (a, b) => (Math.abs(b) < 1e-9 ? 1 : a / b)),
  unary('sin', Math.sin),
  unary('cos', Math.cos),
  unary('exp', (a) => Math.exp(Math.min(a, 50))),
  unary('log', (a) => (Math.abs(a) < 1e-9 ? 0 : Math.log(Math.abs(a)))),
  unary('sqrt', (a) => Math.sqrt(Math.abs(a))),
  unary('abs', Math.abs),
  unary('neg', (a) => -a),
  { name: 'min', takes: [N, N], gives: N, apply: (a, b) => Math.min(a, b) },
  { name: 'max', takes: [N, N], gives: N, apply: (a, b) => Math.max(a, b) },
  infix('>', N, B, (a, b) => (a > b ? 1 : 0)),
  infix('<', N, B, (a, b) => (a < b ? 1 : 0)),
  infix('and', B, B, (a, b) => a * b),
  infix('or', B, B, (a, b) => Math.max(a, b)),
  { name: 'not', takes: [B], gives: B, apply: (a) => 1 - a },
  { name: 'if', takes: [B, N, N], gives: N, apply: (a, b, c) => (a === 1 ? b : c) },
]

/** Finds the operators by their names. */
export function operatorsNamed(names: readonly string[], where: string): Operator[] {
  return names.map((name) => {
    const found = TABLE.find((one) => one.name === name)
    check(
      found !== undefined,
      where,
      () => `there is no operator ${describe(name)}.`,
      `Use some of ${TABLE.map((one) => one.name).join(', ')}.`,
    )
    return found
  })
}
