import { check, type Direction, describe, RegimenError } from '@regimen/core'
import { pairedT, wilcoxon } from '@regimen/core/math'
import { asTree, type Version } from '../catalogue.ts'
import { type Draft, type Engine, moveDraft } from '../engine.ts'
import type { Model } from '../model.ts'
import { checkName } from '../names.ts'
import type { Reader } from '../reader.ts'
import { decodeSamples } from '../samples.ts'

/** A bound that a candidate's metric must keep. */
export interface Threshold {
  readonly dataset: string
  readonly metric: string
  /** @default no lower bound */
  readonly min?: number
  /** @default no upper bound */
  readonly max?: number
}

/** What a version must show to take an alias. Rules that are left out are not asked. */
export interface PromotionPolicy {
  /** The alias to move, `champion` say. */
  alias: string
  /** Bounds on the candidate's own metrics. @default [] */
  thresholds?: readonly Threshold[]
  /** The candidate's metric must be better than the incumbent's by more than `margin`. */
  compare?: { dataset: string; metric: string; direction: Direction; margin?: number }
  /**
   * The candidate's samples must be better than the incumbent's on the same dataset, pair by pair: one-sided at level
   * `alpha` (0.05), by Student's t or Wilcoxon's signed ranks (`t`), on at least `minSamples` (30) pairs.
   */
  paired?: {
    dataset: string
    sample: string
    direction: Direction
    alpha?: number
    test?: 't' | 'wilcoxon'
    minSamples?: number
  }
  /** Checks that must have been recorded as passed. @default [] */
  checks?: readonly string[]
  /** Milliseconds that must have passed since the alias last moved. @default 0 */
  coolDown?: number
  /** How many of the newest versions automatic selection looks at. @default 20 */
  candidates?: number
}

/** One rule's verdict. */
export interface RuleResult {
  readonly rule: string
  readonly passed: boolean
  /** The numbers that decided. */
  readonly detail: string
}

/** What came of a policy. */
export interface Promotion {
  readonly promoted: boolean
  /** Whether all rules passed: with `dryRun` the promotion would have been made. */
  readonly eligible: boolean
  /** The version that was judged; null when there was none. */
  readonly candidate: number | null
  readonly incumbent: number | null
  readonly rules: readonly RuleResult[]
}

/** Judges the candidate, or every recent version, records the decision, and moves the alias when all rules pass. */
export async function decidePromotion(
  model: Model,
  policy: PromotionPolicy,
  engine: Engine,
  reader: Reader,
  options: { candidate?: number; dryRun?: boolean } = {},
): Promise<Promotion> {
  checkPolicy(policy)
  await engine.refresh()
  const { alias, compare } = policy
  const entry = engine.catalogue.models.get(model.name)?.aliases.get(alias)
  const incumbent = entry?.to ?? null
  const current = incumbent === null ? undefined : await reader.version(model.name, incumbent)
  const pool =
    options.candidate === undefined
      ? (await model.list({ limit: policy.candidates ?? 20 })).filter(
          ({ version }) => version !== incumbent && !entry?.fallen.has(version),
        )
      : [await reader.version(model.name, options.candidate)]

  const judged: { version: Version; rules: RuleResult[]; eligible: boolean }[] = []
  for (const version of pool) {
    const rules = [
      ...coolDown(policy, engine.clock.now(), entry?.time),
      ...thresholds(policy, version),
      ...checks(policy, version),
      ...comparison(policy, version, current),
      ...(await pairedTest(policy, version, current, reader)),
    ]
    if (version.version === incumbent) rules.unshift({ rule: 'candidate', passed: false, detail: 'is the incumbent' })
    judged.push({ version, rules, eligible: rules.every(({ passed }) => passed) })
  }
  const metricOf = ({ version }: (typeof judged)[number]): number =>
    compare ? sign(compare.direction) * (version.metrics[compare.dataset]?.[compare.metric] ?? Number.NaN) : 0
  const passing = judged.filter(({ eligible }) => eligible).sort((a, b) => metricOf(b) - metricOf(a) || 0)
  const best = passing[0] ?? judged[0]
  if (!best) return { promoted: false, eligible: false, candidate: null, incumbent, rules: [] }

  const { eligible, rules } = best
  const candidate = best.version.version
  const result = { promoted: false, eligible, candidate, incumbent, rules }
  if (options.dryRun) return result
  const verdict = `The policy for ${alias} ${eligible ? 'accepts' : 'refuses'} version ${candidate}: ${describeRules(rules)}.`
  const record = { model: model.name, alias, candidate, incumbent, rules: rules.map(asTree) }
  await engine.commit(() => {
    const present = engine.catalogue.models.get(model.name)?.aliases.get(alias)?.to ?? null
    if (present !== incumbent) {
      throw new RegimenError(`${model.name}: ${alias} moved from ${incumbent} to ${present} during the decision.`, {
        code: 'ALIAS_MOVED',
        where: 'store/promote-by',
        hint: 'Call promoteBy again: it compares with the new incumbent.',
      })
    }
    reader.entry(model.name, candidate)
    const decision: Draft = { type: 'store/decision', reason: verdict, data: { ...record, promoted: eligible } }
    if (!eligible) return [decision]
    return [decision, moveDraft({ model: model.name, alias, from: incumbent, to: candidate, rollback: false }, verdict)]
  })
  return { ...result, promoted: eligible }
}

