import { readFileSync } from 'node:fs'
import { RegimenError } from '@regimen/core'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { CommandContext } from './commands/context.ts'
import { DEVICES } from './run/config.ts'
import { marketNames } from './run/source.ts'
import { openTerminal, type TerminalOptions } from './terminal.ts'

/** What the process gives a command. */
export interface Surroundings extends Omit<TerminalOptions, 'quiet'> {
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

const { version: VERSION } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}

/** The command was wrong, or what it was given. */
const BAD_INPUT = 2
const FAILED = 1
/** As shells do for a program that Ctrl-C ended. */
const INTERRUPTED = 130

const number = (text: string): number => {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('a number is needed')
  return value
}
const numbers = (text: string): number[] => text.split(',').map(number)
const collect = (text: string, before: string[] = []): string[] => [...before, text]

/**
 * Runs a command line inside a program of your own; gives the exit code: 0, 1 when something failed, 2 for wrong input, 130 when
 * interrupted. The command `regimen` is this with the streams of the process.
 *
 * ```ts
 * import { main } from '@regimen/cli'
 *
 * let out = ''
 * const stream = { write: (text: string) => void (out += text) }
 * const code = await main(['--version'], { out: stream, err: stream, signal: new AbortController().signal })
 * code // => 0
 * out // => '0.1.0\n'
 * ```
 */
export async function main(args: readonly string[], around: Surroundings): Promise<number> {
  const json = args.includes('--json')
  const terminal = openTerminal({ ...around, quiet: json })
  const context: CommandContext = { terminal, signal: around.signal, json }
  // Commands take these settings from the program when they are made.
  const program = new Command('regimen').exitOverride().configureOutput({
    writeOut: (text) => void around.out.write(text),
    writeErr: (text) => void around.err.write(text),
    getOutHelpWidth: () => terminal.width,
  })
  describeCommands(program, context)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : BAD_INPUT
    if (around.signal.aborted) {
      around.err.write('\ninterrupted: the same command continues from the last checkpoint\n')
      return INTERRUPTED
    }
    if (error instanceof RegimenError) {
      around.err.write(`error: ${error.message.replaceAll('\n', ' ')}\n`)
      return BAD_INPUT
    }
    around.err.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    return FAILED
  }
}

