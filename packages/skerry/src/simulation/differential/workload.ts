/**
 * What is to be done, planned from a seed before anything runs: who emits what on which key, what cannot be handled, which sagas start and
 * which of their steps fail. What comes of it is decided by it alone, whatever goes wrong on the way, so that everything that runs it must end
 * in the same state. Therefore a key's events have one source, which goes on when the one before is committed, and nothing is left to
 * time: no deadlines, no cancelling, no consumer that joins later.
 */
import type { SagaDefinition, StepDefinition } from '../../saga/definition.ts'
import { unit } from '../choices.ts'
import { SHAPES, SUBSCRIBERS } from '../protocol/topology.ts'

export interface PlannedEvent {
  /** The service whose event it is. */
  readonly topic: string
  readonly key: string
  /** Tells it from all others. */
  readonly label: string
}

/** What a client asks of a service: to emit these events in one transaction, or to start a saga. */
export type Command =
  | { readonly kind: 'emit'; readonly name: string; readonly service: string; readonly events: readonly PlannedEvent[] }
  | { readonly kind: 'start'; readonly name: string; readonly service: string; readonly saga: number; readonly definition: SagaDefinition }

/** An event that one consumer cannot handle: at its first attempts, or, where it is `permanent`, ever. */
export interface PlannedPoison {
  readonly consumer: string
  readonly kind: 'transient' | 'permanent'
  readonly times: number
}

/** A step that is refused for good, or fails so often before it succeeds; Infinity: it never does. */
export type Trouble = { readonly kind: 'refused' } | { readonly kind: 'fails'; readonly times: number }

export type Direction = 'run' | 'undo'

export interface Workload {
  /** Each is of one client: a command is given when the one before it is carried out. */
  readonly lanes: readonly (readonly Command[])[]
  /** Every event that there may be, whether or not it comes to it. */
  readonly events: readonly PlannedEvent[]
  /** By the label of the event. */
  readonly poison: ReadonlyMap<string, PlannedPoison>
  /** By the label of the event that they follow from. */
  readonly reactions: ReadonlyMap<string, PlannedEvent>
  /** By `troubleName`. */
  readonly trouble: ReadonlyMap<string, Trouble>
}

const LANES = [
  { service: 'orders', keys: ['a', 'b'] },
  { service: 'billing', keys: ['a', 'b'] },
  { service: 'orders', keys: ['c', 'd'] },
  { service: 'billing', keys: ['c', 'd'] },
] as const
const COMMANDS = 8

/** `sagas`: those that there are to start. */
export function workloadOf(seed: number, sagas: readonly SagaDefinition[]): Workload {
  const lanes = LANES.map((_, lane) =>
    Array.from({ length: COMMANDS }, (_, place) => commandOf(seed, { lane: lane + 1, place: place + 1 }, LANES[lane]!, sagas)),
  )
  const trouble = new Map<string, Trouble>()
  const direct: PlannedEvent[] = []
  for (const command of lanes.flat())
    if (command.kind === 'emit') direct.push(...command.events)
    else {
      for (const [name, what] of troubleOf(seed, command.saga, command.definition)) trouble.set(name, what)
      for (const step of command.definition.stages.flat())
        if (step.kind === 'local') direct.push(noteOf(command.definition, command.saga, step.name))
    }
  const reactions = new Map(direct.flatMap((event) => reactionTo(seed, event)))
  const events = [...direct, ...reactions.values()]
  return { lanes, events, reactions, trouble, poison: new Map(events.flatMap((event) => poisonOf(seed, event))) }
}

/** The same, of which only so many commands of each lane are given. */
export function begun(workload: Workload, commands: readonly number[]): Workload {
  return { ...workload, lanes: workload.lanes.map((lane, index) => lane.slice(0, commands[index])) }
}

/** What a local step emits: each saga has a key of its own. */
export function noteOf({ service }: Pick<SagaDefinition, 'service'>, saga: number, step: string): PlannedEvent {
  return { topic: service, key: sagaKey(saga), label: `${sagaKey(saga)} ${step}` }
}

/** The key of a saga's events; those of what follows from them are `keyOfReaction` of it. */
export function sagaKey(saga: number): string {
  return `saga-${saga}`
}

export function keyOfReaction(key: string): string {
  return `re-${key}`
}

