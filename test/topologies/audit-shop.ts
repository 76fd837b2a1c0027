/** The auditor at a running shop, whatever its databases are. An embedded one has one owner at a time: its hosts are stopped meanwhile. */
import type { Violation } from '@shop/auditor'
import { audit } from '@shop/auditor'
import { postgres } from '@skerry/postgres'
import type { Database } from 'skerry/engine'
import { shop } from './shop-suite.ts'
import type { RunningTopology } from './topology.ts'

export async function auditShop(running: RunningTopology): Promise<readonly Violation[]> {
  const { databases } = running
  const isEmbedded = databases.kind === 'shared' && databases.isEmbedded
  if (isEmbedded) await running.stop()
  try {
    await using opened = await open(databases)
    return await audit(opened.databases)
  } finally {
    if (isEmbedded) await running.start()
  }
}

async function open(of: RunningTopology['databases']) {
  const held = new AsyncDisposableStack()
  const databases: Record<string, Database> = {}
  const shared = of.kind === 'shared' ? held.adopt(of.open(), (engine) => engine.close()) : undefined
  for (const service of shop.services) {
    const engine = shared ?? held.adopt(postgres({ url: of.kind === 'separate' ? of.urls[service]! : '' }), (engine) => engine.close())
    databases[service] = await engine.open({ service, shared: shared !== undefined })
  }
  return { databases, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