function describeCommands(program: Command, context: CommandContext): void {
  program
    .description('Trading systems that keep learning: regimes, adaptive walk-forward runs, versioned models.')
    .version(VERSION)
    .option('--json', 'one JSON value on standard output instead of text')
    .showHelpAfterError('(regimen --help tells what there is)')
    .addHelpText(
      'after',
      '\nExamples:\n  regimen run                           a simulated market, ending in a report\n  regimen run --data prices.csv         your own series\n  regimen regimes prices.csv            which regime is in force?\n  regimen store list runs/latest/store  what was trained and promoted',
    )
  const command = (of: Command, name: string, text: string): Command =>
    of.command(name).description(text).option('--json', 'one JSON value on standard output instead of text')
  const market = new Option('--market <name>', 'simulated market, where no file is given').choices(marketNames())

  command(
    program,
    'run',
    'Train on the first part of a series, then trade, learn and improve bar by bar; ends in a report.',
  )
    .option('--data <file>', 'CSV file of prices; again for more files that help to train', collect)
    .addOption(market)
    .option('--years <n>', 'years to simulate (10)', number)
    .option('--train <share>', 'share of the bars to train on before the first trade (0.4)', number)
    .option('--embargo <bars>', 'bars after the training part that are not traded (5)', number)
    .option('--retrain <bars>', 'bars between two trainings of a challenger, 0 for never (252)', number)
    .option('--trials <n>', 'trials of the search before each training (8)', number)
    .option('--meta-epochs <n>', 'iterations of meta-training (200)', number)
    .option('--inner-steps <n>', 'steps of an adaptation (2)', number)
    .option('--support <n>', 'samples of an adaptation (32)', number)
    .addOption(new Option('--device <name>', 'where tfjs runs what is not compiled (cpu)').choices(DEVICES))
    .option('--config <file>', 'JSON file with any of these; flags win')
    .option('--seed <n>', 'same seed, same result (7)', number)
    .option('--no-baselines', 'leave out the arms to compare with')
    .option('--out <folder>', 'folder of the run (runs/latest)')
    .addHelpText(
      'after',
      '\nCtrl-C leaves a run that the same command continues, with the same result.\nThe folder holds run.json, result.json, report.html, the checkpoint and the model store.',
    )
    .action(async ({ json: _, baselines, ...flags }) => {
      const { runCommand } = await import('./commands/run.ts')
      await runCommand(baselines === false ? { ...flags, baselines } : flags, context)
    })
  command(program, 'report', 'Draw the report of a run again.')
    .argument('[folder]', 'folder of the run', 'runs/latest')
    .action(async (folder: string) => {
      const { reportCommand } = await import('./commands/run.ts')
      await reportCommand(folder, context)
    })
  command(program, 'regimes', 'Find the regimes of a series and say which one is in force.')
    .argument('[file]', 'CSV file of prices; a simulated market without one')
    .option('--states <list>', 'numbers of regimes to try, the best BIC wins (2,3,4)', numbers)
    .addOption(market)
    .option('--years <n>', 'years to simulate (10)', number)
    .option('--seed <n>', 'seed of the market and of the starts (7)', number)
    .action(async (file: string | undefined, { json: _, ...flags }) => {
      const { regimesCommand } = await import('./commands/regimes.ts')
      await regimesCommand(file, flags, context)
    })
  command(program, 'tune', 'Search the settings over walk-forward folds.')
    .option('--data <file>', 'CSV file of prices')
    .addOption(market)
    .option('--years <n>', 'years to simulate (10)', number)
    .option('--trials <n>', 'trials (20)', number)
    .option('--seed <n>', 'seed of the market and of the search (7)', number)
    .action(async ({ json: _, ...flags }) => {
      const { tuneCommand } = await import('./commands/tune.ts')
      await tuneCommand(flags, context)
    })
  describeStore(command(program, 'store', 'Look after a store of models.'), command, context)
  command(program, 'new', 'Write a package with an algorithm of your own.')
    .argument('<name>', 'name of the package and its folder')
    .action(async (name: string) => {
      const { newCommand } = await import('./commands/new.ts')
      await newCommand(name, context)
    })
  command(program, 'doctor', 'Say what this machine offers: backends, runtimes, GPU, versions.').action(async () => {
    const { doctorCommand } = await import('./commands/doctor.ts')
    await doctorCommand(context)
  })
}

function describeStore(
  store: Command,
  command: (of: Command, name: string, text: string) => Command,
  context: CommandContext,
): void {
  const load = () => import('./commands/store.ts')
  const folder = 'folder of the store'
  command(store, 'list', 'Models with their versions and aliases.')
    .argument('<folder>', folder)
    .action(async (at: string) => (await load()).listCommand(at, context))
  command(store, 'show', 'A version with its metrics and parameters.')
    .argument('<folder>', folder)
    .argument('<model>', 'name of the model')
    .argument('<version>', 'number of the version', number)
    .action(async (at: string, model: string, version: number) =>
      (await load()).showCommand(at, model, version, context),
    )
  command(store, 'promote', 'Point an alias at a version.')
    .argument('<folder>', folder)
    .argument('<model>', 'name of the model')
    .argument('<version>', 'number of the version', number)
    .option('--alias <name>', 'alias to move', 'champion')
    .requiredOption('--reason <text>', 'why, for the audit log')
    .action(async (at: string, model: string, version: number, { alias, reason }) =>
      (await load()).promoteCommand(at, model, version, { alias, reason }, context),
    )
  command(store, 'rollback', 'Point an alias at where it was before.')
    .argument('<folder>', folder)
    .argument('<model>', 'name of the model')
    .option('--alias <name>', 'alias to move', 'champion')
    .requiredOption('--reason <text>', 'why, for the audit log')
    .action(async (at: string, model: string, { alias, reason }) =>
      (await load()).rollbackCommand(at, model, { alias, reason }, context),
    )
  command(store, 'verify', 'Check the audit log and every blob; exit code 1 where something is wrong.')
    .argument('<folder>', folder)
    .action(async (at: string) => {
      if (!(await (await load()).verifyCommand(at, context))) process.exitCode = FAILED
    })
  command(store, 'gc', 'Remove what nothing needs.')
    .argument('<folder>', folder)
    .option('--dry-run', 'only say what would go', false)
    .action(async (at: string, { dryRun }) => (await load()).gcCommand(at, { dryRun }, context))
}
