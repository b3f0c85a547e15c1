import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  type Block,
  barChart,
  candleChart,
  dataTable,
  heatMap,
  histogram,
  lineChart,
  parallelCoordinates,
  prose,
  renderReport,
  ribbonChart,
  scatterChart,
  stack,
} from '../src/index.ts'
import { demoReport } from './demo.ts'

interface Payload {
  figures: {
    data: Record<string, unknown>[]
    layout: Record<string, unknown>
    legend: { name: string; color: string }[]
  }[]
  tables: { rows: string[][]; keys: (number[] | null)[]; best: [number, number][] }[]
}

const render = (...blocks: Block[]): Promise<string> =>
  renderReport({ title: 't', plotly: '/* plotly */', sections: [{ title: 's', blocks }] })

const payloadOf = (html: string): Payload =>
  JSON.parse(/<script type="application\/json" id="payload">(.*?)<\/script>/s.exec(html)?.[1] ?? '')

const domainOf = (axis: unknown): [number, number] => (axis as { domain: [number, number] }).domain

describe('renderReport', () => {
  test('is one self-contained document that inlines Plotly only when a chart needs it', async () => {
    const html = await renderReport({
      title: 't',
      sections: [{ title: 's', blocks: [lineChart({ title: 'l', series: [{ name: 'a', y: [1] }] })] }],
    })
    expect(html).toContain('plotly.js (basic - minified)')
    expect(html.length).toBeGreaterThan(1e6)
    expect(html).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)="(?!data:,)/)
    expect((await render(prose('x'))).length).toBeLessThan(40_000)
  })

  test('the same input gives the same bytes', async () => {
    const hash = async (): Promise<string> =>
      createHash('sha256')
        .update(await renderReport(demoReport(300)))
        .digest('hex')
    expect(await hash()).toBe(await hash())
  })

  test('hostile text stays text everywhere', async () => {
    const evil = '</script><script>alert(1)</script><b>%{x}\u2028"\'&lt;'
    const html = await renderReport({
      title: evil,
      subtitle: evil,
      footer: evil,
      plotly: '',
      sections: [
        {
          title: evil,
          intro: `${evil} [x](javascript:alert)`,
          blocks: [
            lineChart({
              title: evil,
              description: evil,
              series: [{ name: evil, y: [1] }],
              events: [{ at: 0, label: evil, kind: evil, detail: evil }],
            }),
            heatMap({ title: evil, rows: [evil], columns: [evil], values: [1] }),
            dataTable({ title: evil, columns: [{ name: evil }], rows: [[evil]] }),
            barChart({ title: evil, categories: [evil], series: [{ name: evil, values: [1] }] }),
            ribbonChart({ title: evil, labels: [evil] }),
          ],
        },
      ],
    })
    expect(html).not.toContain('<script>alert')
    expect(html).not.toContain('href="javascript')
    expect(html.match(/<\/script>/g)).toHaveLength(3)
    const { figures } = payloadOf(html)
    expect(JSON.stringify(figures[0]?.data)).not.toMatch(/<b>%\{x\}/)
    expect(JSON.stringify(figures[1]?.layout)).not.toContain('<script>')
  })

  test('a custom Plotly that would end its element is refused, and so is an unknown block', async () => {
    const blocks = [lineChart({ title: 'l', series: [{ name: 'a', y: [1] }] })]
    await expect(
      renderReport({ title: 't', plotly: '"</script>"', sections: [{ title: 's', blocks }] }),
    ).rejects.toThrow('[report/render] the given Plotly source contains </script')
    await expect(render(JSON.parse('{"kind":"pie"}'))).rejects.toThrow(
      '[report/render] there is no block of kind "pie".',
    )
  })
})

