import { listPackages, type Package, publicPackages } from './workspace.ts'

/** One thing that is wrong, and where. */
export interface Problem {
  /** Relative to the root. */
  readonly file?: string
  readonly line?: number
  readonly message: string
}

export interface Verdict {
  /** How many single checks held. */
  readonly passed: number
  readonly problems: readonly Problem[]
  /** Said in the summary, for example why a part was skipped. */
  readonly note?: string
}

export interface GateContext {
  readonly root: string
  /** Only this package (its folder's name), where one is given. */
  readonly package?: string
  /** Only this algorithm: the name of a file or folder in the package's `src`. */
  readonly algorithm?: string
  /** Rewrite what is recorded instead of comparing with it. */
  readonly update: boolean
  /** Run the long parts too. */
  readonly full: boolean
}

export interface Gate {
  readonly name: string
  readonly description: string
  /** Runs for a single package too; otherwise only with everything. */
  readonly scoped: boolean
  /** Uses every core by itself, or measures time: no other gate runs beside it. */
  readonly alone?: boolean
  run(context: GateContext): Promise<Verdict>
}

/** Published packages within the context's scope. */
export function packagesInScope(context: GateContext): Package[] {
  return publicPackages(context.root).filter((item) => !context.package || item.short === context.package)
}

/** All packages within the context's scope, private ones included. */
export function allInScope(context: GateContext): Package[] {
  return listPackages(context.root).filter((item) => !context.package || item.short === context.package)
}

/** True where a source or test file (relative, forward slashes) belongs to the context's algorithm. */
export function ofAlgorithm(context: GateContext, file: string): boolean {
  const { algorithm } = context
  return (
    !algorithm || file.split('/').some((part) => part === algorithm || part.replace(/(\.test)?\.ts$/, '') === algorithm)
  )
}

/** `file:line message`. */
export function format(problem: Problem): string {
  const place = problem.file === undefined ? '' : `${problem.file}${problem.line ? `:${problem.line}` : ''} `
  return `${place}${problem.message}`
}
