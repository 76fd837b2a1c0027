/** What is wrong with a shop whose services have a database each: what the auditor finds, and what has stopped on its way. */
import type { AuditOptions, ProviderBook } from '@shop/auditor'
import { audit } from '@shop/auditor'
import { postgres } from '@skerry/postgres'
import type { Database } from 'skerry/engine'

export interface OpenShop extends AsyncDisposable {
  /** One line for each thing that is wrong; none when all is well. */
  findings(book: ProviderBook, options: AuditOptions): Promise<readonly string[]>
}

/** Of the platform's tables those that are empty when nothing is on its way, and nothing was given up. */
const EMPTY_AT_REST = ['skerry_outbox', 'skerry_delivery', 'skerry_dead_letter', 'skerry_stream_pending'] as const
const OPEN_REQUESTS = `select key from provider_requests where state = 'pending' order by key`

export async function openShop(urls: Readonly<Record<string, string>>): Promise<OpenShop> {
  const held = new AsyncDisposableStack()
  const databases: Record<string, Database> = {}
  for (const [service, url] of Object.entries(urls))
    databases[service] = await held.adopt(postgres({ url }), (engine) => engine.close()).open({ service, shared: false })
  const stopped = async (): Promise<string[]> => {
    const lines: string[] = []
    for (const [service, database] of Object.entries(databases))
      for (const table of EMPTY_AT_REST) {
        const { rows } = await database.query<{ count: number }>(`select count(*) as count from ${table}`)
        if (rows[0]!.count > 0) lines.push(`${table} of ${service} has ${rows[0]!.count} rows`)
      }
    for (const { key } of (await databases['payments']!.query<{ key: string }>(OPEN_REQUESTS)).rows)
      lines.push(`nobody knows what the provider did with ${key}`)
    return lines
  }
  return {
    async findings(book, options) {
      const lines = options.atRest === false ? [] : await stopped()
      // What moves is not worth a closer look.
      if (lines.length > 0) return lines
      return (await audit(databases, book, options)).map(({ invariant, message }) => `${invariant}: ${message}`)
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
