/** `skerry openapi`: prints the API document of a service, or the gateway's. It opens nothing. */
import { selectServices } from './run-host.ts'
import type { LoadedSystem } from './system-file.ts'
import { loadSystem, platformPart } from './system-file.ts'

export interface OpenApiOptions {
  readonly system?: string
  readonly public?: boolean
  readonly verbose?: boolean
}

export async function openapi(service: string | undefined, options: OpenApiOptions): Promise<void> {
  const loaded = await loadSystem(options.system)
  process.stdout.write(`${JSON.stringify(await documentOf(loaded, service, options.public === true), undefined, 2)}\n`)
}

async function documentOf(loaded: LoadedSystem, service: string | undefined, publicOnly: boolean): Promise<unknown> {
  const { openApi, mergeOpenApi } = await platformPart(loaded.path, 'skerry/contract')
  const { system, platform } = loaded
  const isGateway = service === undefined || service === platform.GATEWAY
  const [selected] = selectServices(loaded, isGateway ? [] : [service]).services
  if (isGateway || selected === undefined)
    return mergeOpenApi(
      system.name,
      system.services.map(({ contract }) => contract),
      { publicOnly: true },
    )
  const { contract } = selected
  return publicOnly ? mergeOpenApi(contract.name, [contract], { publicOnly, version: contract.version }) : openApi(contract)
}
