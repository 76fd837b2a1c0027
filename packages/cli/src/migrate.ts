/** `skerry migrate`: brings the databases of services up to date and ends. Hosts do the same when they start. */
import { enginesFor } from './engines.ts'
import { keepAlive } from './keep-alive.ts'
import { selectServices } from './run-host.ts'
import { loadSystem } from './system-file.ts'

export interface MigrateOptions {
  readonly system?: string
  readonly json?: boolean
  readonly verbose?: boolean
}

/** Resolves when every service is up to date. What was applied before a failure stays applied, and has been printed. */
export async function migrate(names: readonly string[], options: MigrateOptions): Promise<void> {
  keepAlive()
  const loaded = await loadSystem(options.system)
  const { platform } = loaded
  const selection = selectServices(loaded, names)
  const say = (line: string): void => {
    if (options.json !== true) process.stdout.write(`${line}\n`)
  }
  const applied: Record<string, string[]> = {}
  const configuration = platform.readDatabaseConfiguration(selection, process.env)
  const databases = await platform.openDatabases({
    configuration,
    factory: enginesFor(loaded.path, configuration).database,
    clock: platform.systemClock,
    onProgress: (step) => process.stderr.write(`${step}\n`),
    signal: undefined,
  })
  let event = 'failed'
  try {
    for (const { contract, migrations } of selection.services) {
      const { name } = contract
      const opened = databases.of(name)
      if (opened === undefined) continue
      const ofService: string[] = []
      applied[name] = ofService
      const onApplied = (migration: string): void => {
        ofService.push(migration)
        say(`${name}: applied ${migration}`)
      }
      await platform.migrate({ service: name, database: opened.database, folder: migrations, clock: platform.systemClock, onApplied })
      if (ofService.length === 0) say(`${name}: up to date`)
    }
    event = 'migrated'
  } finally {
    if (options.json === true) process.stdout.write(`${JSON.stringify({ event, applied })}\n`)
    await databases.close()
  }
}
