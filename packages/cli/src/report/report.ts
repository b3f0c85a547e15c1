import { join } from 'node:path'
import { pitReport } from '@regimen/market'
import {
  bandChart,
  barChart,
  candleChart,
  dataTable,
  type EventMark,
  heatMap,
  lineChart,
  prose,
  renderReport,
  ribbonChart,
  type Section,
  scatterChart,
  stack,
  timeline,
} from '@regimen/report'
import { type AliasMoveRecord, openStore, type Version } from '@regimen/store'
import { regimeNames } from '../preset/model.ts'
import { CHAMPION, MODEL } from '../run/adaptive.ts'
import { liveBars, trainRows } from '../run/arms.ts'
import { FILES } from '../run/folder.ts'
import { measureRetention } from '../run/retention.ts'
import type { FinishedRun } from '../run/run.ts'
import { outcome } from './outcome.ts'

/** A line of the decision log. */
interface LogEntry {
  readonly time: number
  readonly type: string
  readonly reason: string
  readonly actor: string
}

/**
 * Draws a finished run as one HTML file that needs nothing else; `folder` is the run's, with its store.
 *
 * ```ts
 * import { reportOf } from '@regimen/cli'
 *
 * // const html = await reportOf(await makeRun(config, { folder }), folder)
 * typeof reportOf // => 'function'
 * ```
 */
export async function reportOf(run: FinishedRun, folder: string): Promise<string> {
  const { result } = run
  const store = await openStore(join(folder, FILES.store), { readOnly: true })
  try {
    const log: LogEntry[] = []
    for (let from = 1; ; ) {
      const records = await store.records({ from, limit: 1000 })
      log.push(...records)
      if (records.length < 1000) break
      from += records.length
    }
    const model = store.model(MODEL)
    const stored = (await model.list({ limit: 50 })).reverse()
    const snapshots = await Promise.all(
      stored.map(async ({ version }) => ({ version, snapshot: await model.at(version).load((one) => one) })),
    )
    const retention = await measureRetention(run.source.bars, snapshots)
    const moves = await model.history(CHAMPION)
    return await renderReport({
      title: 'Adaptive walk-forward run',
      subtitle: `${result.source}: ${result.traded} bars traded of ${result.bars}, after costs`,
      sections: [
        outcome(run),
        market(run, moves, new Map(snapshots.map(({ version, snapshot }) => [version, regimeNames(snapshot)]))),
        learning(run, retention),
        versions(stored, moves),
        calibration(run),
        decisions(log),
        settings(run),
      ],
      footer: `Made by regimen run. Bars ${result.fingerprint.slice(0, 12)}, final state ${result.state.slice(0, 12)}.`,
    })
  } finally {
    await store.close()
  }
}

function market(
  { result, source, adaptive }: FinishedRun,
  moves: readonly AliasMoveRecord[],
  names: ReadonlyMap<number, readonly string[]>,
): Section {
  const live = liveBars(source, result.config)
  const n = trainRows(source, result.config)
  const { time, open, high, low, close } = live
  const truth = source.truth?.regimes.slice(n)
  const events: EventMark[] = moves.map(({ time: at, to, rollback, reason }) => ({
    at,
    label: rollback ? `rollback to version ${to}` : `version ${to}`,
    kind: rollback ? 'rollback' : 'promotion',
    detail: reason,
  }))
  const [steady, lively] = [adaptive.mean, adaptive.variance]
  const band = (z: number): number[] => Array.from(steady, (mean, i) => mean + z * Math.sqrt(lively[i]!))
  return {
    title: 'Market and regimes',
    intro:
      'What the regime model believed at each close, knowing only the past; promotions and rollbacks are marked on the price.',
    blocks: [
      stack({
        title: 'Price, regimes and position',
        panels: [
          candleChart({ title: 'Price', time, open, high, low, close, events }),
          ...(truth ? [ribbonChart({ title: 'True regime', time, labels: truth })] : []),
          ribbonChart({
            title: 'Regime in force',
            time,
            labels: Array.from(adaptive.regime, (k, i) => names.get(adaptive.version[i]!)?.[k] ?? 'none'),
          }),
          lineChart({
            title: 'Wanted position',
            time,
            series: [{ name: 'position', y: adaptive.arm.targets, step: true }],
          }),
        ],
      }),
      bandChart({
        title: 'Forecast of the next bar',
        description: 'Mean and 80 % interval of the next log return.',
        time,
        format: 'percent',
        name: 'mean',
        center: steady,
        bands: [{ low: band(-1.2816), high: band(1.2816), label: '80 %' }],
      }),
    ],
  }
}

