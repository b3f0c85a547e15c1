import {
  arrayLeaf,
  decodeSnapshot,
  encodeSnapshot,
  hashSnapshot,
  isArrayLeaf,
  RegimenError,
  type Snapshot,
  snapshotFromJson,
  snapshotToJson,
  type Tree,
} from '@regimen/core'
import { type Checks, registerChecks, runChecks } from './checks.ts'
import { difference } from './compare.ts'
import { ContractError, promise } from './contract-error.ts'

/** Something that runs in steps and can be saved: how to open it, step it and save it. Each may be asynchronous. */
export interface SnapshotSuite<Running> {
  /** Registered name that the snapshots must carry. */
  id?: string
  /** Opens from scratch, or continues from a snapshot. */
  open(from?: Snapshot): Running | Promise<Running>
  /** Takes step `i` and answers what it came to, as data. */
  step(running: Running, i: number): unknown
  snapshot(running: Running): Snapshot | Promise<Snapshot>
  dispose?(running: Running): void
  /**
   * How many steps a run takes.
   * @default 12
   */
  steps?: number
}

const FORMS: { readonly [form: string]: (snapshot: Snapshot) => Snapshot } = {
  binary: (snapshot) => decodeSnapshot(encodeSnapshot(snapshot)),
  JSON: (snapshot) => snapshotFromJson(snapshotToJson(snapshot)),
}

/**
 * The promises about saving and restoring: at the start, in the middle and near the end, through the binary and the JSON
 * form, a restored object answers the same *and goes on to the same next states*; taking a snapshot changes nothing and the
 * snapshot stays as it was; a snapshot of something else, or with an array of another shape, is refused by its path.
 */
export function snapshotChecks<Running>(suite: SnapshotSuite<Running>): Checks {
  const { steps = 12, id } = suite
  const cuts = [...new Set([0, Math.floor(steps / 2), steps - 1])]
  const checks: { [promise: string]: () => Promise<void> } = {}

  for (const [form, roundTrip] of Object.entries(FORMS)) {
    checks[`continues identically from a snapshot (${form})`] = async () => {
      const reference = await trace(suite, steps)
      for (const cut of cuts) {
        const before = await openAndStep(suite, cut)
        const saved = await suite.snapshot(before)
        suite.dispose?.(before)
        const copy = roundTrip(saved)
        promise(
          hashSnapshot(copy) === hashSnapshot(saved),
          `the ${form} form keeps every bit`,
          () => `After step ${cut}, ${difference(copy.state, saved.state)}.`,
        )
        const text = `a restored object continues as the original would (${form}, after ${cut} of ${steps} steps)`
        const after = await suite.open(copy)
        await same(suite, after, reference.states[cut]!, `${text}: the state just restored`)
        for (let i = cut; i < steps; i++) {
          const wrong = difference(await suite.step(after, i), reference.answers[i])
          promise(wrong === undefined, text, () => `Step ${i}: ${wrong}.`)
          await same(suite, after, reference.states[i + 1]!, `${text}: the state after step ${i}`)
        }
        suite.dispose?.(after)
        promise(
          hashSnapshot(copy) === hashSnapshot(saved),
          'opening a snapshot and going on does not change it',
          () => `Snapshot of step ${cut}: ${difference(copy.state, saved.state)}.`,
        )
      }
    }
  }

  checks['a snapshot is a copy, and taking it changes nothing'] = async () => {
    const reference = await trace(suite, steps)
    const running = await suite.open()
    for (let i = 0; i < steps; i++) {
      const saved = await suite.snapshot(running)
      const hash = hashSnapshot(saved)
      const wrong = difference(await suite.step(running, i), reference.answers[i])
      promise(wrong === undefined, 'taking a snapshot does not change what follows', () => `Step ${i}: ${wrong}.`)
      promise(
        hashSnapshot(saved) === hash,
        'a snapshot shares nothing with the live object',
        () => `The snapshot taken before step ${i} changed during the step.`,
      )
    }
    await same(suite, running, reference.states[steps]!, 'taking snapshots does not change the final state')
    suite.dispose?.(running)
  }

  checks['refuses a snapshot that is not its own'] = async () => {
    const running = await openAndStep(suite, Math.floor(steps / 2))
    const saved = await suite.snapshot(running)
    suite.dispose?.(running)
    if (id !== undefined) promise(saved.id === id, 'a snapshot carries its factory’s id', () => `It says ${saved.id}.`)
    await refuses(suite, { ...saved, id: 'other/algorithm' }, 'the id of another algorithm')
    await refuses(suite, { ...saved, version: saved.version + 1 }, 'a version from the future')
    for (const { path, spoiled } of spoil(saved.state, 'state')) {
      const error = await refuses(suite, { ...saved, state: spoiled }, `${path} of another shape`)
      promise(error.message.includes(path), 'a refusal names the path', () => `Expected ${path} in: ${error.message}`)
    }
  }
  return checks
}

