import { createRng, RegimenError } from '@regimen/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gunzip, loadCsv, loadCsvStream } from '../src/index.ts'

const at = (iso: string) => Date.parse(iso)
const csv = (rows: string[], header = 'time,open,high,low,close,volume') => [header, ...rows].join('\n')

describe('times', () => {
  // Each of these is 2021-03-04 05:06:00 UTC = 1,614,834,360 s.
  const forms: [string, object?][] = [
    ['2021-03-04 05:06'],
    ['2021-03-04T05:06:00Z'],
    ['2021-03-04T05:06:00.000+00:00'],
    ['2021-03-04T07:06:00+0200'],
    ['2021-03-04 00:06-05'],
    ['2021/3/4 5:06'],
    ['2021.03.04 05:06'],
    ['20210304 05:06'],
    ['20210304 050600'],
    ['20210304T0506Z'],
    ['202103040506'],
    ['20210304050600'],
    ['1614834360'],
    ['1614834360.0'],
    ['1614834360000'],
    ['1614834360000000'],
    ['1614834360000000000'],
    ['04/03/2021 05:06', { dateOrder: 'dmy' }],
    ['04.03.2021 05:06', { dateOrder: 'dmy' }],
    ['03/04/2021 5:06 AM', { dateOrder: 'mdy' }],
    ['3/4/21 05:06:00 am', { dateOrder: 'mdy' }],
    ['4-Mar-2021 05:06'],
    ['Mar 4, 2021 05:06'],
    ['2021-03-04 05:06 UTC'],
  ]
  test.each(forms)('%s', (form, options = {}) => {
    const cell = form.includes(',') ? `"${form}"` : form
    const { bars } = loadCsv(csv([`${cell},1,2,0.5,1.5,7`]), { interval: '1m', ...options })
    expect(bars.time[0]).toBe(at('2021-03-04T05:06:00Z'))
  })

  test('PM, noon and midnight', () => {
    const rows = ['01/13/2021 12:30 AM', '01/13/2021 12:30 PM', '01/13/2021 11:59 PM']
    const { bars } = loadCsv(csv(rows.map((time) => `${time},1,1,1,1,1`)))
    const hours = Array.from(bars.time, (t) => (t - at('2021-01-13')) / 3_600_000)
    expect(hours[0]).toBe(0.5)
    expect(hours[1]).toBe(12.5)
    expect(hours[2]).toBeCloseTo(23 + 59 / 60, 12)
  })

  test('several forms in one file, day-first found out by a later row', () => {
    const { bars } = loadCsv(csv(['01/02/2021,1,1,1,1,1', '2021-02-02,2,2,2,2,2', '25/02/2021,3,3,3,3,3']))
    expect(Array.from(bars.time)).toEqual([at('2021-02-01'), at('2021-02-02'), at('2021-02-25')])
  })

  test('an order that no row gives away is an error', () => {
    expect(() => loadCsv(csv(['01/02/2021,1,1,1,1,1', '02/02/2021,1,1,1,1,1']))).toThrow(
      /cannot be told apart.*dateOrder/,
    )
  })

  test('days that do not exist are refused with their line', () => {
    expect(() => loadCsv(csv(['2021-02-27,1,1,1,1,1', '2021-02-29,1,1,1,1,1']), { interval: '1d' })).toThrow(
      /row 1 \(line 3\): badTime/,
    )
  })

  test('utcOffset and Lean minute files', () => {
    const offset = loadCsv(csv(['2021-01-01 09:00,1,1,1,1,1']), { interval: '1h', utcOffset: 120 })
    expect(offset.bars.time[0]).toBe(at('2021-01-01T07:00Z'))
    const lean = loadCsv('34200000,1234500,1240000,1230000,1235600,100\n34260000,1235600,1235600,1235600,1235600,5', {
      layout: 'lean',
      date: at('2013-10-07'),
    })
    expect(lean.bars.time[0]).toBe(at('2013-10-07T09:30Z'))
    expect(lean.bars.open[0]).toBe(123.45)
  })
})

