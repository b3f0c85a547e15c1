import { createRng, createSnapshot } from '@regimen/core'
import { renderReport } from '@regimen/report'
import { describe, expect, it } from 'vitest'
import { skillsChart } from '../src/charts.ts'
import { openSkills, type SkillGraph, toGraphMl } from '../src/index.ts'
import { scaling } from '../src/skills/graph.ts'

const model = createSnapshot({ id: 'test/none', version: 1, config: {}, state: 0 })

async function library(names: readonly string[], links = 1) {
  const made = openSkills({ inputs: 1, features: 1, links, losses: async (_, { y }) => Array.from(y) })
  for (const [i, name] of names.entries()) {
    const samples = { x: [0, 0], y: [1, 3] }
    const parent = i === 0 ? {} : { parent: names[0]! }
    await made.add({ name, model, descriptor: [2 ** i], samples, metrics: { [name]: i + 0.5 }, ...parent, time: i })
  }
  return made
}

describe('the graph', () => {
  it('links each skill to its nearest, and to what it was started from', async () => {
    // Places 1, 2, 4, 8: the nearest of 2 is 1, of 4 is 2, of 8 is 4.
    const { nodes, edges } = (await library(['a', 'b', 'c', 'd'])).graph()
    const similar = edges.filter(({ kind }) => kind === 'similar')
    expect(similar.map(({ source, target, distance }) => [source, target, distance])).toEqual([
      ['a', 'b', 1],
      ['b', 'c', 2],
      ['c', 'd', 4],
    ])
    expect(similar[2]!.similarity).toBe(1 / 5)
    expect(edges.filter(({ kind }) => kind === 'started').map(({ source, target }) => [source, target])).toEqual([
      ['a', 'b'],
      ['a', 'c'],
      ['a', 'd'],
    ])
    // On a line the first axis is exact: the mean is 15 / 4, and the largest coordinate is positive.
    for (const [i, place] of [1, 2, 4, 8].entries()) {
      expect(nodes[i]!.x).toBeCloseTo(place - 3.75, 10)
      expect(nodes[i]!.y).toBeCloseTo(0, 6)
    }
    expect(nodes[1]).toMatchObject({ name: 'b', kind: 'regime', loss: 2, metrics: { b: 1.5 }, decayed: false })
  })

  it('lays points of a plane out as they lie', () => {
    const rng = createRng('plane')
    const points = Array.from({ length: 9 }, () => [rng.normal(), rng.normal()] as const)
    const distances = points.map(([a, b]) => points.map(([c, d]) => Math.hypot(a - c, b - d)))
    const made = scaling(distances)
    for (let i = 0; i < 9; i++)
      for (let j = 0; j < 9; j++)
        expect(Math.hypot(made[i]![0] - made[j]![0], made[i]![1] - made[j]![1])).toBeCloseTo(distances[i]![j]!, 9)
    expect(scaling(distances)).toEqual(made)
    expect(scaling([])).toEqual([])
    expect(scaling([[0]])).toEqual([[0, 0]])
  })

  it('is plain JSON, and a picture', async () => {
    const graph = (await library(['calm', 'panic', '<b>bold</b>'])).graph()
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph)
    const chart = skillsChart(graph)
    // Edges a–b and b–c by likeness, a–b and a–c by descent.
    expect(chart.links).toEqual([
      [0, 1],
      [1, 2],
      [0, 1],
      [0, 2],
    ])
    const html = await renderReport({ title: 'skills', sections: [{ title: 'all', blocks: [chart] }] })
    expect(html).toContain('panic')
    expect(html).not.toContain('<b>bold</b>')
  })
})

describe('GraphML', () => {
  const names = ['calm & "quiet"', "<panic> 'x'", 'line\nbreak\tand\r tab', 'Ünïcode 漢字 😀', ']]>', ' spaces ']

  it('says what the graph says, whatever the names', async () => {
    const graph = (await library(names, 2)).graph()
    expect(read(toGraphMl(graph))).toEqual(graph)
  })

  it('holds no character that XML cannot', async () => {
    const text = toGraphMl((await library(['null\u0000 bell\u0007 half\ud800 last\uffff'])).graph())
    expect(read(text).nodes[0]!.name).toBe('null\ufffd bell\ufffd half\ufffd last\ufffd')
  })
})

interface Element {
  readonly name: string
  readonly attributes: { readonly [name: string]: string }
  readonly children: Element[]
  text: string
}

