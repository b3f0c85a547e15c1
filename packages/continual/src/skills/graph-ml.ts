import type { SkillEdge, SkillGraph, SkillNode } from './graph.ts'

type Kind = 'string' | 'double' | 'boolean'
interface Field<T> {
  readonly name: string
  readonly kind: Kind
  of(item: T): string | number | boolean | undefined
}

/**
 * Writes a library's graph as GraphML 1.0, which Gephi, yEd, Cytoscape and networkx read: a directed graph whose `similar` edges say
 * that they go both ways. Names are data, not ids, so any name is written; characters that XML cannot hold become U+FFFD.
 *
 * ```ts
 * import { toGraphMl } from '@regimen/continual'
 *
 * const text = toGraphMl({ nodes: [], edges: [] })
 * text.includes('<graph id="skills" edgedefault="directed">') // => true
 * ```
 *
 * Reference: Brandes et al. 2002.
 */
export function toGraphMl(graph: SkillGraph): string {
  const metrics = [...new Set(graph.nodes.flatMap(({ metrics }) => Object.keys(metrics)))].sort()
  const nodeFields: Field<SkillNode>[] = [
    { name: 'name', kind: 'string', of: (node) => node.name },
    { name: 'kind', kind: 'string', of: (node) => node.kind },
    { name: 'x', kind: 'double', of: (node) => node.x },
    { name: 'y', kind: 'double', of: (node) => node.y },
    { name: 'added', kind: 'double', of: (node) => node.added },
    { name: 'judged', kind: 'double', of: (node) => node.judged },
    { name: 'loss', kind: 'double', of: (node) => node.loss },
    { name: 'evidence', kind: 'double', of: (node) => node.evidence },
    { name: 'decayed', kind: 'boolean', of: (node) => node.decayed },
    { name: 'absorbed', kind: 'string', of: (node) => JSON.stringify(node.absorbed) },
    ...metrics.map((name) => ({
      name: `metric ${name}`,
      kind: 'double' as const,
      of: (node: SkillNode) => node.metrics[name],
    })),
  ]
  const edgeFields: Field<SkillEdge>[] = [
    { name: 'kind', kind: 'string', of: (edge) => edge.kind },
    { name: 'distance', kind: 'double', of: (edge) => edge.distance },
    { name: 'similarity', kind: 'double', of: (edge) => edge.similarity },
  ]
  const ids = new Map(graph.nodes.map(({ name }, i) => [name, `n${i}`]))
  const key = (of: 'node' | 'edge') => (field: { name: string; kind: Kind }, i: number) =>
    `  <key id="${of}${i}" for="${of}" attr.name="${escapeXml(field.name)}" attr.type="${field.kind}"/>`
  const data = <T>(of: 'node' | 'edge', fields: readonly Field<T>[], item: T): string =>
    fields
      .map((field, i) => [i, field.of(item)] as const)
      .filter(([, value]) => value !== undefined)
      .map(([i, value]) => `<data key="${of}${i}">${escapeXml(String(value))}</data>`)
      .join('')
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
    ...nodeFields.map(key('node')),
    ...edgeFields.map(key('edge')),
    '  <graph id="skills" edgedefault="directed">',
    ...graph.nodes.map((node) => `    <node id="${ids.get(node.name)}">${data('node', nodeFields, node)}</node>`),
    ...graph.edges.map((edge) => {
      const directed = edge.kind === 'similar' ? ' directed="false"' : ''
      const ends = `source="${ids.get(edge.source)}" target="${ids.get(edge.target)}"`
      return `    <edge ${ends}${directed}>${data('edge', edgeFields, edge)}</edge>`
    }),
    '  </graph>',
    '</graphml>',
    '',
  ].join('\n')
}

const NAMED: { readonly [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escapeXml(text: string): string {
  let made = ''
  for (const character of text) {
    const code = character.codePointAt(0)!
    const whole = code >= 0x20 ? code < 0xd800 || (code > 0xdfff && code !== 0xfffe && code !== 0xffff) : false
    // A reader would turn bare tabs and line ends of an attribute into spaces.
    if (code === 9 || code === 10 || code === 13) made += `&#${code};`
    else made += whole ? (NAMED[character] ?? character) : '\ufffd'
  }
  return made
}