describe('layouts', () => {
  test('Yahoo, raw and adjusted', () => {
    const text =
      'Date,Open,High,Low,Close,Adj Close,Volume\n2020-01-02,10,12,8,10,5,100\n2020-01-03,10,12,8,10,10,100\n'
    expect(Array.from(loadCsv(text).bars.close)).toEqual([10, 10])
    const { bars } = loadCsv(text, { adjusted: true })
    expect([bars.open[0], bars.high[0], bars.low[0], bars.close[0]]).toEqual([5, 6, 4, 5])
  })

  test('Yahoo null rows are refused, or dropped on request and listed', () => {
    const text =
      'Date,Open,High,Low,Close,Adj Close,Volume\n2020-01-02,1,1,1,1,1,1\n2020-01-03,null,null,null,null,null,null\n2020-01-04,1,1,1,1,1,1'
    expect(() => loadCsv(text)).toThrow(/row 1 \(line 3\): missing/)
    const { bars, report } = loadCsv(text, { repair: { missing: 'drop' } })
    expect(bars.time.length).toBe(2)
    expect(report.repairs).toEqual([{ kind: 'missing', policy: 'drop', count: 1 }])
  })

  test('Binance klines without a header', () => {
    const row = (t: number) =>
      `${t},"46216.93","46731.39","46208.37","46656.13","1503.3",${t + 3599999},"6.9e7",1,"2","3",0`
    const { bars, report } = loadCsv(`${row(1640995200000)}\n${row(1640998800000)}\n`)
    expect(bars.interval).toBe(3_600_000)
    expect(bars.volume?.[1]).toBe(1503.3)
    expect(report.converted).toBe(10)
  })

  test('MetaTrader: date and time in two tab-separated columns', () => {
    const text =
      '<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n2020.01.02\t00:05:00\t1\t2\t0.5\t1.5\t33\t0\t1\r\n'
    const { bars } = loadCsv(text, { interval: '5m' })
    expect(bars.time[0]).toBe(at('2020-01-02T00:05Z'))
    expect(bars.volume?.[0]).toBe(33)
  })

  test('HistData: semicolons, compact time, no header', () => {
    const { bars } = loadCsv(
      '20120201 000000;1.3066;1.3067;1.3065;1.3066;0\n20120201 000100;1.3066;1.3067;1.3065;1.3066;0',
    )
    expect(bars.interval).toBe(60_000)
  })

  test('headerless date,time,o,h,l,c,v', () => {
    const { bars } = loadCsv('2020.01.02,00:01,1,2,0.5,1.5,7\n2020.01.02,00:02,1,2,0.5,1.5,8')
    expect(bars.time[0]).toBe(at('2020-01-02T00:01Z'))
    expect(bars.volume?.[1]).toBe(8)
  })

  test('columns name what a foreign header does not', () => {
    const text = 'Datum;Erster;Hoch;Tief;Schluss\n2020-01-01;1,5;2;1;1,75\n2020-01-02;1;2;1;1'
    expect(() => loadCsv(text)).toThrow(RegimenError)
    const { bars } = loadCsv(text, { columns: ['date', 'open', 'high', 'low', 'close'] })
    expect([bars.time.length, bars.close[0]]).toEqual([2, 1.75])
  })

  test('comment and title lines before the header; byte order mark; blank lines; CRLF', () => {
    const text =
      '\ufeffhttps://www.example.org\r\nunix,date,symbol,open,high,low,close,Volume BTC,Volume USD\r\n\r\n1609545600,2021-01-02,X,3,4,2,3,1,9\r\n1609459200,2021-01-01,X,3,4,2,3,2,9\r\n'
    const { bars, report } = loadCsv(text)
    expect(Array.from(bars.volume!)).toEqual([2, 1])
    expect(report.order).toBe('descending')
    expect(report.repairs).toEqual([{ kind: 'unsorted', policy: 'sort', count: 2 }])
  })
})

test('numbers are exactly what Number gives, however they are written', () => {
  const texts = [
    '0.1',
    '1.3357999999999999',
    '123456789012345678',
    '.5',
    '5.',
    '1e-3',
    '0.000001',
    '9007199254740993',
    '+2',
  ]
  const { bars } = loadCsv(csv(texts.map((text, i) => `${1600000000 + i},${text},${text},${text},${text},${text}`)))
  expect(Array.from(bars.close)).toEqual(texts.map(Number))
})

test('text that is no number is reported with its line, never a silent NaN', () => {
  const text = csv(['2020-01-01,1,1,1,1,1', '2020-01-02,abc,1,1,1,1'])
  expect(() => loadCsv(text)).toThrow(RegimenError)
  const { report } = loadCsv(text, { repair: { missing: 'drop' }, interval: '1d' })
  expect(report.issues.find((issue) => issue.kind === 'unparsable')?.message).toContain('line 3')
})

test('written-out numbers: thousands, currency, suffix', () => {
  const { bars, report } = loadCsv(csv(['2020-01-01,"$1,234.50","1,300.00","1,200","1,250",1.5M']), { interval: '1d' })
  expect([bars.open[0], bars.volume?.[0]]).toEqual([1234.5, 1_500_000])
  expect(report.converted).toBe(5)
})

test('decimal commas', () => {
  const { bars } = loadCsv('Date;Open;High;Low;Close\n2020-01-01;1,25;1.300,5;1,2;1,3', { interval: '1d' })
  expect([bars.open[0], bars.high[0]]).toEqual([1.25, 1300.5])
})

test('gzip is named, and gunzip unpacks it', async () => {
  const text = csv(['2020-01-01,1,1,1,1,1', '2020-01-02,1,1,1,1,1'])
  const packed = new Uint8Array(
    await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer(),
  )
  expect(() => loadCsv(packed)).toThrow(/gunzip/)
  expect(loadCsv(await gunzip(packed)).bars.time.length).toBe(2)
})

