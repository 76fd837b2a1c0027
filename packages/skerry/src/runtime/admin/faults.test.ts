import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { contract, event, get, post } from '../../contract/index.ts'
import { service } from '../../service/index.ts'
import { createLog } from '../../telemetry/log.ts'
import { testSystem } from '../../testing/test-system.ts'
import { remoteAdmin } from './client.ts'

const Id = z.object({ id: z.int() })
const notes = contract('notes', {
  version: '1.0.0',
  operations: {
    readNote: get('/notes/{id}', { input: Id, output: Id }),
    writeNote: post('/notes', { input: Id, output: Id }),
  },
  events: { written: event(Id, { key: 'id' }) },
})
const readers = contract('readers', {
  version: '1.0.0',
  operations: { readAll: get('/all', { output: z.object({ read: z.array(z.int()) }) }) },
})

async function scene(environment: Readonly<Record<string, string>> = {}) {
  const read: number[] = []
  const logged: string[] = []
  const log = createLog({ destination: { write: (line: string) => void logged.push(line) } })
  const noteService = service(notes).implement({
    readNote: async ({ input }) => input,
    writeNote: async ({ input, transaction }) =>
      transaction(async ({ emit }) => {
        emit.written(input)
        return input
      }),
  })
  const definition = service(readers, { listens: [notes] })
  const readerService = definition.implement(
    { readAll: async () => ({ read: [...read] }) },
    { on: [definition.on(notes.events.written, async ({ event: { id } }) => void read.push(id))] },
  )
  const held = new AsyncDisposableStack()
  onTestFinished(() => held.disposeAsync())
  const app = held.use(await testSystem({ services: [noteService, readerService], environment: { ADMIN_PORT: '0', ...environment }, log }))
  const { call: admin } = held.use(remoteAdmin(app.host.adminUrl!))
  return { app, admin, read, logged, notes: app.call.notes }
}

test('an operation fails as long as the fault is there, and no other', async () => {
  const { admin, notes: call } = await scene()
  const { id } = await admin.injectFault({ service: 'notes', of: 'readNote', effect: 'error', problem: 'overloaded' })
  expect(await call.readNote.try({ id: 1 })).toMatchObject({ ok: false, error: { code: 'overloaded' } })
  expect(await call.writeNote.try({ id: 1 })).toMatchObject({ ok: true })
  expect(await admin.listFaults()).toMatchObject({ faults: [{ id, met: 1, service: 'notes', of: 'readNote', percent: 100 }] })
  expect(await admin.removeFault({ id })).toMatchObject({ met: 1 })
  expect(await call.readNote.try({ id: 1 })).toMatchObject({ ok: true })
  expect(await admin.removeFault.try({ id })).toMatchObject({ ok: false, error: { code: 'faultNotFound' } })
})

test('only what has the value in its input meets it', async () => {
  const { admin, notes: call } = await scene()
  await admin.injectFault({ service: 'notes', of: 'readNote', field: 'id', value: '7', effect: 'error' })
  expect(await call.readNote.try({ id: 7 })).toMatchObject({ ok: false, error: { code: 'unavailable' } })
  expect(await call.readNote.try({ id: 8 })).toMatchObject({ ok: true })
})

test('a share of them meets it, and the seed decides which', async () => {
  const outcomes = async (seed: number): Promise<string> => {
    const { admin, notes: call } = await scene()
    await admin.injectFault({ service: 'notes', effect: 'error', problem: 'overloaded', percent: 30, seed })
    let text = ''
    for (let index = 0; index < 60; index++) text += (await call.readNote.try({ id: index })).ok ? '.' : 'x'
    return text
  }
  const first = await outcomes(1)
  expect(await outcomes(1)).toBe(first)
  expect(await outcomes(2)).not.toBe(first)
  const failed = first.replaceAll('.', '').length
  expect(failed).toBeGreaterThan(5)
  expect(failed).toBeLessThan(35)
})

