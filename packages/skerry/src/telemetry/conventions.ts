/**
 * The work that services do, as telemetry describes it: names, attributes and metrics by OpenTelemetry's semantic conventions where they have
 * some (RPC, HTTP, messaging, database), and by ours, which begin with `skerry.`, where they have none.
 */
import type { HistogramDefinition } from './metrics.ts'
import type { WorkDescription } from './telemetry.ts'

const RPC_CLIENT: HistogramDefinition = {
  name: 'rpc.client.call.duration',
  unit: 's',
  description: 'How long calls of other services took, with all their attempts.',
}
const RPC_SERVER: HistogramDefinition = {
  name: 'rpc.server.call.duration',
  unit: 's',
  description: 'How long answering calls took.',
}
const HTTP_SERVER: HistogramDefinition = {
  name: 'http.server.request.duration',
  unit: 's',
  description: 'How long answering requests from outside took.',
}
const TRANSACTION: HistogramDefinition = {
  name: 'db.client.operation.duration',
  unit: 's',
  description: 'How long transactions took, with all their repetitions.',
}
const PUBLISH: HistogramDefinition = {
  name: 'messaging.client.operation.duration',
  unit: 's',
  description: 'How long the broker took to confirm events.',
}
const PROCESS: HistogramDefinition = {
  name: 'messaging.process.duration',
  unit: 's',
  description: 'How long events took from their delivery until they were handled.',
}
const HANDLE: HistogramDefinition = {
  name: 'skerry.event.handler.duration',
  unit: 's',
  description: 'How long handlers of events took.',
}
const SAGA_STEP: HistogramDefinition = {
  name: 'skerry.saga.step.duration',
  unit: 's',
  description: 'How long attempts at steps of sagas, and at undoing them, took.',
}
const SCHEDULE: HistogramDefinition = {
  name: 'skerry.schedule.duration',
  unit: 's',
  description: 'How long scheduled work took.',
}
const PROJECTION: HistogramDefinition = {
  name: 'skerry.projection.apply.duration',
  unit: 's',
  description: 'How long applying one event to a projection took.',
}

/** `operation`: its full name, `orders.placeOrder`. */
export function callingOf(operation: string): WorkDescription {
  const attributes = { 'rpc.system.name': 'skerry', 'rpc.method': operation }
  return { name: operation, kind: 'client', attributes, duration: { of: RPC_CLIENT, labels: attributes } }
}

/** Every attempt of a call but the first. */
export function callingAgainOf(operation: string): WorkDescription {
  return { ...callingOf(operation), duration: undefined }
}

export function answeringOf(operation: string): WorkDescription {
  const attributes = { 'rpc.system.name': 'skerry', 'rpc.method': operation }
  return { name: operation, kind: 'server', attributes, duration: { of: RPC_SERVER, labels: attributes } }
}

/** A request from outside; `route` as in the contract, for what a path is filled with may be personal. */
export function servingOf(method: string, route: string): WorkDescription {
  const attributes = { 'http.request.method': method, 'http.route': route }
  return { name: `${method} ${route}`, kind: 'server', attributes, fromOutside: true, duration: { of: HTTP_SERVER, labels: attributes } }
}

export function transactionOf(): WorkDescription {
  const attributes = { 'db.system.name': 'postgresql', 'db.operation.name': 'TRANSACTION' }
  return { name: 'transaction', kind: 'client', attributes, duration: { of: TRANSACTION, labels: attributes } }
}

/** `event`: its type, `orders.orderPlaced`. */
export function emittingOf(event: string): WorkDescription {
  return { name: `emit ${event}`, kind: 'producer', attributes: messaging('create', 'create', event) }
}

export function publishingOf(event: string): WorkDescription {
  const attributes = messaging('publish', 'send', event)
  return { name: `publish ${event}`, kind: 'producer', attributes, duration: { of: PUBLISH, labels: attributes } }
}

export function deliveringOf(event: string, consumer: string): WorkDescription {
  const attributes = { ...messaging('deliver', 'process', event), 'messaging.consumer.group.name': consumer }
  return { name: `deliver ${event}`, kind: 'consumer', attributes, duration: { of: PROCESS, labels: attributes } }
}

export function handlingOf(event: string): WorkDescription {
  const attributes = { 'messaging.destination.name': event }
  return { name: `handle ${event}`, kind: 'internal', attributes, duration: { of: HANDLE, labels: attributes } }
}

export function sagaStepOf(saga: string, step: string, direction: 'run' | 'undo'): WorkDescription {
  const attributes = { 'skerry.saga.name': saga, 'skerry.saga.step': step, 'skerry.saga.direction': direction }
  return {
    name: `${direction === 'run' ? 'step' : 'undo'} ${saga}.${step}`,
    kind: 'internal',
    attributes,
    duration: { of: SAGA_STEP, labels: attributes },
  }
}

export function scheduleOf(name: string): WorkDescription {
  const attributes = { 'skerry.schedule.name': name }
  return { name: `schedule ${name}`, kind: 'internal', attributes, duration: { of: SCHEDULE, labels: attributes } }
}

export function projectingOf(projection: string): WorkDescription {
  const attributes = { 'skerry.projection.name': projection }
  return { name: `project ${projection}`, kind: 'internal', attributes, duration: { of: PROJECTION, labels: attributes } }
}

function messaging(name: string, type: string, event: string): Record<string, string> {
  return { 'messaging.operation.name': name, 'messaging.operation.type': type, 'messaging.destination.name': event }
}