function coolDown(policy: PromotionPolicy, now: number, moved: number | undefined): RuleResult[] {
  if (!policy.coolDown) return []
  if (moved === undefined || !Number.isFinite(moved))
    return [{ rule: 'cool-down', passed: true, detail: 'the alias never moved' }]
  const passed = now - moved >= policy.coolDown
  return [{ rule: 'cool-down', passed, detail: `${now - moved} ms since the last move, ${policy.coolDown} asked` }]
}

function thresholds(policy: PromotionPolicy, version: Version): RuleResult[] {
  return (policy.thresholds ?? []).map(({ dataset, metric, min, max }) => {
    const value = version.metrics[dataset]?.[metric]
    const rule = `threshold ${dataset}.${metric}`
    if (value === undefined) return { rule, passed: false, detail: 'was not measured' }
    const passed = value >= (min ?? Number.NEGATIVE_INFINITY) && value <= (max ?? Number.POSITIVE_INFINITY)
    const bounds = [min === undefined ? '' : `at least ${min}`, max === undefined ? '' : `at most ${max}`]
    return { rule, passed, detail: `${value}, ${bounds.filter(Boolean).join(' and ')} asked` }
  })
}

function checks(policy: PromotionPolicy, version: Version): RuleResult[] {
  return (policy.checks ?? []).map((name) => {
    const found = Object.hasOwn(version.checks, name) ? version.checks[name] : undefined
    return {
      rule: `check ${name}`,
      passed: found?.passed === true,
      detail: found ? (found.detail ?? (found.passed ? 'passed' : 'failed')) : 'was not run',
    }
  })
}

function comparison({ compare }: PromotionPolicy, version: Version, incumbent: Version | undefined): RuleResult[] {
  if (!compare) return []
  const { dataset, metric, direction, margin = 0 } = compare
  const rule = `compare ${dataset}.${metric}`
  const mine = version.metrics[dataset]?.[metric]
  if (mine === undefined) return [{ rule, passed: false, detail: 'was not measured' }]
  if (!incumbent) return [{ rule, passed: true, detail: `${mine}, no incumbent` }]
  const theirs = incumbent.metrics[dataset]?.[metric]
  if (theirs === undefined) return [{ rule, passed: false, detail: `was not measured on version ${incumbent.version}` }]
  const passed = sign(direction) * (mine - theirs) > margin
  return [{ rule, passed, detail: `${mine} against ${theirs}, better by more than ${margin} asked` }]
}

async function pairedTest(
  { paired }: PromotionPolicy,
  version: Version,
  incumbent: Version | undefined,
  reader: Reader,
): Promise<RuleResult[]> {
  if (!paired) return []
  const { dataset, sample, direction, alpha = 0.05, test = 't', minSamples = 30 } = paired
  const rule = `paired ${dataset}.${sample}`
  const refused = (detail: string): RuleResult[] => [{ rule, passed: false, detail }]
  const mineRef = version.samples[dataset]?.[sample]
  if (!mineRef) return refused('has no samples')
  if (!incumbent) return [{ rule, passed: true, detail: 'no incumbent' }]
  const theirsRef = incumbent.samples[dataset]?.[sample]
  if (!theirsRef) return refused(`version ${incumbent.version} has no samples`)
  const mine = decodeSamples(await reader.bytes(mineRef))
  const theirs = decodeSamples(await reader.bytes(theirsRef))
  if (mine.length !== theirs.length)
    return refused(`${mine.length} samples against ${theirs.length}: not the same dataset`)
  if (mine.length < minSamples) return refused(`${mine.length} pairs, ${minSamples} asked`)
  let sum = 0
  for (let i = 0; i < mine.length; i++) sum += mine[i]! - theirs[i]!
  const better = sign(direction) * sum > 0
  const { pValue } = (test === 't' ? pairedT : wilcoxon)(mine, theirs)
  const oneSided = better ? pValue / 2 : 1 - pValue / 2
  const detail = `mean difference ${Number((sum / mine.length).toPrecision(6))} over ${mine.length} pairs, p = ${Number(oneSided.toPrecision(4))}, at most ${alpha} asked`
  return [{ rule, passed: better && oneSided <= alpha, detail }]
}

function sign(direction: Direction): 1 | -1 {
  return direction === 'maximize' ? 1 : -1
}

function describeRules(rules: readonly RuleResult[]): string {
  if (rules.length === 0) return 'no rules'
  return rules.map(({ rule, passed, detail }) => `${rule} ${passed ? 'passes' : 'fails'} (${detail})`).join('; ')
}

function checkPolicy(policy: PromotionPolicy): void {
  checkName('an alias', policy.alias)
  const { coolDown = 0, candidates = 20, paired } = policy
  const where = 'store/promote-by'
  check(coolDown >= 0, where, () => `coolDown must be milliseconds of at least 0, got ${describe(coolDown)}.`)
  check(
    Number.isInteger(candidates) && candidates >= 1,
    where,
    () => `candidates must be a whole number from 1, got ${describe(candidates)}.`,
  )
  const alpha = paired?.alpha ?? 0.05
  check(alpha > 0 && alpha < 1, where, () => `paired.alpha must lie between 0 and 1, got ${describe(alpha)}.`)
}
