/** `skerry simulate`: runs simulations, first the failures that are kept, then seeds, and says of each failure how little it takes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import process from 'node:process'
import { styleText } from 'node:util'
import { systemRandom } from 'skerry/engine'
import type { Failure, FaultLevel, Regression } from 'skerry/simulation'
import { CommandError, EXIT } from '../failure.ts'
import { Progress, Totals } from './progress.ts'
import type { FailedSeed, RunnerOptions, SeedReport } from './runner.ts'
import { Runner } from './runner.ts'
import type { LoadedSimulation } from './simulation-file.ts'
import { findSimulationFiles, keptFailures, loadSimulation, readKept, regressionFolder } from './simulation-file.ts'
import { Stop } from './stop.ts'
import type { FailureTextOptions } from './text.ts'
import { failureText, fineText } from './text.ts'
import type { Seeds } from './workers.ts'
import { spread } from './workers.ts'

export interface SimulateOptions {
  readonly seed?: number
  readonly seeds?: number
  readonly untilStopped?: boolean
  readonly faults: FaultLevel
  readonly operations: number
  readonly workers: number
  readonly replay?: string
  readonly shrink: boolean
  readonly requireSometimes?: boolean
  readonly debug?: boolean
  readonly json?: boolean
  readonly verbose?: boolean
}

const DEFAULT_SEEDS = 100
/** So many failures are told of; what fails that often has one cause. */
const MAX_FAILURES = 5

export async function simulate(files: readonly string[], options: SimulateOptions): Promise<void> {
  if (options.debug === true) return debug()
  const paths = findSimulationFiles(files)
  for (const [given, option] of [
    [options.replay !== undefined, '--replay'],
    [options.untilStopped === true, '--until-stopped'],
  ] as const)
    if (given && paths.length !== 1)
      throw new CommandError(EXIT.usage, `${option} is for one simulation, and there are ${paths.length}.`, 'Name its file.')
  // All of them first: what cannot be loaded is not told of after hours.
  const loaded: LoadedSimulation[] = []
  for (const path of paths) loaded.push(await loadSimulation(path))
  if (options.replay !== undefined) {
    if (!(await replayOne(loaded[0]!, options, options.replay))) process.exitCode = EXIT.failed
    return
  }
  using stop = new Stop()
  for (const one of loaded) if (!stop.asked && !(await runSeeds(one, options, stop))) process.exitCode = EXIT.failed
}

