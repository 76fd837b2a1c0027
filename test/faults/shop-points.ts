/**
 * Which of the platform's crash points each service of the shop passes. That follows from what the service declares, so a service that
 * begins to use streams has to die at theirs, and a point that the platform adds does not compile before it is said here who passes it.
 * What a service declares and yet does not pass is listed with its reason.
 */
import { keepsAnswer } from 'skerry/contract'
import type { CRASH_POINTS, System } from 'skerry/runtime'
import { consumersOf } from 'skerry/runtime'

export type CrashPoint = (typeof CRASH_POINTS)[number]
type Service = System['services'][number]

const always = (): boolean => true
const publishes = ({ contract }: Service): boolean => Object.keys(contract.events).length > 0
const consumes = (service: Service, system: System): boolean => consumersOf(system).some(({ name }) => name === service.contract.name)
const hasSagas = ({ sagas }: Service): boolean => sagas.length > 0
const hasStreams = ({ streams }: Service): boolean => Object.keys(streams).length > 0
const hasSnapshots = ({ streams }: Service): boolean => Object.values(streams).some(({ snapshotEvery }) => snapshotEvery !== undefined)
const hasProjections = ({ projections }: Service): boolean => projections.length > 0
const keepsAnswers = ({ contract, ownIdempotency }: Service): boolean =>
  Object.entries(contract.operations).some(([name, operation]) => keepsAnswer(operation) && !ownIdempotency.includes(name))
/** Its own work, and the platform's, which forgets old answers and sagas. */
const hasSchedules = (service: Service): boolean => service.schedules.length > 0 || keepsAnswers(service) || hasSagas(service)

/** In the order in which a service dies at them: what has to wait for a lease of its last life to end comes between what does not. */
const PASSED: Readonly<Record<CrashPoint, (service: Service, system: System) => boolean>> = {
  'operation.received': always,
  'relay.claimed': publishes,
  'inbox.received': consumes,
  // Right after a life that ended with messages in its hands.
  'inbox.attempt-counted': consumes,
  'transaction.opened': always,
  'saga.started': hasSagas,
  'sequencer.fenced': hasStreams,
  'store.appended': hasStreams,
  'projection.fenced': hasProjections,
  'relay.published': publishes,
  'transaction.before-commit': always,
  'inbox.cursor-advanced': consumes,
  'saga.step-begun': hasSagas,
  'sequencer.numbered': hasStreams,
  'transaction.committed': always,
  'relay.confirmed': publishes,
  'inbox.handled': consumes,
  'saga.step-ran': hasSagas,
  'store.snapshot-kept': hasSnapshots,
  'projection.applied': hasProjections,
  'saga.undone': hasSagas,
  'operation.before-answer': always,
  'relay.deleted': publishes,
  'inbox.committed': consumes,
  'saga.local-before-commit': hasSagas,
  'projection.advanced': hasProjections,
  'inbox.acknowledged': consumes,
  'saga.ended': hasSagas,
  'inbox.failure-recorded': consumes,
  'inbox.early-parked': consumes,
  'inbox.dead-lettered': consumes,
  'later.before-commit': hasSchedules,
}

const NEVER_FAILS = 'its handlers only write to its own database, and what is lost with that is tried again without a record'
const NOT_BEHIND_A_FAILURE = 'no handler of two events of one key fails, so none comes before its turn'
const NO_DEAD_LETTERS = 'nothing in the shop is a dead letter, which is part of what is checked at the end'

/** Points that `test/delivery` kills at instead, on events that fail, come early and can never be handled. */
const NOT_PASSED: Readonly<Record<string, Readonly<Partial<Record<CrashPoint, string>>>>> = {
  cart: {
    'inbox.failure-recorded': NEVER_FAILS,
    'inbox.early-parked': NOT_BEHIND_A_FAILURE,
    'inbox.dead-lettered': NO_DEAD_LETTERS,
  },
  orders: {
    'inbox.failure-recorded': NEVER_FAILS,
    'inbox.early-parked': NOT_BEHIND_A_FAILURE,
    'inbox.dead-lettered': NO_DEAD_LETTERS,
  },
  recommendations: {
    'inbox.failure-recorded': NEVER_FAILS,
    'inbox.early-parked': NOT_BEHIND_A_FAILURE,
    'inbox.dead-lettered': NO_DEAD_LETTERS,
  },
  notifications: { 'inbox.early-parked': NOT_BEHIND_A_FAILURE, 'inbox.dead-lettered': NO_DEAD_LETTERS },
  payments: {
    'inbox.cursor-advanced': 'what it consumes it handles outside a transaction, and advances the cursor afterwards',
    'inbox.failure-recorded': 'a provider that does not answer is asked again by the schedule, which is no failure of the event',
    'inbox.early-parked': NOT_BEHIND_A_FAILURE,
    'inbox.dead-lettered': NO_DEAD_LETTERS,
  },
}

const NO_SNAPSHOTS = 'the histories of the shop are too short for snapshots'

/** Points that no service of the shop passes. */
export const ELSEWHERE: Readonly<Partial<Record<CrashPoint, string>>> = {
  'inbox.early-parked': NOT_BEHIND_A_FAILURE,
  'inbox.dead-lettered': NO_DEAD_LETTERS,
  'store.snapshot-kept': NO_SNAPSHOTS,
}

/** The points at which the service has to die, in order. */
export function pointsOf(name: string, system: System): readonly CrashPoint[] {
  const service = system.services.find(({ contract }) => contract.name === name)
  if (service === undefined) throw new Error(`The shop has no service named "${name}"`)
  const points = Object.keys(PASSED) as CrashPoint[]
  return points.filter((point) => PASSED[point](service, system) && NOT_PASSED[name]?.[point] === undefined)
}

/** What of the tables above says nothing any more: exceptions to points that do not apply anyway. */
export function idleExceptions(system: System): readonly string[] {
  return Object.entries(NOT_PASSED).flatMap(([name, points]) => {
    const service = system.services.find(({ contract }) => contract.name === name)
    return Object.keys(points)
      .filter((point) => service === undefined || !PASSED[point as CrashPoint](service, system))
      .map((point) => `${name} at ${point}`)
  })
}
