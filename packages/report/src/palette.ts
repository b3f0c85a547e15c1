/** Every colour of a report by token: [light, dark]. Series hues follow Okabe and Ito, darkened or lightened for contrast. */
export const TOKENS: { readonly [token: string]: readonly [light: string, dark: string] } = {
  page: ['#f5f6f8', '#0e1116'],
  surface: ['#ffffff', '#161b22'],
  raised: ['#f0f2f5', '#1f2630'],
  ink: ['#1a2029', '#e6eaf0'],
  muted: ['#5a6573', '#9aa6b5'],
  rule: ['#dde1e7', '#2c3541'],
  grid: ['#e9ecf0', '#242c37'],
  focus: ['#0b62c4', '#6cb2ff'],
  good: ['#00765c', '#3ccfa7'],
  bad: ['#b8470b', '#ff9152'],
  c0: ['#0067b1', '#57adf7'],
  c1: ['#cf5a0c', '#ff8f45'],
  c2: ['#008567', '#34c9a3'],
  c3: ['#a84a8c', '#e490cb'],
  c4: ['#a87900', '#efc14d'],
  c5: ['#2f8fbf', '#93d5f5'],
  c6: ['#6656cc', '#ab9fff'],
  c7: ['#65707d', '#a3aebb'],
  up: ['#00806a', '#35c5a5'],
  down: ['#cf5a0c', '#ff8f45'],
  bull: ['#1f7fc8', '#4fa6ee'],
  bullLow: ['#6fb3e6', '#8ac6f7'],
  bullHigh: ['#0a4f8f', '#2a78c4'],
  bear: ['#d9692a', '#f08749'],
  bearLow: ['#f0a572', '#f7b78c'],
  bearHigh: ['#9c3a06', '#c95d1f'],
  side: ['#8f8a75', '#a39e8a'],
  sideLow: ['#c2bda6', '#c9c4b1'],
  sideHigh: ['#635e4a', '#7d7865'],
}

const SERIES = 8
/** Hues of events, in an order that starts where series do not. */
const EVENTS = ['@c6', '@c4', '@c5', '@c3', '@c7', '@c0']

/** A colour token given as `@name`, or a colour of the user's own as `#rrggbb`. */
export type Color = string

/**
 * Hands out colours so that one label has one colour in the whole report: market regimes have fixed ones, everything
 * else takes the next hue in the order in which it first appears.
 */
export class Palette {
  readonly #given = new Map<string, number>()
  readonly #events = new Map<string, number>()

  of(label: string): Color {
    return regimeColor(label) ?? `@c${this.index(label) % SERIES}`
  }

  /** Order of first appearance; beyond the eighth label, hues repeat and dashes tell lines apart. */
  index(label: string): number {
    let index = this.#given.get(label)
    if (index === undefined) {
      index = this.#given.size
      this.#given.set(label, index)
    }
    return index
  }

  /** Kinds of events: promotions are good, rollbacks are not, others in order of first appearance. */
  event(kind: string): Color {
    if (/^promot/i.test(kind)) return '@good'
    if (/^roll(ed)?[ -]?back/i.test(kind)) return '@bad'
    return EVENTS[this.eventIndex(kind) % EVENTS.length] as Color
  }

  eventIndex(kind: string): number {
    const index = this.#events.get(kind) ?? this.#events.size
    this.#events.set(kind, index)
    return index
  }
}

/**
 * Names the fixed colour token of a market regime from its label (bull, bear or sideways, optionally with low or high
 * volatility, in any spelling such as `bull-low`, `Bear / high vol`), or `undefined` when the label is something else.
 * Blue rises, orange falls, grey goes sideways; pale is calm, dark is volatile, so the six stay apart for colour-blind
 * readers and in print. Every chart of a report uses it for ribbons and series of that name.
 *
 * ```ts
 * import { regimeColor } from '@regimen/report'
 *
 * regimeColor('Bear / high volatility') // => '@bearHigh'
 * regimeColor('bull') // => '@bull'
 * regimeColor('momentum') // => undefined
 * ```
 */
export function regimeColor(label: string): Color | undefined {
  const words = label.toLowerCase().split(/[^a-z]+|(?<=bull|bear|side|sideways)(?=low|high)/)
  const side = words.includes('bull')
    ? 'bull'
    : words.includes('bear')
      ? 'bear'
      : words.some((word) => word === 'sideways' || word === 'side' || word === 'flat')
        ? 'side'
        : undefined
  if (side === undefined) return undefined
  const high = words.some((word) => word === 'high' || word === 'volatile')
  const low = words.some((word) => word === 'low' || word === 'calm' || word === 'quiet')
  return `@${side}${high ? 'High' : low ? 'Low' : ''}`
}

/** A colour as CSS: tokens become variables that follow the theme. */
export function cssColor(color: Color): string {
  return color.startsWith('@') ? `var(--${color.slice(1)})` : color
}

export function isColor(value: unknown): value is Color {
  if (typeof value !== 'string') return false
  return value.startsWith('@') ? Object.hasOwn(TOKENS, value.slice(1)) : /^#[0-9a-fA-F]{6}$/.test(value)
}
