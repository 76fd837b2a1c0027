/** A service's database on a real PostgreSQL, and what the platform's code needs besides it when every order is to be explored. */
import { postgres } from '@skerry/postgres'
import type { Database } from 'skerry/engine'
import { systemClock } from 'skerry/engine'
import { migrate } from 'skerry/runtime'
import type { Clock } from '../../packages/skerry/src/base/clock.ts'
import { VirtualClock } from '../../packages/skerry/src/base/clock.ts'
import { createLog } from '../../packages/skerry/src/telemetry/log.ts'
import { createDatabases } from '../topologies/databases.ts'

export interface PlatformDatabase extends AsyncDisposable {
  readonly database: Database
  /** Empties the tables of events, answers, sagas and deprecated calls, and one named `effect`, for what handlers do. */
  clear(): Promise<void>
  /** What handlers have done, in the order in which it was committed. */
  effects(): Promise<readonly string[]>
}

const TABLES = [
  'outbox',
  'key_head',
  'lease_member',
  'key_cursor',
  'inbox',
  'delivery',
  'dead_letter',
  'answer',
  'saga',
  'saga_step',
  'saga_event',
  'deprecated_call',
]

export async function openPlatformDatabase(): Promise<PlatformDatabase> {
  const held = new AsyncDisposableStack()
  const databases = held.use(await createDatabases(['orders']))
  const engine = held.adopt(postgres({ url: databases.urls['orders']!, poolSize: 12 }), (opened) => opened.close())
  const database = await engine.open({ service: 'orders', shared: false })
  await migrate({ service: 'orders', database, folder: undefined, clock: systemClock })
  await database.query(`create table effect (id bigint generated always as identity primary key, what text not null)`)
  return {
    database,
    async clear() {
      for (const table of TABLES) await database.query(`delete from skerry_${table}`)
      await database.query(`delete from effect`)
      await database.query(`update skerry_lease set owner = null, expires_at = null, epoch = 0 where owner is not null or epoch > 0`)
    },
    effects: async () => (await database.query<{ what: string }>(`select what from effect order by id`)).rows.map(({ what }) => what),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** Stands still; short pauses, such as that before a transaction is tried again, are over at once, and what is waited for longer never comes. */
export function standingClock(laterMs = 0): Clock {
  const still = new VirtualClock(new Date(START_MS + laterMs))
  return {
    now: () => still.now(),
    nowMs: () => still.nowMs(),
    preciseMs: () => still.nowMs(),
    setTimer(delayMs, action) {
      if (delayMs > PAUSE_MS) return { cancel: () => undefined }
      const soon = setImmediate(action)
      return { cancel: () => clearImmediate(soon) }
    },
  }
}
const PAUSE_MS = 250
const START_MS = Date.UTC(2026, 0)

export const silent = createLog({ level: 'silent' })
