/** What a host that has started says of itself: one line for programs, a short table for people. */
import type { Host } from 'skerry/runtime'
import type { PreparedHost } from './run-host.ts'

/** The line that `skerry start --json` prints when it is ready. */
export interface StartedLine {
  readonly event: 'started'
  /** Null when this host runs no gateway. */
  readonly gateway: string | null
  /** The services that listen on a port of their own. */
  readonly services: Readonly<Record<string, string>>
  readonly pid: number
}

export function startedLine(host: Pick<Host, 'gatewayUrl' | 'serviceUrls'>): StartedLine {
  return { event: 'started', gateway: host.gatewayUrl ?? null, services: Object.fromEntries(host.serviceUrls), pid: process.pid }
}

export interface StartedFacts {
  readonly system: string
  readonly gateway: string | null
  readonly services: readonly { readonly name: string; readonly url: string | undefined }[]
  readonly databases: readonly string[]
  readonly broker: string
}

export function startedFacts(system: string, prepared: PreparedHost, host: Pick<Host, 'gatewayUrl' | 'serviceUrls'>): StartedFacts {
  const { databases, broker } = prepared.engines.descriptions
  return {
    system,
    gateway: host.gatewayUrl ?? null,
    services: prepared.selection.services.map(({ contract: { name } }) => ({ name, url: host.serviceUrls.get(name) })),
    databases: [...databases],
    broker: broker ?? 'embedded',
  }
}

/** Ends with a line break. */
export function startedTable({ system, gateway, services, databases, broker }: StartedFacts): string {
  const names = services.map(({ name, url }) => (url === undefined ? name : `${name} ${url}`))
  const rows: [string, string][] = []
  if (gateway !== null) rows.push(['gateway', gateway])
  if (names.length > 0) rows.push(['services', names.join(', ')])
  if (databases.length > 0) rows.push(['database', databases.join(', ')])
  rows.push(['broker', broker])
  const entry = gateway ?? services.find(({ url }) => url !== undefined)?.url
  if (entry !== undefined) rows.push(['try', `curl ${entry}${gateway === null ? '/health/ready' : '/openapi.json'}`])
  return `\n${system} is running.\n\n${rows.map(([label, value]) => `  ${label.padEnd(10)}${value}`).join('\n')}\n\n`
}
