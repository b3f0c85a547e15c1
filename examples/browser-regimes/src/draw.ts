import type { Forecast } from './forecaster.ts'
import type { Stream } from './stream.ts'

/** Bars in view, and room for the forecast after them. */
const VIEW = 260
const AHEAD = 16

interface Pen {
  readonly to: CanvasRenderingContext2D
  readonly width: number
  readonly height: number
}

/** Draws the price over the regimes' colours, with the forecast as a fan at its end. */
export function drawPrice(canvas: HTMLCanvasElement, stream: Stream, forecast: Forecast | undefined): void {
  const { to, width, height } = penOf(canvas)
  const first = Math.max(0, stream.close.length - VIEW)
  const shown = stream.close.slice(first)
  const last = shown.at(-1)!
  const fan = forecast ? fanOf(forecast, last) : []
  const all = [...shown, ...fan.flat()]
  const [low, high] = [Math.min(...all), Math.max(...all)]
  const right = 52
  const step = (width - right) / (VIEW + AHEAD)
  const x = (i: number): number => (i + 0.5) * step
  const y = (price: number): number => 10 + ((high - price) / (high - low || 1)) * (height - 20)

  for (let i = 0; i < shown.length; i++) {
    to.fillStyle = `color-mix(in srgb, ${regimeColour(stream.regimes[first + i]!)} 16%, transparent)`
    const [from, end] = pixels(i, step)
    to.fillRect(from, 0, end - from, height)
  }
  to.fillStyle = colour('--quiet')
  to.strokeStyle = colour('--line')
  to.font = '12px system-ui, sans-serif'
  to.lineWidth = 1
  for (const price of ticks(low, high)) {
    line(to, [
      [0, y(price)],
      [width - right + 4, y(price)],
    ])
    to.fillText(price.toFixed(price < 10 ? 2 : 0), width - right + 10, y(price) + 4)
  }
  if (fan.length > 0) {
    const at = shown.length - 1
    to.fillStyle = `color-mix(in srgb, ${colour('--forecast')} 30%, transparent)`
    to.beginPath()
    to.moveTo(x(at), y(last))
    for (const [h, [up]] of fan.entries()) to.lineTo(x(at + h + 1), y(up))
    for (const [h, [, down]] of [...fan.entries()].reverse()) to.lineTo(x(at + h + 1), y(down))
    to.fill()
  }
  to.strokeStyle = colour('--ink')
  to.lineWidth = 1.6
  line(
    to,
    shown.map((price, i) => [x(i), y(price)]),
  )
}

/** Draws the probabilities of the regimes as bands that fill the height. */
export function drawBelief(canvas: HTMLCanvasElement, stream: Stream): void {
  const { to, width, height } = penOf(canvas)
  const first = Math.max(0, stream.beliefs.length - VIEW)
  const step = (width - 52) / (VIEW + AHEAD)
  for (let i = first; i < stream.beliefs.length; i++) {
    const [from, end] = pixels(i - first, step)
    let top = 0
    stream.beliefs[i]!.forEach((share, regime) => {
      to.fillStyle = regimeColour(regime)
      to.fillRect(from, top * height, end - from, share * height + 0.5)
      top += share
    })
  }
  to.fillStyle = colour('--quiet')
  to.font = '12px system-ui, sans-serif'
  for (const [text, at] of [
    ['100 %', 14],
    ['0 %', height - 6],
  ] as const)
    to.fillText(text, width - 44, at)
}

/** The colour of a regime, the most volatile first. */
export function regimeColour(regime: number): string {
  return colour(`--regime-${regime}`)
}

/** Where a bar's column begins and ends, in whole pixels, so that columns meet without a seam. */
function pixels(i: number, step: number): [number, number] {
  return [Math.round(i * step), Math.round((i + 1) * step)]
}

/** ± 2 deviations after 1, 2, … bars, if every bar were like the next. */
function fanOf({ mean, deviation }: Forecast, from: number): [number, number][] {
  return Array.from({ length: AHEAD - 4 }, (_, h) => {
    const spread = 2 * deviation * Math.sqrt(h + 1)
    return [from * Math.exp(mean * (h + 1) + spread), from * Math.exp(mean * (h + 1) - spread)]
  })
}

function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 4
  const size = 10 ** Math.floor(Math.log10(rough || 1))
  const step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= rough) ?? rough
  const found: number[] = []
  for (let price = Math.ceil(low / step) * step; price <= high; price += step) found.push(price)
  return found
}

function line(to: CanvasRenderingContext2D, points: readonly (readonly [number, number])[]): void {
  to.beginPath()
  points.forEach(([x, y], i) => {
    if (i === 0) to.moveTo(x, y)
    else to.lineTo(x, y)
  })
  to.stroke()
}

function penOf(canvas: HTMLCanvasElement): Pen {
  const { clientWidth: width, clientHeight: height } = canvas
  const scale = devicePixelRatio
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale)
    canvas.height = Math.round(height * scale)
  }
  const to = canvas.getContext('2d')!
  to.setTransform(scale, 0, 0, scale, 0, 0)
  to.clearRect(0, 0, width, height)
  return { to, width, height }
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name)
}