/** Runs {@link snapshotChecks}; the first broken promise rejects. */
export function checkSnapshot<Running>(suite: SnapshotSuite<Running>): Promise<void> {
  return runChecks(snapshotChecks(suite))
}

/** Registers {@link snapshotChecks} as vitest tests. */
export function testSnapshot<Running>(name: string, suite: SnapshotSuite<Running>): void {
  registerChecks(name, snapshotChecks(suite))
}

async function trace<R>(suite: SnapshotSuite<R>, steps: number): Promise<{ answers: unknown[]; states: string[] }> {
  const answers: unknown[] = []
  // The states come from runs of their own, so that a snapshot that disturbs the run cannot hide.
  const states: string[] = []
  const running = await suite.open()
  for (let i = 0; i < steps; i++) answers.push(structuredClone(await suite.step(running, i)))
  suite.dispose?.(running)
  for (let cut = 0; cut <= steps; cut++) {
    const until = await openAndStep(suite, cut)
    states.push(hashSnapshot(await suite.snapshot(until)))
    suite.dispose?.(until)
  }
  return { answers, states }
}

async function openAndStep<R>(suite: SnapshotSuite<R>, steps: number): Promise<R> {
  const running = await suite.open()
  for (let i = 0; i < steps; i++) await suite.step(running, i)
  return running
}

async function same<R>(suite: SnapshotSuite<R>, running: R, hash: string, text: string): Promise<void> {
  const got = hashSnapshot(await suite.snapshot(running))
  promise(got === hash, text, () => `Its hash is ${got.slice(0, 12)}… and should be ${hash.slice(0, 12)}….`)
}

async function refuses<R>(suite: SnapshotSuite<R>, bad: Snapshot, what: string): Promise<RegimenError> {
  try {
    const opened = await suite.open(bad)
    suite.dispose?.(opened)
  } catch (error) {
    if (error instanceof RegimenError) return error
    throw new ContractError(`${what} is refused with a RegimenError`, `It threw ${String(error)}.`)
  }
  throw new ContractError(`${what} is refused`, 'It was opened without complaint.')
}

/** The tree once for every array leaf in it, each time with that leaf one element longer. At most eight. */
function spoil(state: Tree, root: string): { path: string; spoiled: Tree }[] {
  const found: { path: string; spoiled: Tree }[] = []
  const visit = (tree: Tree, path: string, put: (leaf: Tree) => Tree): void => {
    if (found.length >= 8 || tree === null || typeof tree !== 'object') return
    if (isArrayLeaf(tree)) {
      const longer = arrayLeaf(tree.dtype, [...tree.shape.slice(1), (tree.shape[0] ?? 1) + 1, 1, 1])
      found.push({ path, spoiled: put(longer as Tree) })
    } else if (Array.isArray(tree)) {
      tree.forEach((item: Tree, i) => {
        visit(item, `${path}[${i}]`, (leaf) => put(tree.map((old: Tree, j) => (j === i ? leaf : old))))
      })
    } else {
      for (const [key, item] of Object.entries(tree)) {
        const at = /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`
        visit(item as Tree, at, (leaf) => put({ ...tree, [key]: leaf }))
      }
    }
  }
  visit(state, root, (leaf) => leaf)
  return found
}
