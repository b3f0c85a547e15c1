import {
  check,
  createEvent,
  createRng,
  createSnapshot,
  describe,
  hashSnapshot,
  restore,
  type Snapshot,
  type Tree,
} from '@regimen/core'
import { checkCount } from '../structure/task-net.ts'
import { createDecayTest, testLoss } from './decay-test.ts'
import { distanceOf, skillGraph } from './graph.ts'
import { type Held, halves, heldSamples, joinHeld, latest } from './held.ts'
import type {
  Added,
  Skill,
  SkillLibrary,
  SkillMatch,
  SkillSamples,
  SkillsOptions,
  SkillVerdict,
} from './skill-types.ts'
import { type Entry, readEntry, stateSchema, writeEntry } from './state.ts'

const WHERE = 'continual/skills'
/** What a loss that is not finite counts as. */
const WORST = 1e9

/**
 * Opens a library of skills: regimes or tasks as nodes, each with the snapshot of its model, metrics, a descriptor and samples held
 * back. When something known returns, `retrieve` finds by a handful of samples the model to start from: it measures the loss
 * of stored models on them, of all or of the nearest by descriptor. It sees only what was stored before.
 *
 * `validate` judges every skill by samples that nothing learned from, as they come. The test is sequential and exact: a skill whose losses
 * stay exchangeable with those when it was stored raises an alarm, however often it is judged, with a chance of at most
 * `falseAlarms` (1 % unless said), counted from `add`, `replace` or a merge; the watch ends at the alarm. Losses that grow
 * clearly are noticed within some tens of samples.
 *
 * Where the library is full, the skill that decayed first goes. If none has, of the two nearest by descriptor the one whose model is
 * worse on the held-back samples of both is merged into the other, which keeps its name, its own model and a descriptor between them.
 *
 * Gotchas: held-back samples must be of the skill's regime and never learned; where the losses of neighbouring bars depend on each other they
 * are not exchangeable: hold back samples that lie apart. Distances are plain, so features should be of the same order. One change at a time: await each. Memory: a model, `held` samples and `reference` losses a skill.
 *
 * ```ts
 * import { describeTask, openSkills, skillNet } from '@regimen/continual'
 * import { dense } from '@regimen/tensor'
 * import '@tensorflow/tfjs'
 *
 * const shape = { inputs: 1, outputs: 1, likelihood: 'gaussian' as const }
 * const nets = skillNet({ net: dense({ inputs: 1, outputs: 1, bias: false }), ...shape })
 * const line = (slope: number) => nets.save({ kernel: { dtype: 'float32', shape: [1, 1], data: new Float32Array([slope]) } })
 * const samples = (slope: number) => ({ x: [-1, 1, 2], y: [-slope, slope, 2 * slope] })
 *
 * const library = openSkills({ inputs: 1, features: 4, losses: nets.losses })
 * for (const [name, slope] of [['rising', 2], ['falling', -1]] as const) {
 *   const descriptor = describeTask(samples(slope), shape)
 *   await library.add({ name, model: line(slope), descriptor, samples: samples(slope), time: 0 })
 * }
 * const [best] = await library.retrieve({ x: [1], y: [-0.9] })
 * best!.skill.name // => 'falling'
 * nets.load(best!.skill.model).kernel.data[0] // => -1
 * await nets.dispose()
 * ```
 *
 * References: Vovk, Gammerman and Shafer 2005 (conformal test martingales); Ville 1939; Shin, Ramdas and Rinaldo 2022 (bets that begin anew).
 */