test('what is slow takes longer, and what hangs goes on when the fault ends by itself', async () => {
  const { app, admin, notes: call } = await scene()
  await admin.injectFault({ service: 'notes', of: 'readNote', effect: 'latency', latencyMs: 2_000, forMs: 5_000 })
  let isRead = false
  const reading = call.readNote({ id: 1 }).then(() => (isRead = true))
  await app.clock.advance(1_999)
  expect(isRead).toBe(false)
  await app.clock.advance(1)
  await reading
  await admin.injectFault({ service: 'notes', of: 'writeNote', effect: 'blackHole', forMs: 2_500 })
  const writing = call.writeNote.try({ id: 1 })
  await app.clock.advance(2_499)
  await app.clock.advance(1)
  expect(await writing).toMatchObject({ ok: true })
  await app.clock.advance(5_000)
  expect(await admin.listFaults()).toEqual({ faults: [] })
})

test('what never answers is late for its caller', async () => {
  const { app, admin, notes: call } = await scene()
  await admin.injectFault({ service: 'notes', of: 'readNote', effect: 'blackHole' })
  const reading = call.readNote.try({ id: 1 })
  await app.clock.advance(3_000)
  expect(await reading).toMatchObject({ ok: false, error: { code: 'deadlineExceeded' } })
})

test('an event is handled when the fault is gone', async () => {
  const { app, admin, read, notes: call } = await scene()
  const { id } = await admin.injectFault({ service: 'readers', of: notes.events.written.type, effect: 'error' })
  await call.writeNote({ id: 5 })
  await expect.poll(async () => (await admin.listFaults()).faults[0]!.met).toBeGreaterThan(0)
  expect(read).toEqual([])
  await admin.removeFault({ id })
  await app.settled()
  expect(read).toEqual([5])
})

test('a handler of events that hangs holds up nobody else, also not on the database that all share', async () => {
  const { app, admin, read, notes: call } = await scene()
  const { id } = await admin.injectFault({ service: 'readers', of: notes.events.written.type, effect: 'blackHole' })
  onTestFinished(async () => void (await admin.removeFault.try({ id })))
  await call.writeNote({ id: 1 })
  for (const next of [2, 3]) {
    await expect.poll(async () => (await admin.listFaults()).faults[0]!.met).toBe(next - 1)
    let isWritten = false
    void call.writeNote.try({ id: next }).then(({ ok }) => (isWritten = ok))
    await expect.poll(() => isWritten).toBe(true)
  }
  expect(read).toEqual([])
  await admin.removeFault({ id })
  await app.settled()
  expect(new Set(read)).toEqual(new Set([1, 2, 3]))
})

test('what does not exist is refused, with what there is', async () => {
  const { admin } = await scene()
  expect(await admin.injectFault.try({ service: 'nobody', effect: 'kill' })).toMatchObject({ error: { code: 'serviceNotFound' } })
  expect(await admin.injectFault.try({ service: 'notes', of: 'nothing', effect: 'error' })).toMatchObject({
    error: { code: 'targetNotFound', data: { known: ['readNote', 'writeNote'] } },
  })
})

test.each([
  ['in production', { NODE_ENV: 'production' }],
  ['switched off', { SKERRY_FAULTS: 'off' }],
])('a host takes none %s', async (_what, environment) => {
  const { admin, logged } = await scene(environment)
  expect(await admin.injectFault.try({ service: 'notes', effect: 'error' })).toMatchObject({
    error: { code: 'faultsRefused', status: 403 },
  })
  expect(logged.filter((line) => line.includes('Faults may be injected'))).toEqual([])
})

test('but in production when it was switched on, and says so once', async () => {
  const { admin, logged } = await scene({ NODE_ENV: 'production', SKERRY_FAULTS: 'on' })
  expect(await admin.injectFault.try({ service: 'notes', effect: 'error' })).toMatchObject({ ok: true })
  expect(logged.filter((line) => line.includes('Faults may be injected'))).toHaveLength(1)
})
