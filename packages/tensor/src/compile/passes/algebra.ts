import type { Graph } from '../graph.ts'
export function simplifyAlgebra(_graph: Graph): void {}
