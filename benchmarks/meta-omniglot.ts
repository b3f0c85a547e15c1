import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type BenchContext, bench, type Figure } from './harness.ts'
import { type Omniglot, omniglot } from './meta-omniglot.lib.ts'
import { cellsOf, plans } from './meta-omniglot-plans.lib.ts'
import type { Answer, Cells, Settings } from './meta-omniglot-worker.lib.ts'

/** Published accuracies, in per cent, with about 1,200 training characters. */
const PUBLISHED: { readonly [cell: string]: number } = {
  'maml-mlp-5-1': 89.7,
  'maml-mlp-5-5': 97.5,
  'maml-conv-5-1': 98.7,
  'maml-conv-5-5': 99.9,
  'maml-conv-20-1': 95.8,
  'maml-conv-20-5': 98.9,
  'reptile-5-1': 97.68,
  'reptile-5-5': 99.48,
  'reptile-20-1': 89.43,
  'reptile-20-5': 97.12,
  'prototypical-5-1': 98.8,
  'prototypical-5-5': 99.7,
  'prototypical-20-1': 96.0,
  'prototypical-20-5': 98.9,
  'matching-5-1': 98.1,
  'matching-5-5': 98.9,
  'matching-20-1': 93.8,
  'matching-20-5': 98.5,
  'relation-5-1': 99.6,
  'relation-5-5': 99.8,
  'relation-20-1': 97.6,
  'relation-20-5': 99.1,
}

export default bench({
  name: 'meta-omniglot',
  description:
    'few-shot accuracy on characters of alphabets that were never seen, with batch norm by running averages and transductive (--only prototypical-5-5 for one cell, --results FILE to keep cells and go on, --jobs 2 trainings at a time, --tests 300, --scale 1 on the iterations, --validation to judge on the alphabet for choices, --filters 64,64,64,64 of the nets that compare)',
  async run(context) {
    const data = omniglot(context)
    if (!data) return { figures: { skipped: 'the Omniglot archives are not present' } }
    const file = option(context, 'results')
    const cells: Cells = file && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Cells) : {}
    const only = option(context, 'only')
    const wanted = Object.keys(plans()).filter((name) =>
      cellsOf(name).some((cell) => !(cell in cells) && (only === undefined || only === cell)),
    )
    await inProcesses(wanted, context, (found) => {
      Object.assign(cells, found)
      if (file) writeFileSync(file, `${JSON.stringify(cells, null, 2)}\n`)
    })
    return { figures: { ...sizes(data), training: trainingOf(cells), ...figuresOf(cells) } }
  },
})

/** Lets each of the processes train what is next on the list until none is left. */
async function inProcesses(
  names: readonly string[],
  context: BenchContext,
  found: (cells: Cells) => void,
): Promise<void> {
  const settings: Settings = {
    scale: context.number('scale', 1),
    tests: context.number('tests', 300),
    validation: context.flag('validation'),
    filters: filtersOf(option(context, 'filters')),
  }
  const queue = [...names]
  const work = (child: ChildProcess): Promise<void> =>
    new Promise((resolve, reject) => {
      const next = (): void => {
        const name = queue.shift()
        if (name === undefined) resolve()
        else child.send(name)
      }
      child.on('error', reject)
      child.on('exit', (code) => reject(new Error(`A training ended with exit code ${code}.`)))
      child.on('message', (answer: Answer) => {
        if ('progress' in answer) return context.log(answer.progress)
        for (const [cell, { running, transductive, seconds }] of Object.entries(answer.cells)) {
          const [own, seen] = [running, transductive].map((pair) => pair.map(percent).join(' ± '))
          context.log(`${cell}: running ${own}, transductive ${seen}, ${seconds | 0} s`)
        }
        found(answer.cells)
        next()
      })
      next()
    })
  const script = fileURLToPath(new URL('./meta-omniglot-worker.lib.ts', import.meta.url))
  const children = Array.from({ length: Math.min(context.number('jobs', 2), names.length) }, () =>
    fork(script, [JSON.stringify(settings)]),
  )
  try {
    await Promise.all(children.map(work))
  } finally {
    for (const child of children) child.kill()
  }
}

function figuresOf(cells: Cells): { [name: string]: Figure } {
  const figures: { [name: string]: Figure } = {}
  for (const [cell, { running, transductive, seconds }] of Object.entries(cells)) {
    const published = PUBLISHED[cell] === undefined ? '' : `, published ${PUBLISHED[cell]}`
    const note = (interval: number) => `± ${percent(interval)}${published}, ${Math.round(seconds)} s`
    figures[cell] = { value: 100 * running[0], unit: '%', note: note(running[1]) }
    figures[`${cell}_transductive`] = { value: 100 * transductive[0], unit: '%', note: note(transductive[1]) }
  }
  return figures
}

/** What all trainings took together; two ran at a time. */
function trainingOf(cells: Cells): Figure {
  const seconds = Object.keys(plans()).map((name) => cells[cellsOf(name)[0]!]?.seconds ?? 0)
  return {
    value: seconds.reduce((a, b) => a + b, 0) / 60,
    unit: 'min',
    note: 'sum over trainings, of which --jobs run at a time',
  }
}

function sizes(data: Omniglot): { [name: string]: Figure } {
  return {
    train_characters: data.train.characters,
    validation_characters: data.validation.characters,
    test_characters: data.test.characters,
  }
}

const percent = (share: number): string => (100 * share).toFixed(1)

function filtersOf(text: string | undefined): number[] | undefined {
  const filters = text?.split(',').map(Number)
  if (filters && (filters.length !== 4 || filters.some((count) => !Number.isInteger(count) || count < 1)))
    throw new Error(`--filters must be four counts such as 64,64,64,64, got ${text}.`)
  return filters
}

function option(context: BenchContext, name: string): string | undefined {
  const at = context.args.indexOf(`--${name}`)
  return at < 0 ? undefined : context.args[at + 1]
}
