import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { type Snapshot, snapshotFromJson, snapshotToJson } from '@regimen/core'
import {
  anil,
  cavia,
  evaluate,
  fastWeights,
  fomaml,
  graphNet,
  hypernetwork,
  imaml,
  inContext,
  type MetaLearner,
  type MetaModel,
  maml,
  mamlPlusPlus,
  mann,
  matching,
  metaLstm,
  metaSgd,
  metaTrain,
  modelFromSnapshot,
  modelToSnapshot,
  openAdapter,
  prototypical,
  relation,
  reptile,
  snail,
  type Task,
  type TaskSampler,
} from '@regimen/meta'
import { cosineDecay, mlp, softmaxCrossEntropy } from '@regimen/tensor'
import { type Figure, interleave } from './harness.ts'
import { mean, paired } from './meta-baselines.lib.ts'

/** One learner of the table, and how it likes to be trained. */
interface Contestant {
  readonly learner: MetaLearner
  /** Outer rate at the start. @default 2e-3 */
  readonly rate?: number
}

/** All learners on tasks of vectors with fixed classes; the gradient-based ones adapt the same net. */
export function contestants(inputs: number, ways: number): { readonly [name: string]: Contestant } {
  const net = (outputs: number, extra = 0) => mlp({ sizes: [inputs + extra, 64, 64, outputs] })
  const common = { net: net(ways), loss: softmaxCrossEntropy, steps: 5, rate: 0.1 }
  return {
    maml: { learner: maml(common) },
    fomaml: { learner: fomaml(common) },
    anil: { learner: anil(common) },
    metaSgd: { learner: metaSgd({ ...common, steps: 3, rate: 0.02 }) },
    mamlPlusPlus: { learner: mamlPlusPlus(common) },
    cavia: { learner: cavia({ ...common, net: net(ways, 16), context: 16, rate: 1 }) },
    // Rate and pull by validation tasks: the inner loop must come close to its minimum.
    imaml: { learner: imaml({ ...common, steps: 16, rate: 0.02, pull: 0.5 }) },
    reptile: { learner: reptile({ net: net(ways), loss: softmaxCrossEntropy, steps: 5, rate: 0.02 }), rate: 1 },
    prototypical: { learner: prototypical({ net: net(16), ways, embedding: 16 }) },
    matching: { learner: matching({ net: net(16), ways, embedding: 16 }) },
    relation: { learner: relation({ ways, scales: [{ net: net(16), relation: mlp({ sizes: [32, 16, 1] }) }] }) },
    graphNet: { learner: graphNet({ net: net(16), ways, embedding: 16 }), rate: 1e-3 },
    inContext: { learner: inContext({ inputs, ways, width: 48, heads: 2, layers: 1 }) },
    snail: { learner: snail({ inputs, ways, samples: 30 }), rate: 1e-3 },
    mann: { learner: mann({ inputs, ways, slots: 32 }), rate: 1e-3 },
    fastWeights: { learner: fastWeights({ inputs, ways }), rate: 1e-3 },
    hypernetwork: { learner: hypernetwork({ net: net(ways), inputs, ways, embedding: 16 }), rate: 1e-3 },
    metaLstm: { learner: metaLstm({ net: net(ways), rate: 0.05 }) },
  }
}

interface Row {
  readonly name: string
  readonly iterations: number
  readonly accuracies: readonly number[]
  readonly model: string
}

/** What {@link compareLearners} needs. */
export interface Comparison {
  readonly contestants: { readonly [name: string]: Contestant }
  readonly train: TaskSampler
  readonly validation: readonly Task[]
  readonly test: readonly Task[]
  readonly iterations: number
  /** Learners to train; the others are printed where the file has them. @default all */
  readonly only?: readonly string[]
  /** Keeps trained learners and goes on from them. */
  readonly file?: string
  readonly log: (line: string) => void
}

/**
 * Trains every learner on the same tasks for the same number of iterations, and prints accuracy on the test tasks and the time that
 * adapting to a support set and answering its queries takes, all learners in turn.
 */
export async function compareLearners(comparison: Comparison): Promise<{ [name: string]: Figure }> {
  const { contestants, train, validation, test, iterations, only, file, log } = comparison
  const rows = readRows(file, iterations)
  for (const [name, { learner, rate = 2e-3 }] of Object.entries(contestants)) {
    if (rows.has(name) || (only && !only.includes(name))) continue
    const begin = performance.now()
    const { model } = await metaTrain(learner, train, {
      iterations,
      tasksPerBatch: 16,
      rate: cosineDecay({ from: rate, to: rate / 100, steps: iterations }),
      validation,
      validateEvery: 250,
      onReport: ({ iteration, loss, validationLoss }) => {
        if (validationLoss !== undefined && iteration % 1000 === 0)
          log(`${name} ${iteration}: ${loss.toFixed(3)}, validation ${validationLoss.toFixed(3)}`)
      },
    })
    const { values } = (await evaluate(model, test)).accuracies!.at(-1)!
    const row = { name, iterations, accuracies: [...values], model: snapshotToJson(modelToSnapshot(model)) }
    rows.set(name, row)
    if (file) appendFileSync(file, `${JSON.stringify(row)}\n`)
    log(`${name}: ${mean(values).toFixed(3)}, trained in ${((performance.now() - begin) / 1000).toFixed(0)} s`)
  }
  const models = new Map<string, MetaModel>()
  for (const [name, { learner }] of Object.entries(contestants)) {
    const row = rows.get(name)
    if (row) models.set(name, modelFromSnapshot(learner, snapshotFromJson(row.model) as Snapshot))
  }
  const times = await latencies(models, test)
  const figures: { [name: string]: Figure } = {}
  for (const name of models.keys()) {
    const values = rows.get(name)!.accuracies
    const { mean: difference, low, high } = paired(values, rows.get('maml')?.accuracies ?? values)
    figures[`${name}_accuracy`] = {
      value: mean(values),
      note: `against MAML ${difference.toFixed(3)}, 95 % from ${low.toFixed(3)} to ${high.toFixed(3)}`,
    }
    figures[`${name}_ms`] = { value: times[name]!, unit: 'ms', note: 'adaptation and answers, median' }
  }
  return figures
}

/** Milliseconds of an adaptation together with the answers to a task's queries, learner by learner in turn. */
async function latencies(models: ReadonlyMap<string, MetaModel>, tasks: readonly Task[]) {
  const sizes = [tasks[0]!.support.x.shape[0]!, tasks[0]!.query.x.shape[0]!].sort((a, b) => a - b)
  const adapters = [...models].map(([name, model]) => ({ name, adapter: openAdapter(model, { sizes }) }))
  let turn = 0
  const runs = adapters.map(({ name, adapter }) => {
    const run = async () => {
      const { support, query } = tasks[turn++ % tasks.length]!
      await (await adapter(support)).predict(query.x)
    }
    return [name, run] as const
  })
  const { timings } = await interleave(Object.fromEntries(runs), { runs: 200, warmup: 20 })
  for (const { adapter } of adapters) await adapter.dispose()
  return Object.fromEntries(Object.entries(timings).map(([name, { median }]) => [name, median]))
}

function readRows(file: string | undefined, iterations: number): Map<string, Row> {
  const rows = new Map<string, Row>()
  if (!file || !existsSync(file)) return rows
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue
    const row = JSON.parse(line) as Row
    if (row.iterations === iterations) rows.set(row.name, row)
  }
  return rows
}
