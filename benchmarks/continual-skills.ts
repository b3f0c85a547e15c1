import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { describeTask, openSkills, openTrainer, skillNet, type TaskData } from '@regimen/continual'
import { createRng } from '@regimen/core'
import { studentTQuantile } from '@regimen/core/math'
import type { Fetched } from '@regimen/tensor'
import { type DenseParams, mlp } from '@regimen/tensor'
import '@tensorflow/tfjs'
import { bench } from './harness.ts'

const WIDTH = 4
const REGIMES = 8
const VISITS = 32
/** Samples of a visit by which a start is chosen; they are learned too, and count. */
const FEW = 12
/** Samples that an adaptation may have had, on the way. */
const GROWTH = [12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]
const TESTED = 1000
const RATES = [0.003, 0.01, 0.03, 0.1]
const EPOCHS = [5, 15, 40]

interface Regime {
  readonly linear: Float64Array
  readonly crossed: Float64Array
}

/**
 * A regime is a rule by which four standard normal inputs make the odds of the label: log odds 2 w·x + 1.5 Σ v_j x_j x_{j+1}, of
 * directions w and v. No rule tells its name, and all inputs look alike. When it comes back it has moved: a fifth of it is new.
 */
function drawRegime(seed: string): Regime {
  const rng = createRng(seed)
  const direction = (): Float64Array => {
    const made = rng.fillNormal(new Float64Array(WIDTH))
    const length = Math.hypot(...made)
    return made.map((value) => value / length)
  }
  return { linear: direction(), crossed: direction() }
}

function moved(regime: Regime, seed: string): Regime {
  const fresh = drawRegime(seed)
  const mix = (a: Float64Array, b: Float64Array): Float64Array => {
    const made = a.map((value, i) => 0.8 * value + 0.2 * b[i]!)
    const length = Math.hypot(...made)
    return made.map((value) => value / length)
  }
  return { linear: mix(regime.linear, fresh.linear), crossed: mix(regime.crossed, fresh.crossed) }
}

function draw({ linear, crossed }: Regime, n: number, seed: string): TaskData {
  const rng = createRng(seed)
  const x = new Float32Array(n * WIDTH)
  const y = new Int32Array(n)
  for (let i = 0; i < n; i++) {
    let odds = 0
    for (let j = 0; j < WIDTH; j++) x[i * WIDTH + j] = rng.normal()
    for (let j = 0; j < WIDTH; j++) {
      odds += 2 * linear[j]! * x[i * WIDTH + j]!
      odds += 1.5 * crossed[j]! * x[i * WIDTH + j]! * x[i * WIDTH + ((j + 1) % WIDTH)]!
    }
    y[i] = rng.uniform() < 1 / (1 + Math.exp(-odds)) ? 1 : 0
  }
  return { x, y }
}

const first = ({ x, y }: TaskData, n: number): TaskData => ({
  x: Float32Array.from({ length: n * WIDTH }, (_, i) => x[i]!),
  y: Int32Array.from({ length: n }, (_, i) => y[i]!),
})

const shape = { inputs: WIDTH, outputs: 2 }
const net = mlp({ sizes: [WIDTH, 24, 24, 2] })
type Params = Fetched<DenseParams[]>
interface Recipe {
  readonly rate: number
  readonly epochs: number
}
interface Adapted {
  readonly loss: number
  readonly params: Params
}

async function adapt(
  data: TaskData,
  judged: TaskData,
  { rate, epochs }: Recipe,
  seed: string,
  start?: Params,
): Promise<Adapted> {
  const trainer = openTrainer({ net, ...shape, rate, batchSize: 32, seed, ...(start ? { params: start } : {}) })
  await trainer.learn(data, { epochs })
  const made = { loss: await trainer.loss(judged), params: trainer.params() }
  await trainer.dispose()
  return made
}