function learning(
  { adaptive, result, source }: FinishedRun,
  retention: Awaited<ReturnType<typeof measureRetention>>,
): Section {
  const { adaptations, tunings } = adaptive
  const live = adaptations.filter(({ row }) => row >= trainRows(source, result.config))
  const trials = tunings.flatMap(({ trials: list }, k) =>
    list.map((trial) => ({ ...trial, tuning: `training ${k + 1}` })),
  )
  return {
    title: 'Learning',
    blocks: [
      ...(live.length > 0
        ? [
            scatterChart({
              title: 'Adaptation, before and after',
              description:
                'Loss of the meta-learned net on its support, before and after its inner steps; below the diagonal it has adapted.',
              x: live.map(({ lossBefore }) => lossBefore),
              y: live.map(({ lossAfter }) => lossAfter),
              xTitle: 'before',
              yTitle: 'after',
              diagonal: true,
            }),
          ]
        : []),
      heatMap({
        title: 'What each version knows of each year',
        description:
          'Log score above a forecast by recent volatility alone, nats a bar, without learning. Left of its training a version remembers, right of it it foresees.',
        values: retention.values,
        rows: retention.versions.map((version) => `version ${version}`),
        columns: retention.years,
        scale: 'diverging',
        showValues: true,
      }),
      ...(trials.length > 0
        ? [
            scatterChart({
              title: 'Tuning history',
              description:
                'Each trial by its mean log score over walk-forward folds of the past; pruned ones by the folds they saw.',
              x: trials.map((_, i) => i + 1),
              y: trials.map(({ value }) => value),
              groups: trials.map(({ pruned, tuning }) => (pruned ? `${tuning}, pruned` : tuning)),
              labels: trials.map(({ params }) => JSON.stringify(params)),
              xTitle: 'trial',
              yTitle: 'log score',
            }),
          ]
        : []),
    ],
  }
}

function versions(stored: readonly Version[], moves: readonly AliasMoveRecord[]): Section {
  return {
    title: 'Versions',
    intro:
      'Every model that was trained is in the store; the champion moves only when the policy accepts, and back when live forecasts fail.',
    blocks: [
      timeline({
        title: 'Store',
        events: [
          ...stored.map(({ version, time, reason }) => ({
            at: time,
            label: `version ${version}`,
            kind: 'published',
            lane: 'published',
            detail: reason,
          })),
          ...moves.map(({ time, to, rollback, reason }) => ({
            at: time,
            label: `version ${to}`,
            kind: rollback ? 'rollback' : 'promotion',
            lane: 'champion',
            detail: reason,
          })),
        ],
      }),
      dataTable({
        title: 'Challengers',
        columns: [
          { name: 'version', format: 'integer' },
          { name: 'published', format: 'date' },
          { name: 'advantage, nats a bar' },
          { name: 'p' },
          { name: 'champion' },
        ],
        rows: stored.map(({ version, time, metrics }) => [
          version,
          time,
          metrics.validation?.advantage,
          metrics.validation?.pValue,
          moves.some(({ to, rollback }) => to === version && !rollback),
        ]),
      }),
    ],
  }
}

function calibration({ adaptive }: FinishedRun): Section {
  const known = adaptive.below.filter((value) => !Number.isNaN(value))
  if (known.length === 0) return { title: 'Calibration', blocks: [prose('No forecast has been settled yet.')] }
  const { histogram, pValue, distance } = pitReport(known)
  return {
    title: 'Calibration',
    blocks: [
      barChart({
        title: 'Where returns fell in their forecasts',
        description: `Share of returns in each tenth of the forecast distribution; all at 10 % would be perfect. Largest distance from uniform ${distance.toFixed(3)}, p = ${pValue.toPrecision(2)}.`,
        categories: Array.from(histogram, (_, i) => `${10 * i}–${10 * i + 10} %`),
        series: [{ name: 'share', values: histogram }],
        format: 'percent',
      }),
    ],
  }
}

function decisions(log: readonly LogEntry[]): Section {
  return {
    title: 'Decisions',
    intro: 'The audit log: every switch, order, fill, training, promotion and rollback with its reason.',
    blocks: [
      dataTable({
        title: 'Decision log',
        columns: [{ name: 'time', format: 'time' }, { name: 'what' }, { name: 'why' }],
        rows: log.map(({ time, type, reason }) => [time, type, reason]),
        search: true,
        pageSize: 20,
      }),
    ],
  }
}

function settings({ result }: FinishedRun): Section {
  return {
    title: 'Settings and data',
    blocks: [
      dataTable({
        title: 'Settings',
        columns: [{ name: 'name' }, { name: 'value' }],
        rows: [
          ...Object.entries(result.config).map(([name, value]) => [name, JSON.stringify(value)]),
          ['bars', String(result.bars)],
          ['sha-256 of the bars', result.fingerprint],
          ['sha-256 of the final state', result.state],
        ],
        pageSize: 30,
      }),
      prose(
        'The same settings and seed give the same result on the same machine and Node. An interrupted run continues from its last checkpoint and ends in the same state.',
      ),
    ],
  }
}
