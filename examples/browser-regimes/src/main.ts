// A market streams in, a filter names its regime, and a small net adapts to each regime as it comes, in the browser.
import '@tensorflow/tfjs'
import type { Adapted, Adapter, MetaModel } from '@regimen/meta'
import { drawBelief, drawPrice, regimeColour } from './draw.ts'
import { costOf, type Device, type Forecast, forecast, openForecaster, practise, SHOTS, samples } from './forecaster.ts'
import { openStream, type Stream } from './stream.ts'

/** A change of regime is believed when it is this likely. */
const SURE = 0.7
const BARS_PER_SECOND = 20
const NAMES: Record<Device, string> = { cpu: 'WebAssembly', gpu: 'WebGPU' }

const byId = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E
const say = (id: string, text: string): void => {
  byId(id).textContent = text
}

/** What the page knows besides the stream. */
interface State {
  device: Device
  adapter: Adapter
  adapted: Adapted
  regime: number
  expected: { adapted: Forecast; fixed: Forecast }
  costs: { adapted: number; fixed: number; bars: number }
}

/** The regime's latest bars, in order; all of them lie behind us. */
function supportOf({ regimes }: Stream, regime: number): number[] {
  const bars: number[] = []
  for (let t = regimes.length - 1; t >= 0 && bars.length < SHOTS; t--) if (regimes[t] === regime) bars.push(t)
  return bars.reverse()
}

/** Adapts the net to a regime and shows what it took. */
async function adaptTo(stream: Stream, regime: number, adapter: Adapter, device: Device): Promise<Adapted> {
  const support = samples(stream.returns, supportOf(stream, regime))
  const begin = performance.now()
  const adapted = await adapter(support)
  const milliseconds = performance.now() - begin
  const { lossBefore, lossAfter } = adapted
  say('milliseconds', `${milliseconds.toFixed(1)} ms`)
  say('ran-on', `3 steps on ${SHOTS} bars, ${NAMES[device]}`)
  say('losses', `${lossBefore.toFixed(2)} → ${lossAfter.toFixed(2)}`)
  const row = byId<HTMLTableSectionElement>('adaptations').insertRow(0)
  const cells = [
    String(stream.close.length),
    stream.names[regime]!,
    NAMES[device],
    `${milliseconds.toFixed(1)} ms`,
    lossBefore.toFixed(3),
    lossAfter.toFixed(3),
  ]
  for (const cell of cells) row.insertCell().textContent = cell
  while (row.parentElement!.childElementCount > 8) row.parentElement!.lastElementChild!.remove()
  return adapted
}

function show(stream: Stream, { regime, expected, costs }: State): void {
  const certainty = stream.beliefs.at(-1)![regime]!
  say('regime', stream.names[regime]!)
  byId('regime').style.color = regimeColour(regime)
  say('certainty', `${(100 * certainty).toFixed(0)} % likely after ${stream.close.length} bars`)
  if (costs.bars > 0) {
    say('score', `${(costs.adapted / costs.bars).toFixed(2)} vs ${(costs.fixed / costs.bars).toFixed(2)}`)
    say('score-note', `mean loss of ${costs.bars} bars: adapted against fixed net`)
  }
  drawPrice(byId('price'), stream, expected.adapted)
  drawBelief(byId('belief'), stream)
}

function legend(stream: Stream): void {
  byId('legend').replaceChildren(
    ...stream.names.map((name, regime) => {
      const entry = document.createElement('span')
      const mark = document.createElement('i')
      mark.style.background = regimeColour(regime)
      entry.append(mark, name)
      return entry
    }),
  )
}

/** WebGPU may be missing, or present without a card behind it. */
async function hasGpu(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } }
  return Boolean(await gpu?.requestAdapter().catch(() => undefined))
}

async function start(): Promise<void> {
  say('status', 'Fitting regimes to the past …')
  await new Promise(requestAnimationFrame)
  const stream = openStream('live')
  legend(stream)
  const model: MetaModel = await practise((share) =>
    say('status', `The net practises on other markets: ${(100 * share).toFixed(0)} %`),
  )
  const adapters = new Map<Device, Adapter>()
  const adapterOf = async (device: Device): Promise<Adapter> => {
    const adapter = adapters.get(device) ?? (await openForecaster(model, device))
    adapters.set(device, adapter)
    return adapter
  }
  // The same net without adaptation, to compare with: a rate so small that nothing moves.
  const idle = { ...model, inner: { innerRate: 1e-12, steps: model.learner.steps } }
  const fixed = await (await openForecaster(idle, 'cpu'))(
    samples(stream.returns, supportOf(stream, stream.regimes.at(-1)!)),
  )
  const regime = stream.regimes.at(-1)!
  const adapter = await adapterOf('cpu')
  const adapted = await adaptTo(stream, regime, adapter, 'cpu')
  const expect = async (now: Adapted): Promise<State['expected']> => ({
    adapted: await forecast(now, stream.returns),
    fixed: await forecast(fixed, stream.returns),
  })
  const state: State = {
    device: 'cpu',
    adapter,
    adapted,
    regime,
    expected: await expect(adapted),
    costs: { adapted: 0, fixed: 0, bars: 0 },
  }

  const gpu = await hasGpu()
  const inputs = Array.from(document.querySelectorAll<HTMLInputElement>('input[name=device]'))
  inputs[1]!.disabled = !gpu
  say('device-note', gpu ? 'Switch at any time.' : 'This browser offers no WebGPU adapter.')
  let wanted: Device = 'cpu'
  for (const input of inputs) {
    input.addEventListener('change', () => {
      wanted = input.value as Device
    })
  }
  let paused = false
  byId('pause').addEventListener('click', () => {
    paused = !paused
    say('pause', paused ? 'Go on' : 'Pause')
  })

  say('status', 'Live.')
  show(stream, state)
  document.documentElement.dataset.ready = 'true'
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000 / BARS_PER_SECOND))
    let moved = false
    if (wanted !== state.device) {
      say('status', `Compiling for ${NAMES[wanted]} …`)
      state.adapter = await adapterOf(wanted)
      state.device = wanted
      state.adapted = await adaptTo(stream, state.regime, state.adapter, state.device)
      say('status', 'Live.')
      moved = true
    }
    if (!paused) {
      if (!stream.next()) break
      moved = true
      const actual = stream.returns.at(-1)!
      state.costs.adapted += costOf(state.expected.adapted, actual)
      state.costs.fixed += costOf(state.expected.fixed, actual)
      state.costs.bars++
      const likeliest = stream.regimes.at(-1)!
      if (likeliest !== state.regime && stream.beliefs.at(-1)![likeliest]! >= SURE) {
        state.regime = likeliest
        state.adapted = await adaptTo(stream, likeliest, state.adapter, state.device)
      }
    }
    if (!moved) continue
    state.expected = await expect(state.adapted)
    show(stream, state)
  }
  say('status', 'The market is over; reload for another look.')
}

start().catch((error: unknown) => {
  say('status', String(error))
  console.error(error)
})