/** Losses on the way, for each number of samples, always from the same start. */
async function curve(
  data: TaskData,
  judged: TaskData,
  { rate, epochs }: Recipe,
  seed: string,
  start?: Params,
): Promise<number[]> {
  const trainer = openTrainer({ net, ...shape, rate, batchSize: 32, seed, ...(start ? { params: start } : {}) })
  const begin = trainer.snapshot()
  const losses: number[] = []
  for (const n of GROWTH) {
    trainer.restore(begin)
    await trainer.learn(first(data, n), { epochs })
    losses.push(await trainer.loss(judged))
  }
  await trainer.dispose()
  return losses
}

/** Samples until the loss is reached, the steps between joined by lines in log n. Twice the last where it never is. */
function needed(losses: readonly number[], target: number): number {
  const at = losses.findIndex((loss) => loss <= target)
  if (at < 0) return 2 * GROWTH.at(-1)!
  if (at === 0) return GROWTH[0]!
  const share = (losses[at - 1]! - target) / (losses[at - 1]! - losses[at]!)
  return Math.exp(Math.log(GROWTH[at - 1]!) + share * Math.log(GROWTH[at]! / GROWTH[at - 1]!))
}

/** The recipe that is best on other regimes: the mean loss over all numbers of samples, from scratch or from a moved regime's net. */
async function tuned(warm: boolean): Promise<Recipe> {
  let best: Recipe & { loss: number } = { rate: 0, epochs: 0, loss: Number.POSITIVE_INFINITY }
  const regimes = Array.from({ length: 3 }, (_, k) => drawRegime(`tune ${k}`))
  const starts: (Params | undefined)[] = []
  for (const [k, regime] of regimes.entries()) {
    const data = draw(regime, GROWTH.at(-1)!, `tune start ${k}`)
    starts.push(warm ? (await adapt(data, data, { rate: 0.01, epochs: 15 }, `tune ${k}`)).params : undefined)
  }
  for (const rate of RATES) {
    for (const epochs of EPOCHS) {
      let loss = 0
      for (const [k, regime] of regimes.entries()) {
        const back = warm ? moved(regime, `tune moved ${k}`) : regime
        const [data, judged] = [draw(back, GROWTH.at(-1)!, `tune data ${k}`), draw(back, TESTED, `tune judged ${k}`)]
        loss += mean(await curve(data, judged, { rate, epochs }, `tune ${k}`, starts[k]))
      }
      if (loss < best.loss) best = { rate, epochs, loss }
    }
  }
  return { rate: best.rate, epochs: best.epochs }
}

interface Run {
  readonly key: string
  readonly warm: number
  readonly cold: number
  readonly ratio: number
  readonly wrong: number
  readonly unreached: number
  readonly by_descriptor: number
  readonly retrieve_ms: number
  readonly adapt_ms: number
}

const mean = (list: readonly number[]): number => list.reduce((sum, one) => sum + one, 0) / list.length
const geometric = (list: readonly number[]): number => Math.exp(mean(list.map(Math.log)))

