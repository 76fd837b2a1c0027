/** The boundary to work that a service does by itself, beside answering calls and handling events: sagas, schedules, projections. */
export interface Worker {
  /** True when nothing is in progress, so far as it has looked. */
  readonly idle: boolean
  /** When it has something to do by itself, in milliseconds since the epoch on its clock; undefined when nothing is left. Asks the database. */
  dueMs(): Promise<number | undefined>
  /** Looks for work now: something was committed that may be some. */
  wake(): void
  /** Takes nothing more. Resolves when what is in progress has ended and its leases are given back. */
  stop(): Promise<void>
}
