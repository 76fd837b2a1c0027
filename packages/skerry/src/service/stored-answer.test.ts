import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { contract, event, get, patch, post, problem } from '../contract/index.ts'
import { gateway } from '../gateway/index.ts'
import { testSystem } from '../testing/index.ts'
import { service, tables } from './index.ts'

const Money = z.object({ account: z.string(), cents: z.int() })
const accounts = contract('accounts', {
  version: '1.0.0',
  operations: {
    deposit: post('/deposits', {
      input: Money,
      output: z.object({ balance: z.int() }),
      errors: { tooMuch: problem(409, 'Too much', z.object({ limit: z.int() })) },
      idempotent: true,
      public: true,
    }),
    careless: post('/careless', { input: Money, output: z.object({ at: z.int() }), idempotent: true }),
    touch: post('/touches', { input: Money, idempotent: true }),
    twice: post('/twice', { input: Money, idempotent: true }),
    broken: post('/broken', { input: Money, output: z.object({ balance: z.int() }), idempotent: true }),
    note: patch('/notes', { input: Money, output: z.object({ balance: z.int() }) }),
    careful: post('/careful', {
      input: Money,
      output: z.object({ balance: z.int() }),
      errors: { closed: problem(409, 'Closed'), busy: problem(503, 'Busy') },
      idempotent: true,
    }),
    balance: get('/balances/{account}', { input: z.object({ account: z.string() }), output: z.object({ balance: z.int() }) }),
  },
  events: { deposited: event(Money, { key: 'account' }) },
})
interface Tables {
  deposits: { account: string; cents: number }
}
const LIMIT = 1_000
let answers = 0
/** What is asked before the transaction. */
let before: () => 'open' | 'closed' | 'busy' | Promise<'open'> = () => 'open'

const accountService = service(accounts, {
  migrations: new URL('./fixtures/accounts/', import.meta.url),
  tables: tables<Tables>(),
})
const handlers: Parameters<typeof accountService.implement>[0] = {
  deposit: async ({ input, transaction, fail }) =>
    transaction(async ({ db, emit }) => {
      await db.insertInto('deposits').values(input).execute()
      emit.deposited(input)
      if (input.cents > LIMIT) throw fail.tooMuch({ limit: LIMIT })
      const { balance } = await db
        .selectFrom('deposits')
        .select(({ fn }) => fn.sum<number>('cents').as('balance'))
        .where('account', '=', input.account)
        .executeTakeFirstOrThrow()
      return { balance }
    }),
  careless: async ({ input, transaction }) => {
    await transaction(({ db }) =>
      db
        .insertInto('deposits')
        .values(input)
        .execute()
        .then(() => ({ at: 0 })),
    )
    return { at: ++answers }
  },
  touch: ({ input, transaction }) =>
    transaction(async ({ db }) => {
      await db.insertInto('deposits').values(input).execute()
    }),
  twice: async ({ input, transaction }) => {
    await transaction(({ db }) => db.insertInto('deposits').values(input).execute())
    await transaction(({ db }) => db.insertInto('deposits').values(input).execute())
  },
  broken: async ({ input, transaction }) =>
    transaction(async ({ db }) => {
      await db.insertInto('deposits').values(input).execute()
      return { balance: 'much' as unknown as number }
    }),
  note: async ({ input, transaction }) =>
    transaction(async ({ db }) => {
      await db.insertInto('deposits').values(input).execute()
      return { balance: input.cents }
    }),
  careful: async ({ input, transaction, fail }) => {
    const found = await before()
    if (found !== 'open') throw fail[found]()
    return transaction(async ({ db }) => {
      await db.insertInto('deposits').values(input).execute()
      return { balance: input.cents }
    })
  },
  balance: async ({ input, db }) => {
    const row = await db
      .selectFrom('deposits')
      .select(({ fn }) => fn.sum<number>('cents').as('balance'))
      .where('account', '=', input.account)
      .executeTakeFirst()
    return { balance: row?.balance ?? 0 }
  },
}
const accountServiceImplementation = accountService.implement(handlers)
const accountServiceWithOwn = accountService.implement(handlers, { ownIdempotency: ['twice'] })
const open = () => testSystem({ services: [accountServiceImplementation], gateway: gateway() })
const money = { account: 'ann', cents: 100 }

test('a repeated key gets the first answer, and nothing is done again', async () => {
  await using app = await open()
  const first = await app.call.accounts.deposit(money, { idempotencyKey: 'a' })
  await app.call.accounts.deposit(money, { idempotencyKey: 'b' })
  expect(await app.call.accounts.deposit(money, { idempotencyKey: 'a' })).toEqual(first)
  expect(await app.call.accounts.balance({ account: 'ann' })).toEqual({ balance: 200 })
  await app.settled()
  expect(app.published(accounts.events.deposited)).toHaveLength(2)
})

test('an operation without an answer is done once too', async () => {
  await using app = await open()
  await app.call.accounts.touch(money, { idempotencyKey: 'a' })
  await app.call.accounts.touch(money, { idempotencyKey: 'a' })
  expect(await app.call.accounts.balance({ account: 'ann' })).toEqual({ balance: 100 })
})

