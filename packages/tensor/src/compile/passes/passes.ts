import type { Graph } from '../graph.ts'
import { simplifyAlgebra } from './algebra.ts'
import { mergeChains } from './chains.ts'
import { removeDead } from './dead.ts'
import { foldConstants } from './fold.ts'
import { addBiasInProducts } from './gemm.ts'
import { multiplyByFactors } from './low-rank.ts'
import { shareCommon } from './share.ts'
import { sumInsideProducts } from './sums.ts'

/** How many operations a pass left. */
export interface PassReport {
  readonly pass: string
  readonly nodes: number
}

type Pass = (graph: Graph) => void

const PASSES: readonly (readonly [string, Pass])[] = [
  ['dead nodes', removeDead],
  ['chains', mergeChains],
  ['common subexpressions', shareCommon],
  ['constants', foldConstants],
  ['algebra', simplifyAlgebra],
  ['low rank', multiplyByFactors],
  ['sums', sumInsideProducts],
]

/** After the rounds, because the passes above look for the plain operations that these join. */
const LAST: readonly (readonly [string, Pass])[] = [
  ['biases', addBiasInProducts],
  ['chains', mergeChains],
  ['common subexpressions', shareCommon],
  ['dead nodes', removeDead],
]

/** Later rounds find little, and large graphs should start soon. */
const LARGE = 3000

/** Runs every pass until a round changes nothing (three rounds at most), and says what each left. */
export function optimize(graph: Graph): PassReport[] {
  const reports: PassReport[] = [{ pass: 'lowered', nodes: graph.nodes.length }]
  const rounds = graph.nodes.length > LARGE ? 1 : 3
  for (let round = 0; round < rounds; round++) {
    const before = graph.nodes.length
    for (const [pass, run] of PASSES) {
      run(graph)
      reports.push({ pass, nodes: graph.nodes.length })
    }
    removeDead(graph)
    reports.push({ pass: 'dead nodes', nodes: graph.nodes.length })
    if (graph.nodes.length === before) break
  }
  for (const [pass, run] of LAST) {
    run(graph)
    reports.push({ pass, nodes: graph.nodes.length })
  }
  return reports
}
