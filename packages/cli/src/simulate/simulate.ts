/** `skerry simulate`: runs simulations, first the failures that are kept, then seeds, and says of each failure how little it takes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import process from 'node:process'
import { styleText } from 'node:util'
import { systemRandom } from 'skerry/engine'
import type { FaultLevel } from 'skerry/simulation'
import { CommandError, EXIT } from '../failure.ts'
import { Progress, Totals } from './progress.ts'
import type { FailedSeed, RunnerOptions, SeedReport } from './runner.ts'
import { Runner } from './runner.ts'
import type { LoadedSimulation } from './simulation-file.ts'
import { findSimulationFiles, keptFailures, loadSimulation, regressionFolder } from './simulation-file.ts'
import { failureText } from './text.ts'
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
  if (options.replay !== undefined && paths.length !== 1)
    throw new CommandError(EXIT.usage, '--replay is for one simulation.', 'Name its file.')
  for (const path of paths) {
    const loaded = await loadSimulation(path)
    const outcome = options.replay === undefined ? await runSeeds(loaded, options) : await replayOne(loaded, options, options.replay)
    if (!outcome) process.exitCode = EXIT.failed
  }
}

/** The same command again, under the inspector. */
async function debug(): Promise<void> {
  const parameters = process.argv.slice(1).filter((parameter) => parameter !== '--debug')
  const child = spawn(process.execPath, ['--inspect-brk', ...parameters], { stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exitCode = code ?? EXIT.failed
}

async function replayOne(loaded: LoadedSimulation, options: SimulateOptions, file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CommandError(
      EXIT.usage,
      `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      'Name the file of a kept failure.',
    )
  })
  await using runner = await Runner.open(runnerOptions(loaded, options))
  return tellReplay(loaded, options, file, await runner.replay(loaded.platform.readRegression(text, file)))
}

async function runSeeds(loaded: LoadedSimulation, options: SimulateOptions): Promise<boolean> {
  const { simulation, platform } = loaded
  let fine = true
  // A seed that is asked for by its number is looked at alone.
  if (options.seed === undefined || options.seeds !== undefined) fine = await replayKept(loaded, options)
  const count = options.untilStopped === true ? undefined : (options.seeds ?? (options.seed === undefined ? DEFAULT_SEEDS : 1))
  const totals = new Totals()
  const progress = new Progress(count, platform.CRASH_POINTS.length)
  let stopped = false
  const stop = (): void => void (stopped = true)
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  // Whoever goes on until he is stopped has been through the first ones before.
  const first = options.seed ?? (options.untilStopped === true ? systemRandom.int(1, 2 ** 31) : 1)
  let given = 0
  const failed: SeedReport[] = []
  try {
    await spreadOrRun(loaded, options, {
      next: () => (stopped || failed.length >= MAX_FAILURES || (count !== undefined && given >= count) ? undefined : first + given++),
      onReport: (report) => {
        totals.add(report)
        if (report.failed !== undefined) failed.push(report)
        progress.show(totals)
      },
    })
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
    progress.clear()
  }
  for (const { failed: failure } of failed) await tellFailure(loaded, options, failure!)
  const missing = Object.keys(simulation.options.sometimes ?? {}).filter((name) => (totals.sometimes.get(name) ?? 0) === 0)
  const lacks = options.requireSometimes === true && missing.length > 0
  fine &&= failed.length === 0 && !lacks
  if (options.json === true)
    process.stdout.write(
      `${JSON.stringify({
        simulation: simulation.name,
        fine,
        seeds: totals.seeds,
        steps: totals.steps,
        faults: Object.fromEntries(totals.faults),
        crashPoints: Object.fromEntries(totals.crashPoints),
        sometimes: Object.fromEntries(totals.sometimes),
        never: missing,
        failures: failed.map((report) => ({ ...report.failed!.failure, regression: report.failed!.regression })),
      })}\n`,
    )
  else {
    const mark = fine ? styleText('green', '✓') : styleText('red', '✗')
    process.stdout.write(`${mark} ${styleText('bold', simulation.name)}${progress.line(totals)}\n`)
    if (options.verbose === true || lacks)
      for (const [name, times] of [...totals.sometimes, ...missing.map((name) => [name, 0] as const)])
        process.stdout.write(`    ${String(times).padStart(8)}  ${name}\n`)
    if (lacks) process.stdout.write(`  What never happened was not tested: run more seeds, or see why.\n`)
  }
  return fine
}

function spreadOrRun(
  loaded: LoadedSimulation,
  options: SimulateOptions,
  seeds: { readonly next: () => number | undefined; readonly onReport: (report: SeedReport) => void },
): Promise<void> {
  const runner = runnerOptions(loaded, options)
  if (options.workers > 1) return spread({ workers: options.workers, runner, ...seeds })
  return (async () => {
    await using here = await Runner.open(runner)
    for (let seed = seeds.next(); seed !== undefined; seed = seeds.next()) seeds.onReport(await here.runSeed(seed))
  })()
}

async function replayKept(loaded: LoadedSimulation, options: SimulateOptions): Promise<boolean> {
  const kept = await keptFailures(loaded)
  if (kept.length === 0) return true
  await using runner = await Runner.open(runnerOptions(loaded, options))
  let fine = true
  for (const { file, regression } of kept) if (!tellReplay(loaded, options, file, await runner.replay(regression))) fine = false
  return fine
}

function tellReplay({ simulation, path }: LoadedSimulation, options: SimulateOptions, file: string, { failed }: SeedReport): boolean {
  if (options.json === true && options.replay !== undefined)
    process.stdout.write(
      `${JSON.stringify({ simulation: simulation.name, replayed: file, fine: failed === undefined, failure: failed?.failure ?? null })}\n`,
    )
  else if (failed !== undefined)
    process.stdout.write(failureText(failed, { file: relative(process.cwd(), path), name: simulation.name, keptIn: file }))
  else if (options.json !== true)
    process.stdout.write(`${styleText('green', '✓')} ${styleText('bold', simulation.name)}  ${file} does not fail any more\n`)
  return failed === undefined
}

/** Prints it, and keeps it in a file to be run again. */
async function tellFailure({ simulation, path }: LoadedSimulation, options: SimulateOptions, failed: FailedSeed): Promise<void> {
  const keptIn = relative(process.cwd(), join(regressionFolder(path), `${failed.regression.seed}-${failed.regression.faults}.json`))
  await mkdir(dirname(keptIn), { recursive: true })
  await writeFile(keptIn, `${JSON.stringify(failed.regression, undefined, 2)}\n`)
  if (options.json !== true)
    process.stdout.write(failureText(failed, { file: relative(process.cwd(), path), name: simulation.name, keptIn }))
}

function runnerOptions({ path }: LoadedSimulation, { faults, operations, shrink }: SimulateOptions): RunnerOptions {
  return { path, faults, operations, shrink }
}