test('what is no price file is refused', () => {
  for (const text of ['', '\n\n', 'hello', 'a,b,c\n1,2,3', 'time,open,high,low\n2020-01-01,1,1,1']) {
    expect(() => loadCsv(text)).toThrow(RegimenError)
  }
})

describe('the quick way through plain cells', () => {
  test('numbers are what Number makes of them, to the last bit, however many digits', () => {
    // Digits before and after the sign on both sides of what the scanner takes (nine each, fifteen in all).
    const digits = (max: number) => fc.stringMatching(new RegExp(`^\\d{1,${max}}$`))
    const cell = fc.tuple(digits(12), fc.option(digits(14))).map(([a, b]) => (b === null ? `1${a}` : `1${a}.${b}`))
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 20 }), (cells) => {
        const rows = cells.map((x, i) => `${1_600_000_000 + 60 * i},${x},${x},${x},${x},${x}`)
        const { bars } = loadCsv(csv(rows), { interval: '1m' })
        cells.forEach((x, i) => {
          expect(bars.close[i]).toBe(Number(x))
          expect(bars.volume![i]).toBe(Number(x))
        })
      }),
      { seed: 11, numRuns: 200 },
    )
  })

  test('every minute of two days around a leap day, with and without seconds', () => {
    const from = at('2024-02-28T23:00:00Z')
    const iso = (i: number) => new Date(from + 60_000 * i).toISOString()
    const forms = [
      (i: number) => iso(i).slice(0, 16),
      (i: number) => iso(i).slice(0, 19).replace('T', ' '),
      (i: number) => `${iso(i).slice(0, 19)}Z`,
      (i: number) => String(from + 60_000 * i),
    ]
    const rows = Array.from({ length: 2880 }, (_, i) => `${forms[i % forms.length]!(i)},1,2,0.5,1.5,7`)
    const { bars } = loadCsv(csv(rows))
    expect(bars.time.length).toBe(2880)
    expect(Array.from(bars.time)).toEqual(rows.map((_, i) => from + 60_000 * i))
  })

  test.each(['2023-02-29 10:00', '2024-02-28 24:00', '2024-02-28 10:60', '2024-02-2810:00', '2024-02-28 1a:00'])(
    'no time: %s',
    (cell) => {
      expect(() => loadCsv(csv([`${cell}:00,1,2,0.5,1.5,7`, '2024-03-05 10:00:00,1,2,0.5,1.5,7']))).toThrow(/badTime/)
    },
  )

  test('a row that lacks cells does not keep those of the row before in its place', () => {
    const rows = ['2024-01-01,1,2,0.5,1.5,7', '2024-01-02,1,2,0.5', '2024-01-03,1,2,0.5,1.5,7']
    expect(() => loadCsv(csv(rows))).toThrow(/line 3.*missing/)
  })
})

describe('streams', () => {
  // Minutes from the 11th of January: day and month can be told apart from the 13th on.
  const rows = Array.from({ length: 5000 }, (_, i) => {
    const time = new Date(at('2021-01-11') + 60_000 * i).toISOString()
    return `${time.slice(5, 7)}/${time.slice(8, 10)}/2021 ${time.slice(11, 16)},"1",2,0.5,1.${i},7`
  })
  const bytes = new TextEncoder().encode(csv(rows))

  test('any cut of the file gives what the whole gives', async () => {
    const whole = loadCsv(bytes)
    expect(whole.bars.time[1]).toBe(at('2021-01-11T00:01:00Z'))
    expect(bytes.length).toBeGreaterThan(2 * 65_536)
    const rng = createRng(5)
    for (let round = 0; round < 20; round++) {
      const pieces: Uint8Array[] = []
      for (let p = 0; p < bytes.length; ) {
        const q = p + rng.int(1, round < 15 ? 40_000 : 200)
        pieces.push(bytes.subarray(p, q))
        p = q
      }
      expect(await loadCsvStream(pieces)).toEqual(whole)
    }
  })

  test('a file beyond the head in which the layout is looked for, asynchronously', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => `${1_600_000_000 + 60 * i},1,2,0.5,1.${i},7`)
    const long = new TextEncoder().encode(csv(many))
    async function* pieces() {
      for (let p = 0; p < long.length; p += 50_001) yield long.subarray(p, p + 50_001)
    }
    expect(long.length).toBeGreaterThan(2 * 65_536)
    expect(await loadCsvStream(pieces())).toEqual(loadCsv(long))
  })

  test('an empty stream, gzip and text are refused', async () => {
    await expect(loadCsvStream([])).rejects.toThrow(/no line/)
    await expect(loadCsvStream([Uint8Array.of(0x1f, 0x8b, 8)])).rejects.toThrow(/gzip/)
    await expect(loadCsvStream(['a' as never])).rejects.toThrow(/Uint8Array/)
  })
})