test('ten repetitions at once do it once', async () => {
  await using app = await open()
  const all = await Promise.all(Array.from({ length: 10 }, () => app.call.accounts.deposit(money, { idempotencyKey: 'a' })))
  expect(new Set(all.map(({ balance }) => balance))).toEqual(new Set([100]))
  expect(await app.call.accounts.balance({ account: 'ann' })).toEqual({ balance: 100 })
})

test('a declared problem is an answer too: what led to it is undone, and it is given again', async () => {
  await using app = await open()
  const ask = () => app.call.accounts.deposit.try({ account: 'ann', cents: 5_000 }, { idempotencyKey: 'a' })
  const first = await ask()
  expect(first).toMatchObject({ ok: false, error: { code: 'tooMuch', data: { limit: LIMIT } } })
  expect(await ask()).toEqual(first)
  expect(await app.call.accounts.balance({ account: 'ann' })).toEqual({ balance: 0 })
  await app.settled()
  expect(app.published(accounts.events.deposited)).toEqual([])
})

test('a key is refused for a request with other data, whatever the order of its fields', async () => {
  await using app = await open()
  const send = (body: string) =>
    fetch(`${app.gatewayUrl}/deposits`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'a' },
      body,
    })
  expect((await send('{"account":"ann","cents":100}')).status).toBe(200)
  expect((await send('{"cents":100,"account":"ann"}')).status).toBe(200)
  const other = await send('{"account":"ann","cents":101}')
  expect(other.status).toBe(422)
  expect(await other.json()).toMatchObject({ code: 'idempotencyKeyReused' })
  expect(await app.call.accounts.balance({ account: 'ann' })).toEqual({ balance: 100 })
})

test('keys of different operations have nothing to do with each other, and without a key, or undeclared, each request is done', async () => {
  await using app = await open()
  await app.call.accounts.deposit(money, { idempotencyKey: 'a' })
  for (let time = 0; time < 2; time++) {
    await app.call.accounts.deposit(money)
    await app.call.accounts.note(money, { idempotencyKey: 'a' })
  }
  expect(await app.call.accounts.balance({ account: 'ann' })).toEqual({ balance: 500 })
})

test('a handler that answers something else than its transaction, or opens two, is told so', async () => {
  await using app = await open()
  expect(await app.call.accounts.careless(money)).toEqual({ at: 1 })
  expect(await app.call.accounts.careless.try(money, { idempotencyKey: 'a' })).toMatchObject({ ok: false, error: { code: 'unavailable' } })
  await app.call.accounts.twice(money)
  expect(await app.call.accounts.twice.try(money, { idempotencyKey: 'a' })).toMatchObject({ ok: false })
})

test('an operation that sees to repetition itself may do as it likes', async () => {
  await using app = await testSystem({ services: [accountServiceWithOwn] })
  await app.call.accounts.twice(money, { idempotencyKey: 'a' })
  await app.call.accounts.twice(money, { idempotencyKey: 'a' })
  expect(await app.call.accounts.balance({ account: 'ann' })).toEqual({ balance: 400 })
})

describe('a refusal before the transaction', () => {
  const ask = (app: Awaited<ReturnType<typeof open>>) => app.call.accounts.careful.try(money, { idempotencyKey: 'a' })

  test.each(['closed', 'busy'] as const)('(%s) does not take the place of the answer to what was done', async (refusal) => {
    await using app = await open()
    before = () => 'open'
    const first = await ask(app)
    before = () => refusal
    expect(await ask(app)).toEqual(first)
  })

  test('is kept, so that a first request that comes late does nothing behind it', async () => {
    await using app = await open()
    let go: ((found: 'open') => void) | undefined
    before = () => new Promise((resolve) => (go = resolve))
    const late = ask(app)
    await expect.poll(() => go).toBeDefined()
    before = () => 'closed'
    const refused = await ask(app)
    expect(refused).toMatchObject({ ok: false, error: { code: 'closed' } })
    go!('open')
    expect(await late).toEqual(refused)
    expect(await app.call.accounts.balance({ account: 'ann' })).toEqual({ balance: 0 })
  })

  test('is not kept when it says: ask again', async () => {
    await using app = await open()
    before = () => 'busy'
    expect(await ask(app)).toMatchObject({ ok: false, error: { code: 'busy' } })
    before = () => 'open'
    expect(await ask(app)).toMatchObject({ ok: true })
  })
})

test('an answer that breaks the contract is not kept, and neither is what was done', async () => {
  await using app = await open()
  expect(await app.call.accounts.broken.try(money, { idempotencyKey: 'a' })).toMatchObject({ ok: false })
  expect(await app.call.accounts.balance({ account: 'ann' })).toEqual({ balance: 0 })
})

test('answers are forgotten after 30 days', async () => {
  await using app = await open()
  await app.call.accounts.deposit(money, { idempotencyKey: 'a' })
  await app.clock.skip('29d')
  await app.settled()
  expect(await app.call.accounts.deposit(money, { idempotencyKey: 'a' })).toEqual({ balance: 100 })
  await app.clock.skip('2d')
  await app.settled()
  expect(await app.call.accounts.deposit(money, { idempotencyKey: 'a' })).toEqual({ balance: 200 })
})
