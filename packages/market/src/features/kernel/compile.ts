import * as wasm from './assemble.ts'
import { type Expression, LANE_OPERATIONS } from './expression.ts'

/** Formulas made into machine code, with the memory that they work on. */
export interface Program {
  /** Input columns, to be filled before a run. */
  readonly inputs: readonly Float64Array[]
  /**
   * Computes the rows [from, to), and of what they look back at as much as they need. Hands over each formula's column as soon as it is
   * there; it holds only until `take` returns. Rows that look back before the first are garbage.
   */
  run(from: number, to: number, take: (formula: number, column: Float64Array) => void): void
}

interface Node {
  readonly op: Expression['op']
  readonly args: readonly number[]
  readonly data: readonly number[]
  /** Rounds of kernels that must have run before: what is read at a lag comes from an earlier one. */
  readonly level: number
}

/** One loop over the rows that writes some of the values. */
type Kernel = readonly number[]

const BYTES = 8
const PAGE = 65_536
/** Values that one kernel writes: more of them share what they read, fewer leave room in the registers. */
const WIDTH = 4
/** Locals 0 and 1 are the first and the last byte. */
const FIRST_VECTOR = 2

/**
 * Compiles formulas into WebAssembly that computes two rows at a time. Equal subexpressions are found, whatever is read at a lag gets a
 * column in memory, and what can be computed in one loop is. `table` is what `lookup` reads. Columns hold at most `capacity` rows.
 */
export function compile(
  formulas: readonly Expression[],
  inputs: number,
  capacity: number,
  table: Float64Array,
): Program {
  const nodes: Node[] = []
  const stored = new Set<number>()
  const intern = interner(nodes, stored)
  const results = formulas.map((formula) => intern(formula))
  for (const id of results) if (nodes[id]!.op !== 'input') stored.add(id)
  const kernels = schedule(nodes, stored)
  const { column, columns } = place(nodes, kernels, inputs)
  const reach = reaches(nodes, results, kernels)
  // Before the first column lies room for the longest lag, behind each one for a last odd row.
  const stride = BYTES * (capacity + (capacity % 2) + 2)
  const longest = Math.max(0, ...nodes.map((node) => (node.op === 'lag' ? node.data[0]! : 0)))
  const tableAt = BYTES * (longest + (longest % 2))
  const base = tableAt + BYTES * (table.length + (table.length % 2))
  const offset = (id: number): number => base + stride * column[id]!
  const bytes = wasm.assemble(kernels.map((kernel) => emit(nodes, kernel, stored, offset, tableAt)))
  const memory = new WebAssembly.Memory({ initial: Math.ceil((base + stride * columns) / PAGE) })
  const module = new WebAssembly.Module(bytes)
  const functions = Object.values(new WebAssembly.Instance(module, { env: { memory } }).exports) as KernelCall[]
  new Float64Array(memory.buffer, tableAt, table.length).set(table)
  const view = (at: number): Float64Array => new Float64Array(memory.buffer, at, capacity)
  const taken = (is: (id: number) => boolean): { formula: number; column: Float64Array }[] =>
    results.flatMap((id, formula) => (is(id) ? [{ formula, column: view(offset(id)) }] : []))
  const given = taken((id) => nodes[id]!.op === 'input')
  const ready = kernels.map((kernel) => taken((id) => kernel.includes(id)))
  return {
    inputs: Array.from({ length: inputs }, (_, k) => view(base + stride * k)),
    run(from, to, take) {
      for (const { formula, column } of given) take(formula, column)
      functions.forEach((call, k) => {
        const first = Math.max(0, from - reach[k]!)
        call(BYTES * (first - (first % 2)), BYTES * to)
        for (const { formula, column } of ready[k]!) take(formula, column)
      })
    },
  }
}

type KernelCall = (from: number, to: number) => void

/** Numbers formulas so that equal ones have one number, arguments before what reads them. */
function interner(nodes: Node[], stored: Set<number>): (formula: Expression) => number {
  const seen = new Map<Expression, number>()
  const byKey = new Map<string, number>()
  const levelOf = (op: Node['op'], args: readonly number[]): number => {
    const deepest = Math.max(0, ...args.map((arg) => nodes[arg]!.level))
    return op === 'lag' && nodes[args[0]!]!.op !== 'input' ? deepest + 1 : deepest
  }
  const intern = (formula: Expression): number => {
    const known = seen.get(formula)
    if (known !== undefined) return known
    const args = formula.args.map(intern)
    const key = `${formula.op} ${args} ${formula.data}`
    let id = formula.op === 'keep' ? args[0]! : byKey.get(key)
    if (id === undefined) {
      id = nodes.push({ op: formula.op, args, data: formula.data, level: levelOf(formula.op, args) }) - 1
      byKey.set(key, id)
    }
    const target = formula.op === 'keep' ? id : formula.op === 'lag' ? args[0]! : -1
    if (target >= 0 && nodes[target]!.op !== 'input' && nodes[target]!.op !== 'lag') stored.add(target)
    seen.set(formula, id)
    return id
  }
  return intern
}

/** Kernels in an order in which everything is there when it is read. */
function schedule(nodes: readonly Node[], stored: ReadonlySet<number>): Kernel[] {
  const levels: number[][] = []
  for (const id of [...stored].sort((a, b) => a - b)) {
    levels[nodes[id]!.level] ??= []
    levels[nodes[id]!.level]!.push(id)
  }
  return levels.flatMap((ids) =>
    Array.from({ length: Math.ceil(ids.length / WIDTH) }, (_, k) => ids.slice(k * WIDTH, (k + 1) * WIDTH)),
  )
}

