/** An event store on a real PostgreSQL, with a database of its own, and several hosts' views of it. */
import { postgres } from '@skerry/postgres'
import type { Database } from 'skerry/engine'
import { systemClock } from 'skerry/engine'
import { migrate } from 'skerry/runtime'
import { createDatabases } from '../topologies/databases.ts'

export interface PostgresStore extends AsyncDisposable {
  readonly database: Database
  /** Who it is logged in as. */
  readonly role: string
  /** The same database as another host has it open. */
  open(): Promise<Database>
  /** Empties the event store. */
  clear(): Promise<void>
}

const TABLES = [
  'stream',
  'stream_event',
  'stream_pending',
  'stream_order',
  'stream_snapshot',
  'projection',
  'projection_skip',
  'lease_member',
]

export async function openPostgresStore(): Promise<PostgresStore> {
  const held = new AsyncDisposableStack()
  const databases = held.use(await createDatabases(['orders']))
  const open = async (): Promise<Database> => {
    const engine = held.adopt(postgres({ url: databases.urls['orders']!, poolSize: 30 }), (opened) => opened.close())
    return engine.open({ service: 'orders', shared: false })
  }
  const database = await open()
  await migrate({ service: 'orders', database, folder: undefined, clock: systemClock })
  return {
    database,
    role: new URL(databases.urls['orders']!).username,
    open,
    async clear() {
      await database.query(`truncate ${TABLES.map((table) => `skerry_${table}`).join(', ')} restart identity`)
      await database.query(`update skerry_lease set owner = null, expires_at = null, epoch = 0`)
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
