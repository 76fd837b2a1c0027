/** Loads the engines that the configuration names by URL, from the packages that the system's own project has installed. */
import { pathToFileURL } from 'node:url'
import type { BrokerEngine, DatabaseEngine } from 'skerry/engine'
import type { Engines } from 'skerry/runtime'
import { CommandError, EXIT } from './failure.ts'
import { resolveFrom } from './system-file.ts'

interface EngineModules {
  readonly '@skerry/pglite': { pglite(options: { readonly dataDir?: string }): DatabaseEngine }
  readonly '@skerry/postgres': { postgres(options: { readonly url: string }): DatabaseEngine }
  readonly '@skerry/rabbitmq': { rabbitmq(options: { readonly url: string }): BrokerEngine }
}

export interface LoadedEngines extends Engines {
  /** What was opened, for people: no passwords. */
  readonly descriptions: { readonly databases: ReadonlySet<string>; readonly broker: string | undefined }
}

/** The engines as the module at `path` would import them. */
export function enginesFor(path: string): LoadedEngines {
  const databases = new Set<string>()
  let broker: string | undefined
  return {
    get descriptions() {
      return { databases, broker }
    },
    async database(url, dataDirectory) {
      const engine =
        url === undefined
          ? (await load(path, '@skerry/pglite', 'there is no DATABASE_URL, so the database is embedded')).pglite(dataDirectory === undefined ? {} : { dataDir: dataDirectory })
          : (await load(path, '@skerry/postgres', 'the database URL is one of PostgreSQL')).postgres({ url })
      databases.add(engine.description)
      return engine
    },
    async broker(url) {
      const engine = (await load(path, '@skerry/rabbitmq', 'the broker URL is one of RabbitMQ')).rabbitmq({ url })
      broker = engine.description
      return engine
    },
  }
}

async function load<Name extends keyof EngineModules>(path: string, name: Name, why: string): Promise<EngineModules[Name]> {
  const found = resolveFrom(path, name)
  if (found === undefined)
    throw new CommandError(EXIT.configuration, `The engine ${name} is not installed where ${path} is, and it is needed: ${why}.`, `Install it there with: npm install ${name}`)
  return (await import(pathToFileURL(found).href)) as EngineModules[Name]
}
