import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import {
  describeTask,
  openSkills,
  openTrainer,
  type Skill,
  skillNet,
  type TaskData,
  type Trainer,
} from '@regimen/continual'
import { createRng, type Snapshot } from '@regimen/core'
import { studentTQuantile } from '@regimen/core/math'
import type { Fetched } from '@regimen/tensor'
import { type DenseParams, mlp } from '@regimen/tensor'
import '@tensorflow/tfjs'
import { bench } from './harness.ts'

const WIDTH = 4
const REGIMES = 8
const VISITS = 20
/** Samples that an adaptation may have had, on the way. A start is chosen by the same samples. */
const GROWTH = [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]
const MOST = GROWTH.at(-1)!
/** The loss to reach is what a start from scratch has after so many; the middle one is the figure. */
const AIMS = [64, 128, 256] as const
const AIM = 128
const TESTED = 1000
const RATES = [0.0003, 0.001, 0.003, 0.01, 0.03]
const EPOCHS = [5, 15, 40, 120]

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

/** Losses on the way, for each number of samples, from a start that may depend on them. */
async function curve(
  data: TaskData,
  judged: TaskData,
  { rate, epochs }: Recipe,
  seed: string,
  startOf: (few: TaskData) => Promise<Params | undefined>,
  growth: readonly number[] = GROWTH,
): Promise<number[]> {
  const losses: number[] = []
  const trainers = new Map<string, { trainer: Trainer<DenseParams[]>; begin: Snapshot }>()
  for (const n of growth) {
    const few = first(data, n)
    const start = await startOf(few)
    const key = start ? Array.from(start[0]!.kernel.data).join() : 'scratch'
    let one = trainers.get(key)
    if (!one) {
      const trainer = openTrainer({ net, ...shape, rate, batchSize: 32, seed, ...(start ? { params: start } : {}) })
      one = { trainer, begin: trainer.snapshot() }
      trainers.set(key, one)
    }
    one.trainer.restore(one.begin)
    await one.trainer.learn(few, { epochs })
    losses.push(await one.trainer.loss(judged))
  }
  for (const { trainer } of trainers.values()) await trainer.dispose()
  return losses
}

/** Samples until the loss is reached, the steps between joined by lines in log n. Twice the last where it never is. */
function needed(losses: readonly number[], target: number): number {
  const at = losses.findIndex((loss) => loss <= target)
  if (at < 0) return 2 * MOST
  if (at === 0) return GROWTH[0]!
  const share = (losses[at - 1]! - target) / (losses[at - 1]! - losses[at]!)
  return Math.exp(Math.log(GROWTH[at - 1]!) + share * Math.log(GROWTH[at]! / GROWTH[at - 1]!))
}

/** The recipe that is best on other regimes: from scratch at the very number that sets the loss to reach, warm over several. */
async function tuned(warm: boolean, lived: number): Promise<Recipe> {
  const growth = warm ? [8, 32, 128] : [AIM]
  let best: Recipe & { loss: number } = { rate: 0, epochs: 0, loss: Number.POSITIVE_INFINITY }
  const regimes = Array.from({ length: 3 }, (_, k) => drawRegime(`tune ${k}`))
  const starts: (Params | undefined)[] = []
  for (const [k, regime] of regimes.entries()) {
    const data = draw(regime, lived, `tune start ${k}`)
    starts.push(warm ? (await adapt(data, data, { rate: 0.01, epochs: 15 }, `tune ${k}`)).params : undefined)
  }
  for (const rate of RATES) {
    for (const epochs of EPOCHS) {
      let loss = 0
      for (const [k, regime] of regimes.entries()) {
        const back = warm ? moved(regime, `tune moved ${k}`) : regime
        const [data, judged] = [draw(back, MOST, `tune data ${k}`), draw(back, TESTED, `tune judged ${k}`)]
        loss += mean(await curve(data, judged, { rate, epochs }, `tune ${k}`, async () => starts[k], growth))
      }
      if (loss < best.loss) best = { rate, epochs, loss }
    }
  }
  return { rate: best.rate, epochs: best.epochs }
}

