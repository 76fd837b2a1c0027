/** Finds the files that define simulations, what they export, and the failures that are kept beside them. */
import { globSync, statSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as platform from 'skerry/simulation'
import { CommandError, EXIT } from '../failure.ts'
import { platformPart } from '../system-file.ts'

export type SimulationPlatform = typeof platform

export interface LoadedSimulation {
  /** Absolute. */
  readonly path: string
  readonly simulation: platform.Simulation
  /** The copy of the platform that the simulation itself imports. */
  readonly platform: SimulationPlatform
}

const PATTERN = '**/*.simulation.{ts,js}'
const EXAMPLE = `export default simulation('orders', { system: shop, … })`

/** The absolute paths of the files that are named; of none, of all that there are below the current directory. */
export function findSimulationFiles(named: readonly string[]): readonly string[] {
  const files = named.length > 0 ? named.map((file) => resolve(file)) : everySimulationFile()
  const missing = files.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() !== true)
  if (missing !== undefined) throw new CommandError(EXIT.usage, `There is no file ${missing}.`, 'Name files that export a simulation.')
  if (files.length === 0)
    throw new CommandError(
      EXIT.usage,
      `There is no simulation here: looked for ${PATTERN} below ${process.cwd()}.`,
      `Name the file. It contains a line such as\n\n  ${EXAMPLE}`,
    )
  return files
}

function everySimulationFile(): string[] {
  return globSync(PATTERN, { exclude: (name) => name === 'node_modules' || name === 'dist' })
    .map((file) => resolve(file))
    .toSorted()
}

export async function loadSimulation(path: string): Promise<LoadedSimulation> {
  const exports = (await import(pathToFileURL(path).href)) as Record<string, unknown>
  const simulation = exports['default']
  if (typeof simulation !== 'object' || simulation === null || !('kind' in simulation) || simulation.kind !== 'simulation')
    throw new CommandError(EXIT.usage, `${path} has no simulation as its default export.`, `Write\n\n  ${EXAMPLE}`)
  return { path, simulation: simulation as platform.Simulation, platform: await platformPart(path, 'skerry/simulation') }
}

/** Where failures of a simulation are kept: `regressions/<its file>/`. */
export function regressionFolder(path: string): string {
  return join(dirname(path), 'regressions', basename(path).replace(/\.simulation\.[jt]s$/, ''))
}

export interface KeptFailure {
  /** As a person would write it here. */
  readonly file: string
  readonly regression: platform.Regression
}

export async function keptFailures(loaded: LoadedSimulation): Promise<readonly KeptFailure[]> {
  const folder = regressionFolder(loaded.path)
  const found = await stat(folder).catch(() => undefined)
  if (found === undefined) return []
  const files = (await readdir(folder))
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .map((name) => relative(process.cwd(), join(folder, name)))
  return Promise.all(files.map(async (file) => ({ file, regression: await readKept(loaded, file) })))
}

/** A failure that was kept. One of another simulation would do something here, and prove nothing. */
export async function readKept({ path, simulation, platform }: LoadedSimulation, file: string): Promise<platform.Regression> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CommandError(
      EXIT.usage,
      `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      'Name the file of a kept failure.',
    )
  })
  const regression = platform.readRegression(text, file)
  if (regression.simulation !== simulation.name)
    throw new CommandError(
      EXIT.usage,
      `${file} is a failure of the simulation "${regression.simulation}", and ${path} is "${simulation.name}".`,
      'Name the file of the simulation that it belongs to; if that was renamed, correct its name in the file.',
    )
  return regression
}