export default bench({
  name: 'continual-skills',
  description:
    'A stream that comes back to eight regimes: samples to the same loss from a retrieved skill and from scratch (--seeds=10, --out=FILE keeps finished seeds)',
  async run(context) {
    const seeds = context.number('seeds', 10)
    const out = context.args.find((arg) => arg.startsWith('--out='))?.slice(6)
    const known = new Map<string, Run>()
    if (out && existsSync(out)) {
      for (const line of readFileSync(out, 'utf8').split('\n')) {
        if (!line.endsWith('}')) continue
        const run = JSON.parse(line) as Run
        known.set(run.key, run)
      }
    }
    const recipes = { cold: await tuned(false), warm: await tuned(true) }
    context.log(`from scratch ${JSON.stringify(recipes.cold)}, warm ${JSON.stringify(recipes.warm)}`)
    const once = async (seed: number): Promise<Run> => {
      const key = `${seed}/${JSON.stringify(recipes)}`
      const found = known.get(key)
      if (found) return found
      const nets = skillNet({ net, ...shape })
      const library = openSkills({ inputs: WIDTH, features: 18, losses: nets.losses, capacity: 16, seed })
      const rng = createRng(`order ${seed}`)
      const regimes = Array.from({ length: REGIMES }, (_, k) => drawRegime(`${seed}/${k}`))
      const counts = { wrong: 0, visits: 0, unreached: 0, descriptor: 0 }
      const [warms, colds, retrieves, adapts]: number[][] = [[], [], [], []]
      for (let visit = 0; visit < VISITS; visit++) {
        const k = visit < REGIMES ? visit : rng.int(0, REGIMES)
        const name = `regime ${k}`
        const regime = visit < REGIMES ? regimes[k]! : moved(regimes[k]!, `${seed}/move/${visit}`)
        const data = draw(regime, GROWTH.at(-1)!, `${seed}/data/${visit}`)
        const judged = draw(regime, TESTED, `${seed}/judged/${visit}`)
        const run = `${seed}/${visit}`
        if (visit < REGIMES) {
          const { params } = await adapt(data, judged, recipes.cold, run)
          const held = draw(regime, 200, `${seed}/held/${visit}`)
          await library.add({
            name,
            model: nets.save(params),
            descriptor: describeTask(held, shape),
            samples: held,
            time: visit,
          })
          continue
        }
        counts.visits++
        const few = first(data, FEW)
        const begin = performance.now()
        const [match] = await library.retrieve(few)
        retrieves!.push(performance.now() - begin)
        if (match!.skill.name !== name) counts.wrong++
        if (library.nearest(describeTask(few, shape))[0]!.skill.name !== name) counts.descriptor++
        const cold = await curve(data, judged, recipes.cold, run)
        const started = performance.now()
        const warm = await curve(data, judged, recipes.warm, run, nets.load(match!.skill.model))
        adapts!.push((performance.now() - started) / GROWTH.length)
        // What a start from scratch comes to with a quarter of all samples.
        const target = cold[GROWTH.indexOf(128)]!
        const [a, b] = [needed(warm, target), needed(cold, target)]
        if (a > GROWTH.at(-1)!) counts.unreached++
        warms!.push(a)
        colds!.push(b)
      }
      await nets.dispose()
      const made = {
        key,
        warm: geometric(warms!),
        cold: geometric(colds!),
        ratio: geometric(warms!.map((one, i) => one / colds![i]!)),
        wrong: counts.wrong / counts.visits,
        unreached: counts.unreached / counts.visits,
        by_descriptor: counts.descriptor / counts.visits,
        retrieve_ms: mean(retrieves!),
        adapt_ms: mean(adapts!),
      }
      context.log(JSON.stringify(made))
      if (out) appendFileSync(out, `${JSON.stringify(made)}\n`)
      return made
    }
    const runs: Run[] = []
    for (let seed = 0; seed < seeds; seed++) runs.push(await once(seed))
    const figure = (name: Exclude<keyof Run, 'key'>, note: string, unit = '') => ({
      value: mean(runs.map((run) => run[name])),
      note,
      unit,
    })
    const logs = runs.map(({ ratio }) => Math.log(ratio))
    const error = Math.sqrt(logs.reduce((sum, one) => sum + (one - mean(logs)) ** 2, 0) / (seeds - 1) / seeds)
    const half = seeds > 1 ? studentTQuantile(0.975, seeds - 1) * error : Number.POSITIVE_INFINITY
    const [low, high] = [Math.exp(mean(logs) - half), Math.exp(mean(logs) + half)]
    return {
      figures: {
        sample_ratio: {
          value: Math.exp(mean(logs)),
          note: `95 % interval ${low.toFixed(3)} to ${high.toFixed(3)} over ${seeds} seeds`,
        },
        sample_ratio_high: high,
        warm_samples: figure('warm', 'to the loss that a start from scratch has with 128; geometric mean'),
        cold_samples: figure('cold', `at its best rate and epochs: ${JSON.stringify(recipes.cold)}`),
        wrong_retrieval: figure('wrong', `share of visits, by the loss on ${FEW} samples`),
        wrong_by_descriptor: figure('by_descriptor', 'share of visits, by the descriptor alone'),
        never_reached: figure('unreached', 'share of visits; counted as twice all samples'),
        retrieve: figure('retrieve_ms', `of ${REGIMES} skills`, 'ms'),
        adapt: figure('adapt_ms', 'one adaptation, a twelfth of the compilation included', 'ms'),
      },
    }
  },
})