/** Gives each stored value a column; one that no later kernel reads is handed on. */
function place(
  nodes: readonly Node[],
  kernels: readonly Kernel[],
  inputs: number,
): { column: number[]; columns: number } {
  const column: number[] = []
  nodes.forEach((node, id) => {
    if (node.op === 'input') column[id] = node.data[0]!
  })
  const lastUse: number[] = []
  const written = new Set(kernels.flat())
  kernels.forEach((kernel, k) => {
    for (const id of reads(nodes, kernel, written)) lastUse[id] = k
  })
  const free: number[] = []
  let columns = inputs
  kernels.forEach((kernel, k) => {
    for (const id of kernel) column[id] = free.pop() ?? columns++
    written.forEach((id) => {
      const last = lastUse[id] ?? kernels.findIndex((other) => other.includes(id))
      if (last === k) free.push(column[id]!)
    })
  })
  return { column, columns }
}

/** How many rows before the first wanted one each kernel must begin. */
function reaches(nodes: readonly Node[], results: readonly number[], kernels: readonly Kernel[]): number[] {
  const reach = nodes.map(() => Number.NEGATIVE_INFINITY)
  for (const id of results) reach[id] = 0
  for (let id = nodes.length - 1; id >= 0; id--) {
    const { op, args, data } = nodes[id]!
    for (const arg of args) reach[arg] = Math.max(reach[arg]!, reach[id]! + (op === 'lag' ? data[0]! : 0))
  }
  return kernels.map((kernel) => Math.max(...kernel.map((id) => reach[id]!)))
}

/** The stored values that a kernel reads from memory or from itself. */
function reads(nodes: readonly Node[], kernel: Kernel, stored: ReadonlySet<number>): Set<number> {
  const found = new Set<number>()
  const visited = new Set<number>()
  const visit = (id: number): void => {
    if (visited.has(id)) return
    visited.add(id)
    for (const arg of nodes[id]!.args) {
      if (stored.has(arg)) found.add(arg)
      else visit(arg)
    }
  }
  for (const id of kernel) visit(id)
  return found
}

function emit(
  nodes: readonly Node[],
  kernel: Kernel,
  stored: ReadonlySet<number>,
  offset: (id: number) => number,
  tableAt: number,
): wasm.KernelFunction {
  const own = new Set(kernel)
  const loaded = (id: number): boolean =>
    nodes[id]!.op === 'input' || nodes[id]!.op === 'lag' || (stored.has(id) && !own.has(id))
  const uses = countUses(nodes, kernel, loaded)
  const constants = new Map<number, number>()
  const before: wasm.Code[] = []
  let local = new Map<number, number>()
  let vectors = 0
  const fresh = (id: number, where = local): number => {
    where.set(id, FIRST_VECTOR + vectors++)
    return where.get(id)!
  }
  const value = (id: number): wasm.Code => {
    const held = local.get(id) ?? constants.get(id)
    if (held !== undefined) return wasm.get(held)
    const node = nodes[id]!
    if (node.op === 'constant') {
      const at = fresh(id, constants)
      before.push(wasm.vector(node.data[0]!, node.data[1]!), wasm.set(at))
      return wasm.get(at)
    }
    const code = loaded(id) ? load(id) : operate(node)
    return uses.get(id)! > 1 || own.has(id) ? [code, wasm.tee(fresh(id))] : code
  }
  // What is computed in one arm only is not there after it.
  const arm = (id: number): wasm.Code => {
    const outside = local
    local = new Map(outside)
    const code = value(id)
    local = outside
    return code
  }
  const load = (id: number): wasm.Code => {
    const { op, args, data } = nodes[id]!
    const at = op === 'lag' ? offset(args[0]!) - BYTES * data[0]! : offset(id)
    return [wasm.get(0), wasm.loadVector(at)]
  }
  const operate = ({ op, args, data }: Node): wasm.Code => {
    if (op === 'branch') return wasm.either(value(args[0]!), arm(args[1]!), arm(args[2]!))
    if (op === 'exponent') return [value(args[0]!), wasm.exponents()]
    if (op === 'lookup') {
      const known = local.has(args[0]!)
      const counts = value(args[0]!)
      const held = local.get(args[0]!) ?? fresh(args[0]!)
      const address = (byte: number): wasm.Code => [wasm.get(held), wasm.byteOf(byte), wasm.small(3), wasm.shiftLeft]
      // The address of the second lane lies below the vector that it fills.
      const lanes = [address(8 + data[0]!), address(data[0]!), wasm.loadFirst(tableAt), wasm.loadSecond(tableAt)]
      return known ? lanes : [counts, wasm.set(held), lanes]
    }
    return [args.map(value), wasm.simd(LANE_OPERATIONS[op as keyof typeof LANE_OPERATIONS])]
  }
  const body = kernel.map((id) => [wasm.get(0), value(id), wasm.storeVector(offset(id))])
  return { vectors, body: [before, wasm.rows(body)] }
}

function countUses(nodes: readonly Node[], kernel: Kernel, loaded: (id: number) => boolean): Map<number, number> {
  const uses = new Map<number, number>()
  const visit = (id: number): void => {
    uses.set(id, (uses.get(id) ?? 0) + 1)
    if (uses.get(id) === 1 && !loaded(id)) for (const arg of nodes[id]!.args) visit(arg)
  }
  for (const id of kernel) visit(id)
  return uses
}