describe('drawing', () => {
  test('gaps become null and seven digits are kept', async () => {
    const y = new Float64Array([1 / 3, Number.NaN, Number.POSITIVE_INFINITY, 1_600_000_000_123])
    const [figure] = payloadOf(await render(lineChart({ title: 'l', series: [{ name: 'a', y }] }))).figures
    expect(figure?.data[0]?.y).toEqual([0.3333333, null, null, 1_600_000_000_123])
  })

  test('60,000 points are thinned to 4,000 with their extremes', async () => {
    const y = Float64Array.from({ length: 60_000 }, (_, i) => Math.sin(i / 900))
    y[12_345] = 9
    const [figure] = payloadOf(await render(lineChart({ title: 'l', series: [{ name: 'a', y }] }))).figures
    const drawn = figure?.data[0]?.y as number[]
    expect(drawn.length).toBeLessThanOrEqual(4000)
    expect(drawn).toContain(9)
  })

  // Four bars into two: (open 1, close 4, high max(2, 5), low min(0, 3)) and (open 4, close 2, high 6, low 1).
  test('candles merge by first open, highest high, lowest low and last close', async () => {
    const chart = candleChart({
      title: 'c',
      open: [1, 2, 4, 3],
      high: [2, 5, 6, 4],
      low: [0.5, 2, 3, 1],
      close: [2, 4, 3, 2],
      sampling: { maxPoints: 4 },
    })
    const merged = { ...chart, sampling: { maxPoints: 2 } }
    const [figure] = payloadOf(await render(merged)).figures
    const hover = figure?.data.at(-1)
    expect(hover?.customdata).toEqual([
      [1, 5, 0.5],
      [4, 6, 1],
    ])
    expect(hover?.y).toEqual([4, 2])
  })

  // Band finite on points 0–1 and 3: two outlines, lower bound forth and upper bound back, with a gap between.
  test('a band with a gap is two outlines', async () => {
    const nan = Number.NaN
    const bands = [{ low: [0, 1, nan, 3], high: [2, 3, nan, 5] }]
    const [figure] = payloadOf(
      await render(lineChart({ title: 'l', series: [{ name: 'a', y: [1, 2, nan, 4], bands }] })),
    ).figures
    expect(figure?.data[0]?.x).toEqual([0, 1, 1, 0, null, 3, 3])
    expect(figure?.data[0]?.y).toEqual([0, 1, 3, 2, null, 3, 5])
  })

  test('a ribbon joins equal labels into one path per name', async () => {
    const chart = ribbonChart({ title: 'r', labels: [0, 0, 1, 0], names: ['bull', 'bear'] })
    const [figure] = payloadOf(await render(chart)).figures
    const shapes = figure?.layout.shapes as { path: string; fillcolor: string }[]
    expect(shapes.map(({ path }) => path)).toEqual(['M0,0L2,0L2,1L0,1ZM3,0L4,0L4,1L3,1Z', 'M2,0L3,0L3,1L2,1Z'])
    expect(shapes.map(({ fillcolor }) => fillcolor)).toEqual(['@bull/0.95', '@bear/0.95'])
  })

  test('stacked panels share x, do not overlap, and one name is one legend entry and one colour', async () => {
    const line = (title: string) => lineChart({ title, series: [{ name: 'adaptive', y: [1, 2] }] })
    const html = await render(stack({ title: 's', panels: [line('a'), line('b')] }), line('c'))
    const [figure, other] = payloadOf(html).figures
    expect(figure?.data.map((trace) => [trace.xaxis, trace.yaxis])).toEqual([
      ['x', 'y'],
      ['x', 'y2'],
    ])
    const top = domainOf(figure?.layout.yaxis)
    const bottom = domainOf(figure?.layout.yaxis2)
    expect(top[0]).toBeGreaterThan(bottom[1])
    expect(bottom[0]).toBeCloseTo(0, 12)
    expect(figure?.legend).toHaveLength(1)
    expect(figure?.legend[0]?.color).toBe(other?.legend[0]?.color)
  })

  // Values 0, 1, 2, 3, 10 in two bins of width 5: [0, 5) holds four, [5, 10] one.
  test('histogram counts, by hand', async () => {
    const chart = histogram({ title: 'h', bins: 2, series: [{ name: 'a', values: [0, 1, 2, 3, 10, Number.NaN] }] })
    const [figure] = payloadOf(await render(chart)).figures
    expect(figure?.data[0]?.x).toEqual([2.5, 7.5])
    expect(figure?.data[0]?.y).toEqual([4, 1])
  })

  test('stacked bars start where the bars below end, negatives downwards', async () => {
    const chart = barChart({
      title: 'b',
      mode: 'stacked',
      categories: ['x', 'y'],
      series: [
        { name: 'a', values: [1, -2] },
        { name: 'b', values: [3, -1] },
      ],
    })
    const [figure] = payloadOf(await render(chart)).figures
    expect(figure?.data.map((trace) => trace.base)).toEqual([
      [0, 0],
      [1, -2],
    ])
  })

  // Log axis from 0.001 to 0.1: 0.01 lies in the middle. Categories a, b at 0 and 1.
  test('parallel axes scale each to 0…1 and mark the best line', async () => {
    const chart = parallelCoordinates({
      title: 'p',
      best: 'low',
      axes: [
        { name: 'lr', values: [0.001, 0.01, 0.1], scale: 'log' },
        { name: 'kind', values: ['a', 'b', 'a'] },
        { name: 'loss', values: [3, 1, 2] },
      ],
    })
    const [figure] = payloadOf(await render(chart)).figures
    const best = figure?.data.find((trace) => (trace.line as { width: number }).width > 2)
    expect(best?.y).toEqual([0.5, 1, 0, null])
  })

  test('points without a coordinate are left out of a scatter', async () => {
    const [figure] = payloadOf(
      await render(scatterChart({ title: 's', x: [1, null, 3], y: [1, 2, Number.NaN] })),
    ).figures
    expect(figure?.data[0]?.x).toEqual([1])
  })

  test('links join their points by lines of their own, below the points', async () => {
    const links = [
      [0, 2],
      [2, 1],
    ] as const
    const [figure] = payloadOf(await render(scatterChart({ title: 's', x: [1, 2, 3], y: [4, 5, 6], links }))).figures
    expect(figure?.data[0]).toMatchObject({ mode: 'lines', x: [1, 3, null, 3, 2, null], y: [4, 6, null, 6, 5, null] })
    expect(figure?.data[1]?.mode).toBe('markers')
  })
})

