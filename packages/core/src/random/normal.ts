/** The two draws that the samplers in this folder are built from: a 32-bit fraction in [0, 1) and 32 random bits. */
export interface BitSource {
  fraction(): number
  bits(): number
}

const BLOCKS = 128
const TAIL = 3.442619855899
const AREA = 9.91256303526217e-3

interface Ziggurat {
  /** Right edge of each block; block 0 is the base with the tail. */
  readonly edges: Float64Array
  /** Share of a block that lies under the next edge, hence under the density for certain. */
  readonly inside: Float64Array
}

let tables: Ziggurat | undefined

function buildTables(): Ziggurat {
  const density = (x: number) => Math.exp(-0.5 * x * x)
  const edges = new Float64Array(BLOCKS + 1)
  edges[0] = AREA / density(TAIL)
  edges[1] = TAIL
  for (let i = 2; i < BLOCKS; i++) {
    const previous = edges[i - 1]!
    edges[i] = Math.sqrt(-2 * Math.log(AREA / previous + density(previous)))
  }
  const inside = new Float64Array(BLOCKS)
  for (let i = 0; i < BLOCKS; i++) inside[i] = edges[i + 1]! / edges[i]!
  return { edges, inside }
}

/**
 * Draws a standard normal number by the ziggurat of 128 blocks (Marsaglia & Tsang 2000, in the form of Doornik 2005:
 * the block and the position come from separate bits). No number is kept between calls, so a generator's state stays
 * the whole state.
 */
export function drawNormal(source: BitSource): number {
  tables ??= buildTables()
  const { edges, inside } = tables
  for (;;) {
    const bits = source.bits()
    const block = bits & 127
    const position = ((bits >>> 8) + source.fraction()) * 1.1920928955078125e-7 - 1 // 56 bits on [-1, 1)
    if (Math.abs(position) < inside[block]!) return position * edges[block]!
    if (block === 0) return position < 0 ? -drawTail(source) : drawTail(source)
    const x = position * edges[block]!
    const outer = Math.exp(-0.5 * (edges[block]! ** 2 - x * x))
    const inner = Math.exp(-0.5 * (edges[block + 1]! ** 2 - x * x))
    if (inner + source.fraction() * (outer - inner) < 1) return x
  }
}

function drawTail(source: BitSource): number {
  for (;;) {
    const x = -Math.log(1 - source.fraction()) / TAIL
    const y = -Math.log(1 - source.fraction())
    if (2 * y >= x * x) return TAIL + x
  }
}