/** The same command again, under the inspector. */
async function debug(): Promise<void> {
  const parameters = process.argv.slice(1).filter((parameter) => parameter !== '--debug')
  const child = spawn(process.execPath, ['--inspect-brk', ...parameters], { stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exitCode = code ?? EXIT.failed
}

async function replayOne(loaded: LoadedSimulation, options: SimulateOptions, file: string): Promise<boolean> {
  const regression = await readKept(loaded, file)
  await using runner = await Runner.open(runnerOptions(loaded, options))
  const { failed, unasked } = await runner.replay(regression)
  if (options.json === true)
    process.stdout.write(
      `${JSON.stringify({ simulation: loaded.simulation.name, replayed: file, fine: failed === undefined, failure: failed?.failure ?? null, unasked })}\n`,
    )
  else tellReplayed(loaded, { file, failed, unasked })
  return failed === undefined
}

async function runSeeds(loaded: LoadedSimulation, options: SimulateOptions, stop: Stop): Promise<boolean> {
  const { simulation, platform } = loaded
  const count = options.untilStopped === true ? undefined : (options.seeds ?? (options.seed === undefined ? DEFAULT_SEEDS : 1))
  const workers = Math.min(options.workers, count ?? Infinity)
  // A seed that is asked for by its number is looked at alone.
  const kept = options.seed === undefined || options.seeds !== undefined ? await keptFailures(loaded) : []
  await using held = new AsyncDisposableStack()
  const here = kept.length > 0 || workers === 1 ? held.use(await Runner.open(runnerOptions(loaded, options))) : undefined
  const replayed: Replayed[] = []
  for (const { file, regression } of kept) {
    const { failed, unasked } = await here!.replay(regression)
    replayed.push({ file, failed, unasked })
    if (options.json !== true) tellReplayed(loaded, { file, failed, unasked })
  }
  const totals = new Totals()
  const progress = new Progress(count, platform.CRASH_POINTS.length)
  // Whoever goes on until he is stopped has been through the first ones before.
  const first = options.seed ?? (options.untilStopped === true ? systemRandom.int(1, 2 ** 31) : 1)
  let given = 0
  const found: FoundFailure[] = []
  const seeds: Seeds = {
    next: () => (stop.asked || totals.failures >= MAX_FAILURES || given === count ? undefined : first + given++),
    onReport: async (report) => {
      totals.add(report)
      const { seed, hash, failed } = report
      if (failed === undefined) return progress.show(totals)
      // At once: what is found must not be lost with what comes after it.
      const keptIn = await keep(loaded, failed)
      found.push({ seed, hash, ...failed.failure, keptIn, regression: failed.regression })
      progress.clear()
      if (options.json !== true) process.stdout.write(failureText(failed, textOptions(loaded, keptIn)))
    },
  }
  const running = workers > 1 ? spread({ workers, runner: runnerOptions(loaded, options), ...seeds }) : runHere(here!, seeds)
  await running.finally(() => progress.clear())
  const missing = Object.keys(simulation.options.sometimes ?? {}).filter((name) => (totals.sometimes.get(name) ?? 0) === 0)
  const lacks = options.requireSometimes === true && missing.length > 0
  const isCutShort = count !== undefined && totals.seeds < count
  const fine = found.length === 0 && replayed.every(({ failed }) => failed === undefined) && !lacks && !isCutShort
  if (options.json === true)
    process.stdout.write(
      `${JSON.stringify({
        simulation: simulation.name,
        fine,
        replayed: replayed.map(({ file, failed, unasked }) => ({
          file,
          fine: failed === undefined,
          failure: failed?.failure ?? null,
          unasked,
        })),
        seeds: totals.seeds,
        steps: totals.steps,
        faults: Object.fromEntries(totals.faults),
        crashPoints: Object.fromEntries(totals.crashPoints),
        sometimes: Object.fromEntries(totals.sometimes),
        never: missing,
        failures: found.toSorted((a, b) => a.seed - b.seed),
      })}\n`,
    )
  else {
    const mark = fine ? styleText('green', '✓') : styleText('red', '✗')
    process.stdout.write(`${mark} ${styleText('bold', simulation.name)}${progress.line(totals)}\n`)
    if (isCutShort) process.stdout.write(`  ${stop.asked ? 'It was stopped' : 'That is enough failures'}: not all seeds have run.\n`)
    if (options.verbose === true || lacks)
      for (const [name, times] of totals.sometimes) process.stdout.write(`    ${String(times).padStart(8)}  ${name}\n`)
    if (lacks) process.stdout.write(`  What never happened was not tested: run more seeds, or see why.\n`)
  }
  return fine
}

/** A failure as --json has it. */
interface FoundFailure extends Failure {
  readonly seed: number
  readonly hash: string
  readonly keptIn: string
  readonly regression: Regression
}

async function runHere(runner: Runner, { next, onReport }: Seeds): Promise<void> {
  for (let seed = next(); seed !== undefined; seed = next()) await onReport(await runner.runSeed(seed))
}

interface Replayed extends Pick<SeedReport, 'failed' | 'unasked'> {
  readonly file: string
}

function tellReplayed(loaded: LoadedSimulation, { file, failed, unasked }: Replayed): void {
  const options = textOptions(loaded, file)
  process.stdout.write(failed === undefined ? fineText(unasked, options) : failureText(failed, options))
}

/** Writes a failure to a file, to be run again. Resolves with that file's name. */
async function keep({ path }: LoadedSimulation, { regression }: FailedSeed): Promise<string> {
  const file = relative(process.cwd(), join(regressionFolder(path), `${regression.seed}-${regression.faults}.json`))
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(regression, undefined, 2)}\n`)
  return file
}

function textOptions({ simulation, path }: LoadedSimulation, keptIn: string): FailureTextOptions {
  return { file: relative(process.cwd(), path), name: simulation.name, keptIn }
}

function runnerOptions({ path }: LoadedSimulation, { faults, operations, shrink }: SimulateOptions): RunnerOptions {
  return { path, faults, operations, shrink }
}
