import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { RegimenError } from '@regimen/core'
import { reportOf } from '../report/report.ts'
import { type RunConfig, readConfig } from '../run/config.ts'
import { FILES, readIfThere, writeWhole } from '../run/folder.ts'
import { makeRun, summaryLines } from '../run/run.ts'
import type { CommandContext } from './context.ts'

/** Flags of `regimen run`; what is absent comes from the file, else from the defaults. */
export interface RunFlags extends Partial<RunConfig> {
  /** JSON file of settings. */
  config?: string
  /** Folder of the run. */
  out?: string
}

/** Makes an adaptive walk-forward run and its report. */
export async function runCommand(flags: RunFlags, context: CommandContext): Promise<void> {
  const { config: file, out = 'runs/latest', ...rest } = flags
  const base = file ? await readJson(file) : {}
  const config = readConfig({ ...base, ...rest }, file ?? 'the command line')
  await finish(config, out, context)
}

/** Draws the report of a run anew, finishing the run first where it was interrupted. */
export async function reportCommand(folder: string, context: CommandContext): Promise<void> {
  const text = await readIfThere(join(folder, FILES.config))
  if (!text) {
    throw new RegimenError(`there is no run in ${folder}.`, {
      code: 'NO_RUN',
      where: 'report',
      hint: 'Pass the --out folder of a regimen run.',
    })
  }
  await finish(readConfig(parse(text.toString('utf8'), FILES.config), FILES.config), folder, context)
}

async function finish(config: RunConfig, folder: string, { terminal, signal, json }: CommandContext): Promise<void> {
  const run = await makeRun(config, { folder, terminal, signal })
  const path = join(folder, FILES.report)
  await writeWhole(path, await reportOf(run, folder))
  if (json) return terminal.json({ ...run.result, report: path })
  terminal.say('')
  for (const line of summaryLines(run.result)) terminal.say(line)
  terminal.say('')
  terminal.say(`report  ${relative(process.cwd(), path) || path}`)
  terminal.say(`        ${pathToFileURL(path).href}`)
}

async function readJson(file: string): Promise<object> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw new RegimenError(`${file} cannot be read.`, {
      code: 'UNREADABLE',
      where: 'run',
      hint: 'Pass --config with the path of a JSON file.',
      cause,
    })
  }
  const value = parse(text, file)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new RegimenError(`${file} holds no JSON object.`, {
    code: 'INVALID_CONFIG',
    where: 'run',
    hint: 'Write {"years": 5}.',
  })
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new RegimenError(`${file} is not JSON: ${(cause as Error).message}.`, {
      code: 'INVALID_CONFIG',
      where: 'run',
      hint: 'Write an object like {"years": 5}.',
      cause,
    })
  }
}