interface Run {
  readonly key: string
  /** Of a line that says how to adapt. */
  readonly recipe?: Recipe
  readonly warm: number
  readonly cold: number
  /** For each aim. */
  readonly ratios: readonly number[]
  /** Share of visits after which the skill took the adapted model. */
  readonly replaced: number
  readonly wrong: number
  readonly unreached: number
  readonly wrong32: number
  readonly by_descriptor32: number
  readonly retrieve_ms: number
}

const mean = (list: readonly number[]): number => list.reduce((sum, one) => sum + one, 0) / list.length
const geometric = (list: readonly number[]): number => Math.exp(mean(list.map(Math.log)))

export default bench({
  name: 'continual-skills',
  description:
    'A stream that comes back to eight regimes: samples to the same loss from a retrieved skill and from scratch (--seeds=10, --lived=1024 samples of a first visit, --out=FILE keeps finished seeds)',
  async run(context) {
    const seeds = context.number('seeds', 10)
    // Samples of a regime's first visit, from which its skill is learned.
    const lived = context.number('lived', 1024)
    const out = context.args.find((arg) => arg.startsWith('--out='))?.slice(6)
    const known = new Map<string, Run>()
    if (out && existsSync(out)) {
      for (const line of readFileSync(out, 'utf8').split('\n')) {
        if (!line.endsWith('}')) continue
        const run = JSON.parse(line) as Run
        known.set(run.key, run)
      }
    }
    const recipeOf = async (name: string): Promise<Recipe> => {
      const key = `${name}/${lived}`
      const found = known.get(key)
      if (found) return found.recipe!
      const recipe = await tuned(name === 'warm', lived)
      if (out) appendFileSync(out, `${JSON.stringify({ key, recipe })}\n`)
      return recipe
    }
    const recipes = { cold: await recipeOf('cold'), warm: await recipeOf('warm') }
    context.log(`from scratch ${JSON.stringify(recipes.cold)}, warm ${JSON.stringify(recipes.warm)}`)
    const once = async (seed: number): Promise<Run> => {
      const key = `${seed}/${lived}/${JSON.stringify(recipes)}`
      const found = known.get(key)
      if (found) return found
      const nets = skillNet({ net, ...shape })
      const library = openSkills({ inputs: WIDTH, features: 18, losses: nets.losses, capacity: 16, seed })
      const rng = createRng(`order ${seed}`)
      const regimes = Array.from({ length: REGIMES }, (_, k) => drawRegime(`${seed}/${k}`))
      const counts = { wrong: 0, wrong32: 0, descriptor32: 0, visits: 0, unreached: 0, replaced: 0 }
      const ratios: number[][] = AIMS.map(() => [])
      const warms: number[] = []
      const colds: number[] = []
      const retrieves: number[] = []
      for (let visit = 0; visit < VISITS; visit++) {
        const k = visit < REGIMES ? visit : rng.int(0, REGIMES)
        const name = `regime ${k}`
        const regime = visit < REGIMES ? regimes[k]! : moved(regimes[k]!, `${seed}/move/${visit}`)
        const data = draw(regime, visit < REGIMES ? lived : MOST, `${seed}/data/${visit}`)
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
        let nearest: Skill | undefined
        const scratch = await curve(data, judged, recipes.cold, run, async () => undefined)
        const warm = await curve(data, judged, recipes.warm, run, async (few) => {
          const n = few.y.length
          const begin = performance.now()
          const [match] = await library.retrieve(few)
          retrieves.push(performance.now() - begin)
          if (n === GROWTH[0]) counts.wrong += match!.skill.name === name ? 0 : 1
          if (n === 32) {
            counts.wrong32 += match!.skill.name === name ? 0 : 1
            counts.descriptor32 += library.nearest(describeTask(few, shape))[0]!.skill.name === name ? 0 : 1
          }
          nearest = match!.skill
          return nets.load(match!.skill.model)
        })
        for (const [i, aim] of AIMS.entries()) {
          const target = scratch[GROWTH.indexOf(aim)]!
          const [a, b] = [needed(warm, target), needed(scratch, target)]
          ratios[i]!.push(a / b)
          if (aim !== AIM) continue
          if (a > MOST) counts.unreached++
          warms.push(a)
          colds.push(b)
        }
        // The skill learns on, from what the stream itself takes the visit for.
        const skill = nearest!
        library.hold(skill.name, draw(regime, 50, `${seed}/held/${visit}`))
        await library.validate(visit)
        const { params } = await adapt(data, judged, recipes.warm, run, nets.load(skill.model))
        if ((await library.replace(skill.name, nets.save(params), visit)).accepted) counts.replaced++
      }
      await nets.dispose()
      const made = {
        key,
        warm: geometric(warms),
        cold: geometric(colds),
        ratios: ratios.map(geometric),
        wrong: counts.wrong / counts.visits,
        replaced: counts.replaced / counts.visits,
        unreached: counts.unreached / counts.visits,
        wrong32: counts.wrong32 / counts.visits,
        by_descriptor32: counts.descriptor32 / counts.visits,
        retrieve_ms: mean(retrieves),
      }
      context.log(JSON.stringify(made))
      if (out) appendFileSync(out, `${JSON.stringify(made)}\n`)
      return made
    }
    const runs: Run[] = []
    for (let seed = 0; seed < seeds; seed++) runs.push(await once(seed))
    const figure = (name: Exclude<keyof Run, 'key' | 'recipe' | 'ratios'>, note: string, unit = '') => ({
      value: mean(runs.map((run) => run[name])),
      note,
      unit,
    })
    const ratioTo = (aim: (typeof AIMS)[number]) => {
      const logs = runs.map(({ ratios }) => Math.log(ratios[AIMS.indexOf(aim)]!))
      const error = Math.sqrt(logs.reduce((sum, one) => sum + (one - mean(logs)) ** 2, 0) / (seeds - 1) / seeds)
      const half = seeds > 1 ? studentTQuantile(0.975, seeds - 1) * error : Number.POSITIVE_INFINITY
      const [low, high] = [Math.exp(mean(logs) - half), Math.exp(mean(logs) + half)]
      const note = `95 % interval ${low.toFixed(3)} to ${high.toFixed(3)} over ${seeds} seeds, to the loss from scratch with ${aim}`
      return { value: Math.exp(mean(logs)), note, high }
    }
    const { high, ...ratio } = ratioTo(AIM)
    return {
      figures: {
        sample_ratio: ratio,
        sample_ratio_high: high,
        sample_ratio_64: { value: ratioTo(64).value, note: ratioTo(64).note },
        sample_ratio_256: { value: ratioTo(256).value, note: ratioTo(256).note },
        warm_samples: figure('warm', `to the loss that a start from scratch has with ${AIM}; geometric mean`),
        cold_samples: figure('cold', `at its best rate and epochs: ${JSON.stringify(recipes.cold)}`),
        wrong_retrieval: figure('wrong', `share of visits, by the loss on the first ${GROWTH[0]} samples`),
        wrong_by_32: figure('wrong32', 'share of visits, by the loss on the first 32'),
        wrong_by_descriptor: figure('by_descriptor32', 'share of visits, by the descriptor of the first 32 alone'),
        learned_on: figure('replaced', 'share of visits after which the skill took the adapted model'),
        never_reached: figure('unreached', 'share of visits; counted as twice all samples'),
        retrieve: figure('retrieve_ms', `of ${REGIMES} skills`, 'ms'),
      },
    }
  },
})
