import { checkText } from '../doors.ts'
import { escapeHtml } from '../escape.ts'

/** Text as data, made by {@link prose}. */
export interface Prose {
  readonly kind: 'prose'
  readonly text: string
}

/**
 * Describes running text in a small part of Markdown: paragraphs, `##` and `###` headings, `-` and `1.` lists, fenced
 * code, `**bold**`, `*italic*`, `` `code` `` and `[links](https://…)`. Everything else, HTML included, is shown as
 * written; links other than http, https, mailto and `#` stay text.
 *
 * ```ts
 * import { prose } from '@regimen/report'
 *
 * prose('The **adaptive** run wins in `bear` regimes.').kind // => 'prose'
 * ```
 */
export function prose(text: string): Prose {
  checkText(text, 'text', 'report/prose')
  return { kind: 'prose', text }
}

export function proseHtml(chart: Prose): string {
  return `<div class="prose">${markdown(chart.text)}</div>`
}

/** Turns the part of Markdown that {@link prose} names into HTML; the input is escaped first. */
export function markdown(text: string): string {
  const blocks: string[] = []
  const lines = text.replace(/\r\n?/g, '\n').split('\n')
  for (let i = 0; i < lines.length; ) {
    const line = lines[i] as string
    const fence = /^```/.test(line)
    const heading = /^(#{2,4})\s+(.*)$/.exec(line)
    if (fence) {
      const end = lines.findIndex((other, k) => k > i && /^```/.test(other))
      const stop = end < 0 ? lines.length : end
      blocks.push(`<pre><code>${escapeHtml(lines.slice(i + 1, stop).join('\n'))}</code></pre>`)
      i = stop + 1
    } else if (heading) {
      const level = Math.max(3, (heading[1] as string).length + 1)
      blocks.push(`<h${level}>${inline(heading[2] as string)}</h${level}>`)
      i++
    } else if (line.trim() === '') {
      i++
    } else {
      const marker = listMarker(line)
      let end = i + 1
      while (end < lines.length && continues(lines[end] as string, marker)) end++
      const part = lines.slice(i, end)
      blocks.push(marker ? list(part, marker) : `<p>${inline(part.join(' '))}</p>`)
      i = end
    }
  }
  return blocks.join('')
}

function listMarker(line: string): 'ul' | 'ol' | undefined {
  return /^\s*[-*]\s+/.test(line) ? 'ul' : /^\s*\d+\.\s+/.test(line) ? 'ol' : undefined
}

function continues(line: string, marker: 'ul' | 'ol' | undefined): boolean {
  return line.trim() !== '' && !/^(#{2,4}\s|```)/.test(line) && (marker !== undefined || listMarker(line) === undefined)
}

function list(lines: readonly string[], marker: 'ul' | 'ol'): string {
  const items: string[] = []
  for (const line of lines) {
    const text = line.replace(/^\s*(?:[-*]|\d+\.)\s+/, '')
    if (listMarker(line) === undefined && items.length > 0) items[items.length - 1] += ` ${line.trim()}`
    else items.push(text)
  }
  return `<${marker}>${items.map((item) => `<li>${inline(item)}</li>`).join('')}</${marker}>`
}

function inline(text: string): string {
  return text
    .split(/(`[^`]+`)/)
    .map((part, i) => (i % 2 === 1 ? `<code>${escapeHtml(part.slice(1, -1))}</code>` : emphasis(escapeHtml(part))))
    .join('')
}

function emphasis(escaped: string): string {
  return escaped
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
    .replace(/(^|[\s(])\*([^*\s][^*]*)\*/g, '$1<em>$2</em>')
    .replace(/\[([^\]]+)\]\(((?:https?:\/\/|mailto:|#)[^\s)]*)\)/g, '<a href="$2" rel="noopener noreferrer">$1</a>')
}
