import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { contract, event, post } from '../contract/index.ts'
import { testSystem } from '../testing/index.ts'
import { service, tables } from './index.ts'

const Note = z.object({ key: z.string(), text: z.string() })
const notes = contract('notes', {
  version: '1.0.0',
  operations: {
    remind: post('/reminders', { input: Note.extend({ after: z.enum(['0s', '1m', '30m']).optional() }) }),
  },
  events: { noted: event(Note, { key: 'key' }) },
})
const noteService = service(notes, {
  migrations: new URL('./fixtures/runs/', import.meta.url),
  tables: tables<{ runs: { due_at: Date } }>(),
})
const remind = noteService.implement({
  remind: async ({ input: { after, ...note }, transaction }) =>
    transaction(async ({ emit }) => emit.noted(note, after === undefined ? {} : { after })),
})

describe('a delayed event', () => {
  test('is published when it is due, in the order of its key from then on', async () => {
    await using app = await testSystem({ services: [remind] })
    await app.call.notes.remind({ key: 'a', text: 'later', after: '30m' })
    await app.call.notes.remind({ key: 'a', text: 'soon', after: '1m' })
    await app.call.notes.remind({ key: 'a', text: 'now' })
    await app.settled()
    const texts = () => app.published(notes.events.noted).map(({ text }) => text)
    expect(texts()).toEqual(['now'])
    await app.clock.advance('59s')
    await app.settled()
    expect(texts()).toEqual(['now'])
    await app.clock.advance('1s')
    await app.settled()
    expect(texts()).toEqual(['now', 'soon'])
    await app.clock.advance('29m')
    await app.settled()
    expect(texts()).toEqual(['now', 'soon', 'later'])
  })

  test('of a transaction that is rolled back is never published', async () => {
    const failing = noteService.implement({
      remind: async ({ transaction, input }) =>
        transaction(async ({ emit }) => {
          emit.noted(input, { after: '1m' })
          throw new Error('rolled back')
        }),
    })
    await using app = await testSystem({ services: [failing] })
    expect(await app.call.notes.remind.try({ key: 'a', text: 'never' })).toMatchObject({ ok: false })
    await app.clock.advance('1h')
    await app.settled()
    expect(app.published(notes.events.noted)).toEqual([])
  })

  test('many that are due at once all come, in the order of their due times', async () => {
    await using app = await testSystem({ services: [remind] })
    const expected = Array.from({ length: 250 }, (_, index) => `note ${index}`)
    for (const text of expected) await app.call.notes.remind({ key: 'a', text, after: '1m' })
    await app.clock.advance('5m')
    await app.settled()
    expect(app.published(notes.events.noted).map(({ text }) => text)).toEqual(expected)
  })
})

describe('a schedule', () => {
  const running = (failures: number) => {
    let left = failures
    return noteService.implement(
      { remind: async () => {} },
      {
        schedules: [
          noteService.every('10m', 'sweep', async ({ db, emit, dueAt }) => {
            await db.insertInto('runs').values({ due_at: dueAt }).execute()
            emit.noted({ key: 'sweep', text: dueAt.toISOString().slice(11, 19) })
            if (left-- > 0) throw new Error('not yet')
          }),
        ],
      },
    )
  }
  const texts = (app: { published(event: typeof notes.events.noted): { text: string }[] }) =>
    app.published(notes.events.noted).map(({ text }) => text)

  test('runs at its times, once each', async () => {
    await using app = await testSystem({ services: [running(0)] })
    const startedMs = app.clock.nowMs()
    await app.clock.advance('9m')
    await app.settled()
    expect(texts(app)).toEqual([])
    for (let minutes = 0; minutes < 22; minutes++) {
      await app.clock.advance('1m')
      await app.settled()
    }
    const at = (minutes: number) => new Date(startedMs + minutes * 60_000).toISOString().slice(11, 19)
    expect(texts(app)).toEqual([at(10), at(20), at(30)])
  })

  test('that fails leaves nothing, and is tried again until it is done', async () => {
    await using app = await testSystem({ services: [running(3)] })
    await app.clock.advance('10m')
    for (let seconds = 0; seconds < 30; seconds++) {
      await app.settled()
      await app.clock.advance('1s')
    }
    await app.settled()
    expect(texts(app)).toHaveLength(1)
  })

  test('with a cron expression runs at its times, in its time zone', async () => {
    const nightly = noteService.implement(
      { remind: async () => {} },
      {
        schedules: [
          noteService.cron('30 3 * * *', 'nightly', async ({ emit, dueAt }) => emit.noted({ key: 'n', text: dueAt.toISOString() }), {
            timeZone: 'Europe/Zurich',
          }),
        ],
      },
    )
    await using app = await testSystem({ services: [nightly] })
    for (let hours = 0; hours < 48; hours++) {
      await app.clock.advance('1h')
      await app.settled()
    }
    const times = texts(app)
    expect(times).toHaveLength(2)
    for (const time of times) expect(time).toMatch(/T0[12]:30:00/)
  })

  test.each([
    [() => noteService.cron('61 * * * *', 'x', async () => {}), /cron: '61 \* \* \* \*' \(UTC\) is not a cron expression/],
    [() => noteService.cron('0 0 30 2 *', 'x', async () => {}), /names no time that ever comes/],
    [() => noteService.cron('0 0 * * *', 'x', async () => {}, { timeZone: 'Mars/Olympus' }), /Mars\/Olympus/],
    [() => noteService.every('10ms', 'x', async () => {}), /shorter than 1000 ms/],
  ])('that can never run is refused (%#)', (define, message) => {
    expect(define).toThrow(expect.objectContaining({ code: 'systemInvalid', message: expect.stringMatching(message) as string }) as Error)
  })
})
