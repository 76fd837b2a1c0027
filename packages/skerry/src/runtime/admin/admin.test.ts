import { describe, expect, it } from 'vitest'
import { expectValid } from '../../contract/fixtures/openapi-document.ts'
import type { OpenApiDocument } from '../../contract/openapi.ts'
import { fake } from '../../testing/fake.ts'
import { noteServiceThat, orders, orderServiceImplementation, users } from '../../testing/fixtures/small-shop.ts'
import { testSystem } from '../../testing/test-system.ts'
import { remoteAdmin } from './client.ts'

const ann = fake(users, { getUser: async ({ id }) => ({ id, name: 'Ann' }) })
const WITH_ADMIN = { ADMIN_PORT: '0' }
const BY = 'ann'
const NOBODYS = '019b76da-a800-7000-8000-000000000000'

/** A shop whose notes fail until they are repaired. */
async function scene() {
  const held = new AsyncDisposableStack()
  let broken = true
  const notes = noteServiceThat((text) => {
    if (broken && !text.includes('teapot')) throw new Error(`cannot note "${text}"`)
  })
  const app = held.use(await testSystem({ services: [orderServiceImplementation, notes], fakes: [ann], environment: WITH_ADMIN }))
  const url = app.host.adminUrl!
  const { call } = held.use(remoteAdmin(url, app.clock))
  return {
    app,
    call,
    url,
    repair: () => (broken = false),
    async order(id: number, product = 'kettle') {
      await app.call.orders.placeOrder({ id, userId: 1, product })
    },
    notes: async () => (await app.call.notes.listNotes({})).map(({ text, orderId }) => `${orderId} ${text}`),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

describe('the admin API', () => {
  it('is off unless it has a port', async () => {
    await using app = await testSystem({ services: [orderServiceImplementation], fakes: [ann] })
    expect(app.host.adminUrl).toBeUndefined()
  })

  it('listens on this machine alone, describes itself and answers mistakes with Problem Details', async () => {
    await using shop = await scene()
    expect(shop.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    const document = (await (await fetch(`${shop.url}/openapi.json`)).json()) as OpenApiDocument
    await expectValid(document)
    expect(Object.keys(document['paths'] as object)).toContain('/dead-letters/{id}/replay')
    expect((await fetch(`${shop.url}/health/ready`)).status).toBe(200)
    const events = (await (await fetch(`${shop.url}/asyncapi.json`)).json()) as { info: object; operations: object }
    expect([events.info, Object.keys(events.operations)]).toMatchObject([{ title: 'test' }, ['notes.receive.orders', 'orders.send']])
    const post = (path: string, body: unknown) =>
      fetch(`${shop.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    for (const [answer, status, code] of [
      [await fetch(`${shop.url}/dead-letters/7`), 422, 'invalidInput'],
      [await fetch(`${shop.url}/dead-letters/${NOBODYS}`), 404, 'deadLetterNotFound'],
      [await fetch(`${shop.url}/dead-letters?service=nobody`), 404, 'serviceNotFound'],
      [await fetch(`${shop.url}/dead-letters?after=7`), 400, 'pageInvalid'],
      [await fetch(`${shop.url}/dead-letters?cause=boredom`), 422, 'invalidInput'],
      [await fetch(`${shop.url}/dead-letters?limit=201`), 422, 'invalidInput'],
      [await post(`/dead-letters/${NOBODYS}/replay`, {}), 422, 'invalidInput'],
      [await post('/dead-letters/discard', { by: BY, diedUntil: 'yesterday' }), 422, 'invalidInput'],
    ] as const) {
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      expect([status, await answer.json()]).toMatchObject([answer.status, { status, code }])
    }
  })

  it('shows a letter with its event, and replays it', async () => {
    await using shop = await scene()
    await shop.order(7)
    await shop.app.call.orders.renameProduct({ id: 7, product: 'teapot' })
    await shop.app.settled()
    const { letters, next } = await shop.call.listDeadLetters({})
    expect(next).toBeNull()
    expect(letters).toMatchObject([
      { service: 'notes', type: 'orders.orderPlaced.v1', key: '7', sequence: 1, cause: 'exhausted', attempts: 12 },
    ])
    const shown = await shop.call.showDeadLetter({ id: letters[0]!.id })
    expect(shown.stack).toContain('Error: cannot note')
    expect(JSON.parse(shown.body)).toMatchObject({ id: letters[0]!.messageId, data: { id: 7, product: 'kettle' } })

    shop.repair()
    expect(await shop.call.replayDeadLetter({ id: letters[0]!.id, by: BY, note: 'repaired' })).toMatchObject({ key: '7' })
    await shop.app.settled()
    expect(await shop.notes()).toEqual(['7 placed kettle', '7 renamed teapot'])
    expect(await shop.call.replayDeadLetter.try({ id: letters[0]!.id, by: BY })).toMatchObject({
      ok: false,
      error: { code: 'deadLetterNotFound' },
    })
    expect((await shop.call.listDeadLetterAudit({})).acts).toMatchObject([
      { action: 'replay', by: BY, note: 'repaired', letter: letters[0]!.id, service: 'notes', key: '7' },
    ])
  })

  it('discards a letter, and what waits behind it is handled without waiting for the next look', async () => {
    await using shop = await scene()
    await shop.order(7)
    await shop.app.call.orders.renameProduct({ id: 7, product: 'teapot' })
    await shop.app.settled()
    const [letter] = (await shop.call.listDeadLetters({})).letters
    await shop.call.discardDeadLetter({ id: letter!.id, by: BY })
    await shop.app.settled()
    expect(await shop.notes()).toEqual(['7 renamed teapot'])
  })

  it('acts on many, page by page, those that the filter names and that were dead when it began', async () => {
    await using shop = await scene()
    for (let id = 1; id <= 5; id++) await shop.order(id)
    await shop.app.publish(orders.events.orderPlaced, { id: 6, userId: 1, product: '' })
    await shop.app.settled()
    expect((await shop.call.listDeadLetters({ cause: 'invalid' })).letters).toMatchObject([{ key: '6' }])
    const dry = await shop.call.discardDeadLetters({ by: BY, cause: 'exhausted', dryRun: true })
    expect(dry.letters).toHaveLength(5)
    const [{ errorHash }] = dry.letters as [(typeof dry.letters)[0]]
    expect((await shop.call.listDeadLetters({ error: errorHash })).letters).toHaveLength(5)
    expect((await shop.call.listDeadLetters({ error: '0' })).letters).toEqual([])

    const many = { by: BY, cause: 'exhausted', diedUntil: shop.app.clock.now().toISOString(), limit: 2 } as const
    const first = await shop.call.replayDeadLetters(many)
    expect(first).toMatchObject({ letters: [{}, {}], refused: [], next: expect.any(String) })
    // They fail again, and must not be taken up a second time.
    await shop.app.settled()
    const second = await shop.call.replayDeadLetters({ ...many, after: first.next! })
    const third = await shop.call.replayDeadLetters({ ...many, after: second.next! })
    expect([second.letters.length, third.letters.length, third.next]).toEqual([2, 1, null])
    expect(new Set([first, second, third].flatMap(({ letters }) => letters.map(({ key }) => key))).size).toBe(5)
    shop.repair()
    await shop.app.settled()
    expect(
      (await shop.call.listDeadLetters({ type: 'orders.orderPlaced.v1', service: 'notes' })).letters.map(({ cause }) => cause),
    ).toEqual(['invalid', 'exhausted', 'exhausted'])
    expect(await shop.notes()).toHaveLength(3)
  })

  it('tells how far behind the services are', async () => {
    await using shop = await scene()
    await shop.order(7)
    await shop.app.call.orders.renameProduct({ id: 7, product: 'teapot' })
    await shop.app.call.orders.renameProduct({ id: 7, product: 'teapot 2' })
    await shop.app.settled()
    await shop.app.host.instances
      .get('notes')!
      .database!.query(`insert into skerry_subscription (consumer, topic, since) values ('notes', 'users', '2025-01-01T00:00:00Z')`)
    const { services } = await shop.call.eventStatus({ service: 'notes' })
    const oldest = expect.stringMatching(/^2026-01-01T/) as unknown
    expect(services).toEqual([
      {
        service: 'notes',
        outbox: { count: 0, oldest: null },
        inbox: [{ source: '/services/orders', early: { count: 2, oldest }, retry: { count: 0, oldest: null } }],
        deadLetters: [{ topic: 'orders', cause: 'exhausted', count: 1, oldest }],
        subscriptions: [
          { topic: 'orders', since: oldest, declared: true },
          { topic: 'users', since: '2025-01-01T00:00:00.000Z', declared: false },
        ],
      },
    ])
    expect((await shop.call.eventStatus({})).services.map(({ service }) => service)).toEqual(['orders', 'notes'])
  })
})