/** A strict reader of the XML that a GraphML file may hold: throws on anything that is not well formed. */
function parseXml(source: string): Element {
  const plain = (text: string): string => {
    if (/[<]|&(?!(?:amp|lt|gt|quot|#\d+);)/.test(text)) throw new Error(`bare markup in ${text}`)
    if (text.includes(']]>')) throw new Error('an unescaped ]]>')
    const forbidden = Array.from(text).some((one) => {
      const code = one.codePointAt(0)!
      return (code < 0x20 && code !== 9 && code !== 10 && code !== 13) || code === 0xfffe || code === 0xffff
    })
    if (forbidden) throw new Error('a forbidden character')
    const entities: { readonly [name: string]: string } = { amp: '&', lt: '<', gt: '>', quot: '"' }
    return text.replace(/&(#?)(\w+);/g, (_, number, name) =>
      number ? String.fromCodePoint(Number(name)) : entities[name]!,
    )
  }
  const declaration = '<?xml version="1.0" encoding="UTF-8"?>'
  if (!source.startsWith(declaration)) throw new Error('no declaration')
  const root: Element = { name: '', attributes: {}, children: [], text: '' }
  const stack = [root]
  let at = declaration.length
  while (at < source.length) {
    const next = source.indexOf('<', at)
    const end = next < 0 ? source.length : next
    stack.at(-1)!.text += plain(source.slice(at, end))
    if (next < 0) break
    const tag = /^<(\/?)([A-Za-z]\w*)((?:\s+[A-Za-z][\w.]*="[^"<]*")*)\s*(\/?)>/.exec(source.slice(next))
    if (!tag) throw new Error(`no tag at ${source.slice(next, next + 40)}`)
    const [whole, closing, name, list, empty] = tag
    at = next + whole.length
    if (closing) {
      if (stack.pop()!.name !== name) throw new Error(`${name} closes something else`)
      continue
    }
    const attributes: { [name: string]: string } = {}
    for (const [, key, value] of list!.matchAll(/\s+([\w.]+)="([^"]*)"/g)) {
      if (attributes[key!] !== undefined) throw new Error(`${key} twice`)
      // As a reader normalizes them.
      attributes[key!] = plain(value!.replace(/[\t\n\r]/g, ' '))
    }
    const element = { name: name!, attributes, children: [], text: '' }
    stack.at(-1)!.children.push(element)
    if (!empty) stack.push(element)
  }
  if (stack.length !== 1 || root.children.length !== 1) throw new Error('there must be one root')
  return root.children[0]!
}

/** Reads a graph back from GraphML. */
function read(text: string): SkillGraph {
  const root = parseXml(text)
  expect(root.attributes.xmlns).toBe('http://graphml.graphdrawing.org/xmlns')
  const of = (element: Element, name: string) => element.children.filter((child) => child.name === name)
  const keys = new Map(of(root, 'key').map(({ attributes }) => [attributes.id!, attributes]))
  expect(keys.size).toBe(of(root, 'key').length)
  const fields = (element: Element): { [name: string]: string | number | boolean } =>
    Object.fromEntries(
      of(element, 'data').map((data) => {
        const key = keys.get(data.attributes.key!)!
        expect(key.for).toBe(element.name)
        const type = key['attr.type']
        const value = type === 'double' ? Number(data.text) : type === 'boolean' ? data.text === 'true' : data.text
        return [key['attr.name']!, value]
      }),
    )
  const graph = of(root, 'graph')[0]!
  const ids = new Map(of(graph, 'node').map((node) => [node.attributes.id!, fields(node)]))
  return {
    nodes: [...ids.values()].map((node) => {
      const metrics = Object.entries(node).filter(([name]) => name.startsWith('metric '))
      const rest = Object.fromEntries(Object.entries(node).filter(([name]) => !name.startsWith('metric ')))
      return {
        ...rest,
        absorbed: JSON.parse(String(node.absorbed)),
        metrics: Object.fromEntries(metrics.map(([name, value]) => [name.slice(7), value])),
      } as unknown as SkillGraph['nodes'][number]
    }),
    edges: of(graph, 'edge').map((edge) => {
      const made = fields(edge)
      expect(edge.attributes.directed).toBe(made.kind === 'similar' ? 'false' : undefined)
      const [source, target] = [ids.get(edge.attributes.source!)!.name, ids.get(edge.attributes.target!)!.name]
      return { source, target, ...made } as unknown as SkillGraph['edges'][number]
    }),
  }
}