/** Under which `trouble` has that of a step. */
export function troubleName(saga: number, step: string, direction: Direction): string {
  return `${saga}/${step}/${direction}`
}

function commandOf(
  seed: number,
  { lane, place }: { readonly lane: number; readonly place: number },
  { service, keys }: (typeof LANES)[number],
  sagas: readonly SagaDefinition[],
): Command {
  const name = `${lane}.${place}`
  const draw = (what: string): number => unit(seed, `command ${name}: ${what}`)
  if (draw('kind') < 0.35) {
    const own = sagas.filter((definition) => definition.service === service)
    return { kind: 'start', name, service, saga: lane * 100 + place, definition: own[Math.floor(draw('saga') * own.length)]! }
  }
  const events = Array.from({ length: 1 + Math.floor(draw('count') * 3) }, (_, index) => ({
    topic: service,
    key: keys[Math.floor(draw(`key ${index}`) * keys.length)]!,
    label: `${name}.${index + 1}`,
  }))
  return { kind: 'emit', name, service, events }
}

/** The handler of a service that emits does so for every second event. */
function reactionTo(seed: number, { topic, key, label }: PlannedEvent): readonly (readonly [string, PlannedEvent])[] {
  const reacting = SUBSCRIBERS[placeOf(topic)]!.map((place) => SHAPES[place]!).find(({ emits }) => emits)
  if (reacting === undefined || unit(seed, `reaction to ${label}`) < 0.5) return []
  return [[label, { topic: reacting.name, key: keyOfReaction(key), label: `re ${label}` }]]
}

function poisonOf(seed: number, { topic, label }: PlannedEvent): readonly (readonly [string, PlannedPoison])[] {
  const draw = (what: string): number => unit(seed, `poison in ${label}: ${what}`)
  if (draw('is there') > 0.06) return []
  const subscribers = SUBSCRIBERS[placeOf(topic)]!
  const consumer = SHAPES[subscribers[Math.floor(draw('consumer') * subscribers.length)]!]!.name
  return draw('kind') < 0.6
    ? [[label, { consumer, kind: 'permanent', times: Infinity }]]
    : [[label, { consumer, kind: 'transient', times: 1 + Math.floor(draw('times') * 2) }]]
}

function placeOf(topic: string): number {
  return SHAPES.findIndex(({ name }) => name === topic)
}

/**
 * At most one step fails for good, up to the pivot or, refused, behind it; and at most one undo before it, of a step that stands alone: of steps side by
 * side it depends on who comes first.
 */
function troubleOf(seed: number, saga: number, { stages }: SagaDefinition): ReadonlyMap<string, Trouble> {
  const draw = (what: string): number => unit(seed, `saga ${saga}: ${what}`)
  const trouble = new Map<string, Trouble>()
  const steps = stages.flat()
  for (const { name } of steps)
    for (const direction of ['run', 'undo'] as const)
      if (draw(`${direction} ${name} fails`) < 0.12)
        trouble.set(troubleName(saga, name, direction), { kind: 'fails', times: 1 + Math.floor(draw(`${direction} ${name} so often`) * 2) })
  if (draw('fails') > 0.6) return trouble
  const failing = steps[Math.floor(draw('failing step') * steps.length)]!
  trouble.set(troubleName(saga, failing.name, 'run'), failureOf(draw, failing, isBehindPivot(stages, failing)))
  const place = stages.findIndex((stage) => stage.includes(failing))
  const alone = stages.slice(0, place).flatMap((stage) => (stage.length === 1 && stage[0]!.undo !== undefined ? stage : []))
  if (alone.length > 0 && draw('undo is refused') < 0.2)
    trouble.set(troubleName(saga, alone[Math.floor(draw('refused undo') * alone.length)]!.name, 'undo'), { kind: 'refused' })
  return trouble
}

/** Behind the pivot nothing is given up that might succeed, so to fail for ever would be without an end. */
function failureOf(draw: (what: string) => number, { name }: StepDefinition, isBehind: boolean): Trouble {
  return isBehind || draw(`${name} is refused`) < 0.7 ? { kind: 'refused' } : { kind: 'fails', times: Infinity }
}

function isBehindPivot(stages: SagaDefinition['stages'], step: StepDefinition): boolean {
  const steps = stages.flat()
  const pivot = steps.findIndex((candidate) => candidate.pivot)
  return pivot !== -1 && steps.indexOf(step) > pivot
}