describe('plain HTML', () => {
  test('a heat map colours by sign and size and hatches gaps', async () => {
    const html = await render(
      heatMap({ title: 'h', rows: ['a'], columns: ['x', 'y', 'z'], values: [-1, 0.5, Number.NaN] }),
    )
    expect(html).toContain('<td class="n deep" style="--s:100%" title="a · x: -1">-1</td>')
    expect(html).toContain('<td class="p" style="--s:50%" title="a · y: 0.5">0.5</td>')
    expect(html).toContain('<td class="none" title="a · z: –">–</td>')
  })

  test('a table formats by column, keeps sort keys and finds the best', async () => {
    const [table] = payloadOf(
      await render(
        dataTable({
          title: 't',
          columns: [{ name: 'a' }, { name: 'b', format: 'percent', best: 'low' }, { name: 'c', format: 'time' }],
          rows: [
            ['x', 0.1234, 0],
            ['y', -0.5, null],
            ['z', Number.NaN, 86_400_000],
          ],
        }),
      ),
    ).tables
    expect(table?.rows).toEqual([
      ['x', '12.3%', '1970-01-01 00:00'],
      ['y', '-50.0%', '–'],
      ['z', '–', '1970-01-02 00:00'],
    ])
    expect(table?.keys).toEqual([null, [0.1234, -0.5, null], [0, null, 86_400_000]])
    expect(table?.best).toEqual([[1, 1]])
  })

  test('prose knows a little Markdown and nothing else', async () => {
    const html = await render(
      prose('## Head\n\nsome **bold** *it* `<b>` [l](https://x.org)\n\n- one\n- two\n\n```\n<i>\n```'),
    )
    expect(html).toContain(
      '<h3>Head</h3><p>some <strong>bold</strong> <em>it</em> <code>&lt;b&gt;</code> <a href="https://x.org" rel="noopener noreferrer">l</a></p><ul><li>one</li><li>two</li></ul><pre><code>&lt;i&gt;</code></pre>',
    )
  })

  test('every drawing has a caption, a name and its numbers', async () => {
    const html = await render(
      lineChart({ title: 'Equity', time: [0, 86_400_000], series: [{ name: 'adaptive', y: [1, 1.25] }] }),
    )
    expect(html).toContain('<figcaption><strong>Equity</strong></figcaption>')
    expect(html).toContain('role="img" aria-label="Line chart: Equity. The numbers follow as a table."')
    expect(html).toContain('<tr><td>1970-01-02 00:00</td><td>1.25</td></tr>')
  })
})
