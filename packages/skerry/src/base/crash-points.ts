/**
 * Named places at which a process may die. Tests arm one with `SKERRY_CRASH_AT=name` or `name:3` (the third time it
 * is passed) and the process kills itself there with SIGKILL, as the machine would. Unarmed, a point costs one branch.
 */
export const CRASH_POINTS = [
  'operation.received',
  'transaction.opened',
  'transaction.before-commit',
  'transaction.committed',
  'operation.before-answer',
  'later.before-commit',
  'saga.started',
  'saga.step-begun',
  'saga.step-ran',
  'saga.local-before-commit',
  'saga.undone',
  'saga.ended',
  'relay.claimed',
  'relay.published',
  'relay.confirmed',
  'relay.deleted',
  'inbox.received',
  'inbox.attempt-counted',
  'inbox.cursor-advanced',
  'inbox.handled',
  'inbox.committed',
  'inbox.acknowledged',
  'inbox.failure-recorded',
  'inbox.early-parked',
  'inbox.dead-lettered',
  'store.appended',
  'store.snapshot-kept',
  'sequencer.fenced',
  'sequencer.numbered',
  'projection.fenced',
  'projection.applied',
  'projection.advanced',
] as const

export type CrashPoint = (typeof CRASH_POINTS)[number]

let observer: ((point: CrashPoint) => void) | undefined
let armed: CrashPoint | undefined
let passesLeft = 0

/** Arms the point that a specification such as `relay.published:2` names. Throws when it names none. */
export function armCrashPoint(specification: string): void {
  const [name, passes = '1'] = specification.split(':')
  const point = CRASH_POINTS.find((candidate) => candidate === name)
  if (point === undefined || !/^[1-9]\d*$/.test(passes))
    throw new TypeError(`"${specification}" is not a crash point: expected name or name:count, with one of ${CRASH_POINTS.join(', ')}`)
  armed = point
  passesLeft = Number(passes)
}

/** Has each point that is passed told to a simulation; undefined ends it. */
export function observeCrashPoints(observe: ((point: CrashPoint) => void) | undefined): void {
  observer = observe
}

/** Passes the named point. */
export function crashPoint(point: CrashPoint): void {
  observer?.(point)
  if (armed === undefined) return
  if (armed === point && --passesLeft === 0) process.kill(process.pid, 'SIGKILL')
}
