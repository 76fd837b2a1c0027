/** The event store of one service in one host: its sequencer, its projections, and who wakes whom. */
import type { Clock } from '../base/clock.ts'
import type { NewId } from '../base/id.ts'
import type { Random } from '../base/random.ts'
import type { Worker } from '../base/worker.ts'
import type { Database } from '../engine/database.ts'
import type { Log } from '../telemetry/log.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { Apply } from './builder.ts'
import { prepareProjections } from './generations.ts'
import type { ProjectionAdministration } from './projection-access.ts'
import { projectionAccess } from './projection-access.ts'
import type { RunningProjections } from './projection-worker.ts'
import { startProjections } from './projection-worker.ts'
import type { Projection } from './projection.ts'
import { startSequencer } from './sequencer.ts'
import type { Streams } from './streams.ts'

export interface EventStoreOptions {
  readonly service: string
  readonly streams: Streams
  readonly projections: readonly Projection[]
  /** Undefined for a service without one, which then has no streams either. */
  readonly database: Database | undefined
  /** No other process can have the database open. */
  readonly exclusive: boolean
  readonly clock: Clock
  readonly random: Random
  /** Default: nothing is recorded. */
  readonly telemetry?: Telemetry | undefined
  readonly newId: NewId
  readonly log: Log
}

export interface EventStore {
  readonly projections: ProjectionAdministration
  /** Something was appended, or may have been. */
  appended(): void
  /** Makes the tables of projections that are new. Call before anybody reads them. */
  prepare(): Promise<void>
  /** Begins to number events and to build. */
  begin(projections: readonly { readonly projection: Projection; readonly apply: Apply }[]): readonly Worker[]
}

export function eventStore(options: EventStoreOptions): EventStore {
  const { database, clock, newId } = options
  let sequencer: Worker | undefined
  let running: RunningProjections | undefined
  const access = projectionAccess({ projections: options.projections, database, clock, onChanged: () => running?.refresh() })
  return {
    projections: access,
    appended: () => sequencer?.wake(),
    async prepare() {
      if (database !== undefined) await prepareProjections(database, options.projections, clock.now())
    },
    begin(projections) {
      if (database === undefined || Object.keys(options.streams).length === 0) return []
      sequencer = startSequencer({ ...options, database, owner: newId(), onNumbered: () => running?.wake() })
      if (projections.length === 0) return [sequencer]
      running = startProjections({ ...options, database, projections, owner: newId(), onAdvanced: () => access.advanced() })
      return [sequencer, running]
    },
  }
}
