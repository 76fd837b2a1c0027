/** `skerry asyncapi`: prints the document of a service's events, or of those of the whole system. It opens nothing. */
import { CommandError, EXIT } from './failure.ts'
import { selectServices } from './run-host.ts'
import { loadSystem, platformPart } from './system-file.ts'

export interface AsyncApiOptions {
  readonly system?: string
  readonly verbose?: boolean
}

export async function asyncapi(service: string | undefined, options: AsyncApiOptions): Promise<void> {
  const loaded = await loadSystem(options.system)
  const { asyncApi, mergeAsyncApi } = await platformPart(loaded.path, 'skerry/contract')
  const parties = loaded.platform.eventPartiesOf(loaded.system)
  const selected = service === undefined ? undefined : parties.find(({ contract }) => contract.name === service)
  if (service !== undefined && selected === undefined) {
    selectServices(loaded, [service])
    throw new CommandError(EXIT.usage, 'The gateway has no events.', 'Name a service, or leave it out for the whole system.')
  }
  const document = selected === undefined ? mergeAsyncApi(loaded.system.name, parties) : asyncApi(selected.contract, selected.receives)
  process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`)
}
