/** What a service's handlers, tests and commands may ask of its projections: how far they are, and to wait for one. */
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import type { Duration } from '../base/duration.ts'
import { milliseconds } from '../base/duration.ts'
import { SkerryError } from '../base/errors.ts'
import type { Database } from '../engine/database.ts'
import { currentScope } from '../telemetry/scope.ts'
import { rebuild } from './generations.ts'
import type { Projection } from './projection.ts'

/** One generation of a read model. */
export interface ProjectionStatus {
  readonly name: string
  readonly generation: number
  readonly version: number
  /** `live` answers; `building` will take its place when it has caught up. */
  readonly status: 'building' | 'live'
  /** The last place in the global order that it has taken in. */
  readonly position: number
  /** How many places it is behind. */
  readonly lag: number
  /** What keeps it from going on. */
  readonly failure: { readonly position: number; readonly error: string; readonly stopped: boolean } | undefined
}

export interface WaitOptions {
  /** How long to wait. Default `2s`, and never beyond the caller's own deadline. */
  readonly deadline?: Duration
}

export interface ProjectionReader {
  /**
   * Resolves when the live read model is at least as new as the write that gave the token. Throws `projectionBehind` when it is not by the
   * deadline, or cannot be because it has stopped.
   */
  waitFor(projection: Projection, token: string, options?: WaitOptions): Promise<void>
  /** Every generation, the live one first. */
  status(projection: Projection): Promise<readonly ProjectionStatus[]>
}

export interface ProjectionAdministration extends ProjectionReader {
  /** Begins to build it from the first event, beside the one that answers. Returns the number of the generation. */
  rebuild(projection: Projection): Promise<number>
  /** Leaves one event out of this version of it, for a reason that is kept. Lets it go on. */
  skip(projection: Projection, position: number, reason: string): Promise<void>
}

export interface ProjectionAccessOptions {
  readonly projections: readonly Projection[]
  /** Undefined for a service without one, which then has no projections either. */
  readonly database: Database | undefined
  readonly clock: Clock
  /** Told when there is something to build or to go on with. */
  readonly onChanged?: () => void
}

export interface ProjectionAccess extends ProjectionAdministration {
  /** Readers may see something new: lets those who wait look again. */
  advanced(): void
}

const DEFAULT_DEADLINE: Duration = '2s'
/** How often to look whether another host has got there. */
const POLL_MS = 50
const TOKEN = /^[1-9]\d{0,14}$/

export function projectionAccess({ projections, database, clock, onChanged = () => undefined }: ProjectionAccessOptions): ProjectionAccess {
  const waiting = new Set<() => void>()
  const databaseOf = (projection: Projection): Database => {
    if (database !== undefined && projections.includes(projection)) return database
    throw new SkerryError('projectionInvalid', `The projection "${projection.name}" is not among those that the service implements`)
  }

  async function waitFor(projection: Projection, token: string, { deadline = DEFAULT_DEADLINE }: WaitOptions = {}): Promise<void> {
    const on = databaseOf(projection)
    if (!TOKEN.test(token)) throw new SkerryError('projectionInvalid', `"${token}" is no token: use the one that append or decide returned`)
    const scope = currentScope()
    if (scope?.transaction !== undefined)
      throw new SkerryError('callInTransaction', `waitFor("${projection.name}") inside a transaction could never see it arrive`)
    const untilMs = Math.min(clock.nowMs() + milliseconds(deadline), scope?.deadlineAtMs ?? Infinity)
    for (;;) {
      const looked = new AbortController()
      const advanced = new Promise<void>((resolve) => {
        waiting.add(resolve)
        looked.signal.addEventListener('abort', () => waiting.delete(resolve), { once: true })
      })
      try {
        const answer = await compare(on, projection.name, Number(token))
        if (answer === 'there') return
        const leftMs = untilMs - clock.nowMs()
        if (answer === 'stopped' || leftMs <= 0)
          throw new SkerryError(
            'projectionBehind',
            answer === 'stopped'
              ? `The projection "${projection.name}" has stopped at an event that it cannot apply`
              : `The projection "${projection.name}" has not come as far by the deadline`,
          )
        await Promise.race([advanced, sleep(clock, Math.min(POLL_MS, leftMs), looked.signal)])
      } finally {
        looked.abort()
      }
    }
  }

  return {
    waitFor,
    async status(projection) {
      return (await projectionStatuses(databaseOf(projection), [projection.name])).toSorted(
        (a, b) => Number(b.status === 'live') - Number(a.status === 'live'),
      )
    },
    async rebuild(projection) {
      const generation = await rebuild(databaseOf(projection), projection, clock.now())
      onChanged()
      return generation
    },
    async skip(projection, position, reason) {
      await skip(databaseOf(projection), projection, position, reason, clock.now())
      onChanged()
    },
    advanced() {
      for (const look of waiting) look()
    },
  }
}

async function compare(database: Database, name: string, eid: number): Promise<'there' | 'behind' | 'stopped'> {
  const { rows } = await database.query<{ there: boolean | null; stopped: boolean }>(
    `select pos >= (select pos from skerry_stream_order where eid = $2) as there, stopped_at is not null as stopped
     from skerry_projection where name = $1 and status = 'live'`,
    [name, eid],
  )
  if (rows[0]?.there === true) return 'there'
  return rows[0]?.stopped === true ? 'stopped' : 'behind'
}

/** Where these projections are; all of the database when no names are given. */
export async function projectionStatuses(database: Database, names?: readonly string[]): Promise<readonly ProjectionStatus[]> {
  const { rows } = await database.query<
    Omit<ProjectionStatus, 'failure'> & { failed: number | null; error: string | null; stopped: boolean }
  >(
    `select name, generation, version, status, pos as position, head - pos as lag, failed_pos as failed, error, stopped_at is not null as stopped
     from skerry_projection, (select coalesce(max(pos), 0) as head from skerry_stream_order) as orders
     where $1::text[] is null or name = any($1::text[]) order by name, generation`,
    [names ?? null],
  )
  return rows.map(({ failed, error, stopped, ...status }) => ({
    ...status,
    failure: failed === null || error === null ? undefined : { position: failed, error, stopped },
  }))
}

async function skip(database: Database, { name, version }: Projection, position: number, reason: string, now: Date): Promise<void> {
  if (reason.trim() === '') throw new SkerryError('projectionInvalid', `Skipping an event of "${name}" needs a reason: it is kept`)
  await database.transaction('read committed', async (transaction) => {
    const { rows } = await transaction.query(
      `update skerry_projection set stopped_at = null where name = $1 and version = $2 and failed_pos = $3 returning generation`,
      [name, version, position],
    )
    if (rows.length === 0)
      throw new SkerryError(
        'projectionInvalid',
        `Version ${version} of "${name}" does not fail at ${position}: only an event that stops it can be skipped`,
      )
    await transaction.query(
      `insert into skerry_projection_skip (name, version, pos, reason, at) values ($1, $2, $3, $4, $5) on conflict do nothing`,
      [name, version, position, reason, now],
    )
  })
}
