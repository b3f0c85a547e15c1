/**
 * The page's own script, kept as text because it runs in the reader's browser and not here. It draws figures as they come
 * into view, resolves colour tokens (`@name` or `@name/opacity`) from the theme's CSS variables, and runs legends, tabs,
 * tables and the theme button.
 */
export const pageScript: string = String.raw`(() => {
'use strict'
const root = document.documentElement
const payload = JSON.parse(document.getElementById('payload').textContent)
const plots = [...document.querySelectorAll('.plot')]
const media = matchMedia('(prefers-color-scheme: dark)')
root.classList.add('scripted')

const isColor = /color$/
let styles = getComputedStyle(root)
const resolve = (text) => {
  if (text[0] !== '@') return text
  const cut = text.indexOf('/')
  const hex = styles.getPropertyValue('--' + text.slice(1, cut < 0 ? undefined : cut)).trim()
  if (cut < 0) return hex
  const part = (i) => parseInt(hex.slice(i, i + 2), 16)
  return 'rgba(' + part(1) + ',' + part(3) + ',' + part(5) + ',' + text.slice(cut + 1) + ')'
}
const paint = (value, key) => {
  if (typeof value === 'string') return isColor.test(key) ? resolve(value) : value
  if (Array.isArray(value)) return typeof value[0] === 'object' ? value.map((item) => paint(item, key)) : value
  if (value === null || typeof value !== 'object') return value
  const painted = {}
  for (const [name, inner] of Object.entries(value)) painted[name] = paint(inner, name)
  return painted
}
const layoutOf = (figure, plot) => {
  const layout = paint(figure.layout, '')
  const ink = resolve('@ink')
  const muted = resolve('@muted')
  const narrow = plot.clientWidth < 480
  const family = styles.getPropertyValue('--sans')
  for (const name of Object.keys(layout)) {
    if (!/^[xy]axis/.test(name)) continue
    const axis = layout[name]
    layout[name] = {
      gridcolor: resolve('@grid'),
      linecolor: resolve('@rule'),
      zerolinecolor: resolve('@muted'),
      tickfont: { color: muted, size: narrow ? 10 : 11 },
      tickcolor: resolve('@rule'),
      nticks: name[0] === 'x' && !axis.tickvals ? (narrow ? 5 : 10) : undefined,
      ...axis,
      title: axis.title ? { ...axis.title, font: { color: muted, size: 11 } } : undefined,
    }
    if (name[0] === 'x') Object.assign(layout[name], { spikecolor: muted, spikethickness: 1, spikedash: 'dot' })
  }
  if (narrow) layout.margin = { ...layout.margin, l: 44, r: 8 }
  return {
    ...layout,
    autosize: true,
    height: figure.height,
    showlegend: false,
    dragmode: matchMedia('(pointer: coarse)').matches ? false : 'zoom',
    paper_bgcolor: resolve('@surface'),
    plot_bgcolor: resolve('@surface'),
    font: { family, color: ink, size: 12 },
    hoverlabel: {
      bgcolor: resolve('@raised'),
      bordercolor: resolve('@rule'),
      font: { family, color: ink, size: 12 },
      align: 'left',
    },
    modebar: { bgcolor: 'rgba(0,0,0,0)', color: muted, activecolor: ink },
  }
}
const config = {
  responsive: true,
  displaylogo: false,
  showSendToCloud: false,
  plotlyServerURL: '',
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d', 'zoomIn2d', 'zoomOut2d'],
}

const hidden = payload.figures.map((figure) => new Set(figure.legend.flatMap((entry, i) => (entry.hidden ? [i] : []))))
const draw = (plot) => {
  const index = Number(plot.dataset.figure)
  const figure = payload.figures[index]
  const data = paint(figure.data, '')
  const layout = layoutOf(figure, plot)
  figure.legend.forEach((entry, i) => {
    const off = hidden[index].has(i)
    for (const t of entry.traces) data[t].visible = !off
    for (const s of entry.shapes) layout.shapes[s].visible = !off
  })
  plot.dataset.drawn = 'yes'
  return Plotly.react(plot, data, layout, { ...config, displayModeBar: plot.clientWidth < 480 ? false : 'hover' })
}
const pending = () => plots.filter((plot) => !plot.dataset.drawn && plot.offsetParent !== null)
const inView = (plot) => {
  const box = plot.getBoundingClientRect()
  return box.bottom > -200 && box.top < innerHeight + 200
}
let working = false
const work = async () => {
  if (working) return
  working = true
  for (let left = pending(); left.length > 0; left = pending()) {
    await draw(left.find(inView) || left[0])
    await new Promise((next) => setTimeout(next))
  }
  working = false
  root.dataset.ready = 'yes'
}
const redraw = () => {
  styles = getComputedStyle(root)
  for (const plot of plots) if (plot.dataset.drawn) draw(plot)
}

for (const plot of plots) {
  const legend = plot.parentElement.querySelector('.legend')
  if (!legend) continue
  const index = Number(plot.dataset.figure)
  legend.addEventListener('click', (event) => {
    const button = event.target.closest('button')
    if (!button) return
    const entry = Number(button.dataset.entry)
    const off = hidden[index]
    if (!off.delete(entry)) off.add(entry)
    button.setAttribute('aria-pressed', String(!off.has(entry)))
    if (plot.dataset.drawn) draw(plot)
  })
}

const dark = () => (root.dataset.theme === 'auto' ? media.matches : root.dataset.theme === 'dark')
document.getElementById('theme').addEventListener('click', () => {
  root.dataset.theme = dark() ? 'light' : 'dark'
  redraw()
})
media.addEventListener('change', redraw)

for (const group of document.querySelectorAll('.tabs')) {
  const list = [...group.firstElementChild.children]
  const open = (chosen) => {
    for (const tab of list) {
      const on = tab === chosen
      tab.setAttribute('aria-selected', String(on))
      tab.tabIndex = on ? 0 : -1
      document.getElementById(tab.getAttribute('aria-controls')).toggleAttribute('data-closed', !on)
    }
    for (const plot of group.querySelectorAll('.plot')) {
      if (plot.dataset.drawn && plot.offsetParent !== null) Plotly.Plots.resize(plot)
    }
    work()
  }
  for (const tab of list) tab.addEventListener('click', () => open(tab))
  group.firstElementChild.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!step) return
    const next = list[(list.indexOf(document.activeElement) + step + list.length) % list.length]
    next.focus()
    open(next)
  })
}

const marked = (cell, text, words) => {
  const lower = text.toLowerCase()
  let at = 0
  while (at < text.length) {
    let from = -1
    let word = ''
    for (const candidate of words) {
      const found = lower.indexOf(candidate, at)
      if (found >= 0 && (from < 0 || found < from)) [from, word] = [found, candidate]
    }
    if (from < 0) break
    const mark = document.createElement('mark')
    mark.textContent = text.slice(from, from + word.length)
    cell.append(text.slice(at, from), mark)
    at = from + word.length
  }
  cell.append(text.slice(at))
}
payload.tables.forEach((table, t) => {
  const box = document.getElementById('table-' + (t + 1))
  const input = box.querySelector('input')
  const [body, count, pager] = ['tbody', '.count', '.pager'].map((name) => box.querySelector(name))
  const heads = [...box.querySelectorAll('thead th')]
  const best = new Set(table.best.map(([r, c]) => r + ' ' + c))
  const haystack = input ? table.rows.map((row) => row.join(' \n ').toLowerCase()) : []
  let [column, descending] = table.sort || [-1, false]
  let page = 0
  const compare = (a, b) => {
    const keys = table.keys[column]
    if (!keys) {
      const order = table.rows[a][column].localeCompare(table.rows[b][column], 'en', { numeric: true })
      return (descending ? -order : order) || a - b
    }
    if (keys[a] === null || keys[b] === null) return (keys[a] === null) - (keys[b] === null) || a - b
    return (descending ? keys[b] - keys[a] : keys[a] - keys[b]) || a - b
  }
  const show = (size) => {
    const words = input ? input.value.toLowerCase().split(/\s+/).filter(Boolean) : []
    let order = table.rows.map((_, i) => i)
    if (words.length > 0) order = order.filter((i) => words.every((word) => haystack[i].includes(word)))
    if (column >= 0) order.sort(compare)
    const pages = Math.max(1, Math.ceil(order.length / size))
    page = Math.min(page, pages - 1)
    body.replaceChildren(...order.slice(page * size, (page + 1) * size).map((r) => {
      const line = document.createElement('tr')
      table.rows[r].forEach((text, c) => {
        const cell = line.insertCell()
        if (table.right[c]) cell.classList.add('num')
        if (best.has(r + ' ' + c)) cell.classList.add('best')
        marked(cell, text, words)
      })
      return line
    }))
    heads.forEach((head, c) => {
      if (c === column) head.setAttribute('aria-sort', descending ? 'descending' : 'ascending')
      else head.removeAttribute('aria-sort')
    })
    count.textContent = words.length > 0 ? order.length + ' of ' + table.rows.length + ' rows' : ''
    pager.hidden = pages < 2
    pager.children[1].textContent = 'Page ' + (page + 1) + ' of ' + pages
    pager.children[0].disabled = page === 0
    pager.children[2].disabled = page === pages - 1
  }
  const update = () => show(table.pageSize)
  heads.forEach((head, c) => head.addEventListener('click', () => {
    descending = c === column ? !descending : table.keys[c] !== null
    column = c
    page = 0
    update()
  }))
  pager.addEventListener('click', (event) => {
    const step = Number(event.target.dataset.step)
    if (!step) return
    page += step
    update()
  })
  if (input) input.addEventListener('input', () => {
    page = 0
    update()
  })
  addEventListener('beforeprint', () => show(500))
  addEventListener('afterprint', update)
  update()
})

let themeOnScreen = root.dataset.theme
addEventListener('beforeprint', () => {
  themeOnScreen = root.dataset.theme
  root.dataset.theme = 'light'
  root.classList.add('printing')
  for (const plot of plots) draw(plot)
})
addEventListener('afterprint', () => {
  root.dataset.theme = themeOnScreen
  root.classList.remove('printing')
  redraw()
})
work()
})()`
