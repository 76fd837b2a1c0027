/** What a host that has started says of itself: one line for programs, a short table for people. */
import type { Host } from 'skerry/runtime'
import type { PreparedHost } from './run-host.ts'
import type { SampleCall } from './sample-call.ts'
import { curlCommand, sampleCall } from './sample-call.ts'

type Urls = Pick<Host, 'gatewayUrl' | 'serviceUrls' | 'adminUrl'>

/** The line that `skerry start --json` prints when it is ready. */
export interface StartedLine {
  readonly event: 'started'
  /** Null when this host runs no gateway. */
  readonly gateway: string | null
  /** The services that listen on a port of their own. */
  readonly services: Readonly<Record<string, string>>
  /** Null when the admin API is off. */
  readonly admin: string | null
  readonly pid: number
}

export function startedLine({ gatewayUrl, serviceUrls, adminUrl }: Urls): StartedLine {
  return {
    event: 'started',
    gateway: gatewayUrl ?? null,
    services: Object.fromEntries(serviceUrls),
    admin: adminUrl ?? null,
    pid: process.pid,
  }
}

export interface StartedFacts {
  readonly system: string
  readonly gateway: string | null
  readonly services: readonly { readonly name: string; readonly url: string | null }[]
  readonly databases: readonly string[]
  readonly broker: string
  readonly admin: string | null
  /** For the gateway; for the first service that listens when there is none. */
  readonly sample: SampleCall
}

export async function startedFacts(
  system: string,
  { engines, selection }: PreparedHost,
  { gatewayUrl, serviceUrls, adminUrl }: Urls,
): Promise<StartedFacts> {
  const { databases, broker } = engines.descriptions
  const entry =
    gatewayUrl === undefined ? selection.services.filter(({ contract }) => serviceUrls.has(contract.name)).slice(0, 1) : selection.services
  const operations = entry
    .flatMap(({ contract }) => Object.values(contract.operations))
    .filter((operation) => gatewayUrl === undefined || operation.public)
  return {
    system,
    gateway: gatewayUrl ?? null,
    services: selection.services.map(({ contract: { name } }) => ({ name, url: serviceUrls.get(name) ?? null })),
    databases: [...databases],
    broker: broker ?? 'embedded',
    admin: adminUrl ?? null,
    sample: (await sampleCall(operations)) ?? { path: gatewayUrl === undefined ? '/health/ready' : '/openapi.json' },
  }
}

/** Ends with an empty line. */
export function startedTable({ system, gateway, services, databases, broker, admin, sample }: StartedFacts): string {
  const rows: [label: string, value: string][] = []
  if (gateway !== null) rows.push(['gateway', gateway])
  if (services.length > 0) rows.push(['services', services.map(({ name, url }) => (url === null ? name : `${name} (${url})`)).join(', ')])
  if (databases.length > 0) rows.push(['database', databases.join(', ')])
  rows.push(['broker', broker])
  if (admin !== null) rows.push(['admin', admin])
  const entry = gateway ?? services.find(({ url }) => url !== null)?.url
  if (entry !== undefined && entry !== null) rows.push(['try', curlCommand(entry, sample)])
  return `\n${system} is running.\n\n${rows.map(([label, value]) => `  ${label.padEnd(10)}${value}`).join('\n')}\n\n`
}
