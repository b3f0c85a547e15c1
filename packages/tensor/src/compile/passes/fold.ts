import type { Graph } from '../graph.ts'
export function foldConstants(_graph: Graph): void {}