export function openSkills(options: SkillsOptions, from?: Snapshot): SkillLibrary {
  const { inputs, targets = 1, features, capacity = 64, held: room = 256, falseAlarms = 0.01 } = options
  const { reference = 256, links = 3, events, seed = 0 } = options
  for (const [name, value] of Object.entries({ inputs, targets, features, capacity })) checkCount(name, value, WHERE)
  for (const [name, value, least] of [
    ['held', room, 2],
    ['reference', reference, 2],
    ['links', links, 0],
  ] as const)
    check(
      Number.isInteger(value) && value >= least,
      WHERE,
      () => `${name} must be an integer from ${least}, got ${describe(value)}.`,
    )
  check(
    falseAlarms > 0 && falseAlarms < 1,
    WHERE,
    () => `falseAlarms must lie between 0 and 1, got ${describe(falseAlarms)}.`,
  )
  const config = { inputs, targets, features, capacity, held: room, falseAlarms, reference, links }
  const shape = { width: inputs, targets, limit: room }
  let rng = createRng(seed)
  let entries: Entry[] = []
  let busy = false

  const find = (name: string): Entry | undefined =>
    entries.find(({ skill }) => skill.name === name) ?? entries.find(({ skill }) => skill.absorbed.includes(name))
  const need = (name: string): Entry => {
    const entry = find(name)
    check(entry !== undefined, WHERE, () => `there is no skill ${describe(name)}.`, 'Add it first.')
    return entry
  }
  const idle = (): void =>
    check(!busy, WHERE, () => 'it is still adding, replacing or judging.', 'Await one change before the next.')
  /** Keeps changes from crossing each other while losses are measured. */
  const alone = async <T>(work: () => Promise<T>): Promise<T> => {
    idle()
    busy = true
    try {
      return await work()
    } finally {
      busy = false
    }
  }
  const lossesOf = async (model: Snapshot, samples: SkillSamples, name: string): Promise<Float64Array> => {
    const n = samples.x.length / inputs
    const made = await options.losses(model, samples)
    check(made.length === n, WHERE, () => `losses must give ${n} numbers for ${describe(name)}, got ${made.length}.`)
    return Float64Array.from(made, (value) => (Number.isFinite(value) ? value : WORST))
  }
  const emit = (type: string, time: number, reason: string, skill: Skill, data: { readonly [key: string]: Tree }) =>
    events?.emit(
      createEvent({
        type: `continual/skill-${type}`,
        time,
        reason,
        inputs: { model: hashSnapshot(skill.model) },
        data: { skill: skill.name, ...data },
      }),
    )
  const checkDescriptor = (descriptor: ArrayLike<number>): Float64Array => {
    const made = Float64Array.from(descriptor)
    check(
      made.length === features && made.every(Number.isFinite),
      WHERE,
      () => `a descriptor must hold ${features} finite numbers, got ${describe(descriptor)}.`,
    )
    return made
  }
  const checkTime = (time: number): void =>
    check(Number.isFinite(time), WHERE, () => `time must be epoch milliseconds, got ${describe(time)}.`)
  const near = (list: readonly Entry[], descriptor: Float64Array): { entry: Entry; distance: number }[] =>
    list
      .map((entry) => ({ entry, distance: distanceOf(entry.skill.descriptor, descriptor) }))
      .sort((a, b) => a.distance - b.distance)
  /** The entry with a new model or new samples: its watch begins anew. */
  const watched = (skill: Skill, held: Held, losses: Float64Array): Entry => ({
    skill: { ...skill, loss: meanOf(losses), evidence: 1, decayed: null },
    held,
    fresh: 0,
    test: createDecayTest(losses.slice(-reference)),
  })

  /** One too many: what goes, and what stays in its place. */
  const makeRoom = async (all: readonly Entry[]): Promise<{ all: Entry[]; gone: Entry; into: Entry | null }> => {
    const decayed = all.filter(({ skill }) => skill.decayed !== null)
    if (decayed.length > 0) {
      const gone = decayed.reduce((a, b) => (b.skill.decayed! < a.skill.decayed! ? b : a))
      return { all: all.filter((entry) => entry !== gone), gone, into: null }
    }
    let [a, b, least] = [0, 1, Number.POSITIVE_INFINITY]
    for (let i = 0; i < all.length; i++)
      for (let j = i + 1; j < all.length; j++) {
        const distance = distanceOf(all[i]!.skill.descriptor, all[j]!.skill.descriptor)
        if (distance < least) [a, b, least] = [i, j, distance]
      }
    const pair = [all[a]!, all[b]!] as const
    const held = halves(pair[0].held, pair[1].held, shape)
    const losses = [
      await lossesOf(pair[0].skill.model, held, pair[0].skill.name),
      await lossesOf(pair[1].skill.model, held, pair[1].skill.name),
    ] as const
    const first = meanOf(losses[0]) <= meanOf(losses[1]) ? 0 : 1
    const [stays, gone] = [pair[first], pair[1 - first]!]
    const shares = [stays, gone].map(({ held: { x } }) => x.length)
    const descriptor = stays.skill.descriptor.map(
      (value, i) => (value * shares[0]! + gone.skill.descriptor[i]! * shares[1]!) / (shares[0]! + shares[1]!),
    )
    const absorbed = [...stays.skill.absorbed, gone.skill.name, ...gone.skill.absorbed]
    const into = watched({ ...stays.skill, descriptor, absorbed }, held, losses[first])
    return { all: all.flatMap((entry) => (entry === gone ? [] : entry === stays ? [into] : [entry])), gone, into }
  }

  if (from) {
    const saved = restore(from, { id: WHERE, version: 1, state: stateSchema(config), children: 'any' })
    check(
      JSON.stringify(saved.config) === JSON.stringify(config),
      WHERE,
      () => 'the snapshot is of a library with other options.',
      'Open it with the options it was made with.',
    )
    rng = createRng(saved.state.rng)
    entries = saved.state.skills.map((one, i) => readEntry(one, saved.children[`skill-${i}`], WHERE))
  }

  return {
    get skills() {
      return entries.map(({ skill }) => skill)
    },
    get: (name) => find(name)?.skill,
    add: (given): Promise<Added> =>
      alone(async () => {
        const { name, kind = 'regime', model, metrics = {}, parent = null, time } = given
        check(
          typeof name === 'string' && name !== '' && find(name) === undefined,
          WHERE,
          () => `name must be a new one, got ${describe(name)}.`,
          'Give a known skill a new model with replace.',
        )
        check(kind === 'regime' || kind === 'task', WHERE, () => `kind must be regime or task, got ${describe(kind)}.`)
        checkTime(time)
        for (const [metric, value] of Object.entries(metrics))
          check(Number.isFinite(value), WHERE, () => `metrics.${metric} must be a finite number, got ${value}.`)
        const descriptor = checkDescriptor(given.descriptor)
        const offered = heldSamples(given.samples, shape, WHERE).held
        const held = latest(offered, Math.min(room, offered.y.length / targets), shape)
        const n = held.y.length / targets
        check(n >= 2, WHERE, () => `a skill needs at least 2 finite samples held back, got ${n}.`)
        const losses = await lossesOf(model, held, name)
        const lost = losses.indexOf(WORST)
        check(lost < 0, WHERE, () => `the model of ${describe(name)} has a loss that is not finite, at sample ${lost}.`)
        const skill: Skill = {
          name,
          kind,
          model,
          descriptor,
          metrics: { ...metrics },
          parent,
          absorbed: [],
          added: time,
          judged: 0,
          loss: 0,
          evidence: 1,
          decayed: null,
        }
        const entry = watched(skill, held, losses)
        const all = [...entries, entry]
        const made = all.length > capacity ? await makeRoom(all) : undefined
        entries = made?.all ?? all
        emit('added', time, `It was stored with a loss of ${entry.skill.loss} on ${n} samples.`, skill, {
          loss: entry.skill.loss,
        })
        if (!made) return { skill: entry.skill }
        const { gone, into } = made
        const removed = { name: gone.skill.name, into: into?.skill.name ?? null }
        if (into)
          emit(
            'merged',
            time,
            `There is room for ${capacity}; ${into.skill.name} is nearest and answers for both.`,
            gone.skill,
            {
              into: into.skill.name,
              loss: into.skill.loss,
            },
          )
        else emit('evicted', time, `There is room for ${capacity}, and it decayed first.`, gone.skill, {})
        return { skill: need(name).skill, removed }
      }),
    replace: (name, model, time) =>
      alone(async () => {
        checkTime(time)
        const entry = need(name)
        const old = await lossesOf(entry.skill.model, entry.held, name)
        const made = await lossesOf(model, entry.held, name)
        const [before, after] = [meanOf(old), meanOf(made)]
        const accepted = after <= before && !made.includes(WORST)
        if (accepted) {
          const next = watched({ ...entry.skill, model }, entry.held, made)
          entries = entries.map((one) => (one === entry ? next : one))
          emit('replaced', time, `Its loss on held-back samples went from ${before} to ${after}.`, next.skill, {
            before,
            after,
          })
        }
        return { accepted, before, after }
      }),
    hold(name, samples) {
      idle()
      const entry = need(name)
      const { held, refused } = heldSamples(samples, shape, WHERE)
      const fresh = held.y.length / targets
      entry.held = joinHeld(entry.held, held, shape)
      entry.fresh = Math.min(entry.fresh + fresh, entry.held.y.length / targets)
      return refused
    },
    validate: (time) =>
      alone(async () => {
        checkTime(time)
        const due = entries.filter(({ fresh, skill }) => fresh > 0 && skill.decayed === null)
        const measured: Float64Array[] = []
        for (const { skill, held, fresh } of due)
          measured.push(await lossesOf(skill.model, latest(held, fresh, shape), skill.name))
        return due.map((entry, i): SkillVerdict => {
          const { test, skill } = entry
          const before = meanOf(test.reference)
          let judged = 0
          for (const loss of measured[i]!) {
            testLoss(test, loss, reference, rng)
            judged++
            if (test.evidence >= 1 / falseAlarms) break
          }
          const alarm = test.evidence >= 1 / falseAlarms
          const loss = meanOf(measured[i]!)
          entry.fresh = 0
          entry.skill = {
            ...skill,
            judged: skill.judged + judged,
            loss,
            evidence: test.evidence,
            decayed: alarm ? time : null,
          }
          if (alarm)
            emit(
              'decayed',
              time,
              `Its losses have grown: mean ${loss} on ${measured[i]!.length} new samples, ${before} before; had nothing changed, evidence of ${test.evidence} would come with a chance of at most ${1 / test.evidence}.`,
              skill,
              { loss, before, evidence: test.evidence, samples: entry.skill.judged },
            )
          return { name: skill.name, samples: measured[i]!.length, loss, evidence: test.evidence, alarm }
        })
      }),
    nearest(descriptor, count = 1) {
      checkCount('count', count, WHERE)
      return near(entries, checkDescriptor(descriptor))
        .slice(0, count)
        .map(({ entry, distance }): SkillMatch => ({ skill: entry.skill, distance, loss: undefined }))
    },
    async retrieve(samples, { count = 1, descriptor, shortlist = 8, healthy = false } = {}) {
      checkCount('count', count, WHERE)
      checkCount('shortlist', shortlist, WHERE)
      const { held } = heldSamples(samples, shape, WHERE)
      check(held.x.length > 0, WHERE, () => 'none of the samples is finite.')
      const sound = entries.filter(({ skill }) => !healthy || skill.decayed === null)
      const list = descriptor
        ? near(sound, checkDescriptor(descriptor)).slice(0, shortlist)
        : sound.map((entry) => ({ entry, distance: undefined }))
      const found: SkillMatch[] = []
      for (const { entry, distance } of list) {
        const loss = meanOf(await lossesOf(entry.skill.model, held, entry.skill.name))
        found.push({ skill: entry.skill, distance, loss })
      }
      return found.sort((a, b) => a.loss! - b.loss!).slice(0, count)
    },
    remove(name, time) {
      idle()
      checkTime(time)
      const entry = need(name)
      entries = entries.filter((one) => one !== entry)
      emit('evicted', time, 'It was removed by hand.', entry.skill, {})
    },
    graph: () =>
      skillGraph(
        entries.map(({ skill }) => skill),
        links,
        (name) => find(name)?.skill,
      ),
    snapshot: () =>
      createSnapshot<Tree, Tree>({
        id: WHERE,
        version: 1,
        config,
        children: Object.fromEntries(entries.map(({ skill }, i) => [`skill-${i}`, skill.model])),
        state: {
          rng: rng.state(),
          skills: entries.map((entry) => writeEntry(entry, config)),
        },
      }),
  }
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! / values.length
  return sum
}
