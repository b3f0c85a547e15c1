/** Where each parameter stands in the vector. Shared parameters have the same place for every regime. */
export type SwitchingLayout = {
  readonly regimes: number
  readonly order: number
  readonly columns: number
  readonly constant: boolean
  /** Columns that drive the transitions, their constant included; 0 for constant probabilities. */
  readonly drivers: number
  readonly switchingVariance: boolean
  /** 1 for each column whose coefficient switches. */
  readonly switching: readonly number[]
  readonly names: readonly string[]
  readonly at: {
    /** (from, to) with to < regimes − 1, times drivers. */
    readonly transition: readonly number[]
    /** columns × regimes. */
    readonly beta: readonly number[]
    /** order × regimes. */
    readonly ar: readonly number[]
    readonly variance: readonly number[]
  }
}

/** Lays out: transitions (targets outer, origins inner), coefficients column by column, variances, autoregression. */
export function layoutOf(
  options: {
    regimes: number
    constant?: boolean
    switchingCoefficients?: boolean
    switchingVariance?: boolean
    order?: number
    switchingAutoregression?: boolean
  },
  columns: number,
  drivers: number,
): SwitchingLayout {
  const { regimes: k, constant = true, switchingCoefficients = true, switchingVariance = false, order = 0 } = options
  const { switchingAutoregression = false } = options
  const names: string[] = []
  const put = (name: string): number => names.push(name) - 1
  const width = Math.max(1, drivers)
  const transition = new Array<number>(k * (k - 1) * width)
  for (let m = 0; m < width; m++)
    for (let j = 0; j < k - 1; j++)
      for (let i = 0; i < k; i++)
        transition[(i * (k - 1) + j) * width + m] = put(
          drivers === 0 ? `p[${i}->${j}]` : `p[${i}->${j}].${m === 0 ? 'const' : `z${m - 1}`}`,
        )
  const beta: number[] = []
  const switching: number[] = []
  const spread = (name: string, switches: boolean, into: number[]): void => {
    const shared = switches ? -1 : put(name)
    for (let s = 0; s < k; s++) into.push(switches ? put(`${name}[${s}]`) : shared)
  }
  for (let j = 0; j < columns; j++) {
    const isConstant = constant && j === 0
    const switches = isConstant || switchingCoefficients
    switching.push(switches ? 1 : 0)
    spread(isConstant ? 'const' : `x${j - (constant ? 1 : 0)}`, switches, beta)
  }
  const variance: number[] = []
  spread('variance', switchingVariance, variance)
  const ar: number[] = []
  for (let i = 0; i < order; i++) spread(`ar${i + 1}`, switchingAutoregression, ar)
  return {
    regimes: k,
    order,
    columns,
    constant,
    drivers,
    switchingVariance,
    switching,
    names,
    at: { transition, beta, ar, variance },
  }
}

/** From free numbers to parameters: softmax rows for constant transitions, exponentials for variances. */
export function readParameters(layout: SwitchingLayout, free: Float64Array): Float64Array {
  const { regimes: k, at, drivers } = layout
  const p = free.slice()
  for (const i of new Set(at.variance)) p[i] = Math.exp(free[i]!)
  if (drivers === 0)
    for (let i = 0; i < k; i++) {
      let top = 0
      for (let j = 0; j < k - 1; j++) top = Math.max(top, free[at.transition[i * (k - 1) + j]!]!)
      let total = Math.exp(-top)
      for (let j = 0; j < k - 1; j++) total += Math.exp(free[at.transition[i * (k - 1) + j]!]! - top)
      for (let j = 0; j < k - 1; j++) {
        const slot = at.transition[i * (k - 1) + j]!
        p[slot] = Math.exp(free[slot]! - top) / total
      }
    }
  return p
}

/** The inverse of {@link readParameters}. */
export function writeParameters(layout: SwitchingLayout, p: Float64Array): Float64Array {
  const { regimes: k, at, drivers } = layout
  const free = p.slice()
  for (const i of new Set(at.variance)) free[i] = Math.log(p[i]!)
  if (drivers === 0)
    for (let i = 0; i < k; i++) {
      let rest = 1
      for (let j = 0; j < k - 1; j++) rest -= p[at.transition[i * (k - 1) + j]!]!
      for (let j = 0; j < k - 1; j++) {
        const slot = at.transition[i * (k - 1) + j]!
        free[slot] = Math.log(Math.max(p[slot]!, 1e-9) / Math.max(rest, 1e-9))
      }
    }
  return free
}
