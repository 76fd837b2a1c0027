/** Mistakes planted in copies of services and around the engines: each is found, and what is as it should be survives the same seeds. */
import { expect, test } from 'vitest'
import type { Service } from '../service/service.ts'
import {
  noteService,
  noteServiceThat,
  orderHandlers,
  orders,
  orderService,
  orderServiceImplementation,
} from '../testing/fixtures/small-shop.ts'
import { notedOrders } from './fixtures/noted-orders.ts'
import {
  forgettingTheHandled,
  acknowledgingFirst,
  autocommitting,
  ignoringConflicts,
  neverGivingBack,
  replacing,
  rerunningUnknown,
  rewritten,
  trustingPublishes,
} from './fixtures/planted.ts'
import type { Engineering } from './outcome.ts'
import { openSimulator } from './simulator.ts'

const MAX_SEEDS = 2_000

interface Planted {
  readonly services?: Partial<Record<'orders' | 'notes', Service>>
  readonly engineering?: Engineering
}

type PlaceOrder = typeof orderHandlers.placeOrder

/** The order service with another way to place an order. */
function placingBy(placeOrder: PlaceOrder): Planted {
  return { services: { orders: orderService.implement({ ...orderHandlers, placeOrder }) } }
}

const noted = { listNotes: async () => [] }

const bugs: Readonly<Record<string, () => Planted>> = {
  'an event is emitted in a transaction of its own, after that of the order': () =>
    placingBy(async ({ input, transaction, fail }) => {
      await transaction(async ({ db }) => {
        const existing = await db.selectFrom('orders').select('id').where('id', '=', input.id).executeTakeFirst()
        if (existing !== undefined) throw fail.duplicateOrder({ id: input.id })
        await db.insertInto('orders').values({ id: input.id, user_id: input.userId, product: input.product }).execute()
      })
      await transaction(async ({ emit }) => emit.orderPlaced(input))
      return input
    }),
  'an event is emitted in a transaction of its own, before that of the order': () =>
    placingBy(async ({ input, transaction, fail, db }) => {
      const existing = await db.selectFrom('orders').select('id').where('id', '=', input.id).executeTakeFirst()
      if (existing !== undefined) throw fail.duplicateOrder({ id: input.id })
      await transaction(async ({ emit }) => emit.orderPlaced(input))
      await transaction(async ({ db: open }) => {
        await open.insertInto('orders').values({ id: input.id, user_id: input.userId, product: input.product }).execute()
      })
      return input
    }),
  'an order is answered before it is committed': () =>
    placingBy(async ({ input, transaction }) => {
      transaction(async ({ db, emit }) => {
        const existing = await db.selectFrom('orders').select('id').where('id', '=', input.id).executeTakeFirst()
        if (existing !== undefined) return
        await db.insertInto('orders').values({ id: input.id, user_id: input.userId, product: input.product }).execute()
        emit.orderPlaced(input)
      }).catch(() => undefined)
      return input
    }),
  'a failed commit is answered as if it had succeeded': () =>
    placingBy(async ({ input, transaction, fail }) => {
      await transaction(async ({ db, emit }) => {
        const existing = await db.selectFrom('orders').select('id').where('id', '=', input.id).executeTakeFirst()
        if (existing !== undefined) throw fail.duplicateOrder({ id: input.id })
        await db.insertInto('orders').values({ id: input.id, user_id: input.userId, product: input.product }).execute()
        emit.orderPlaced(input)
      }).catch((error: unknown) => {
        if (error instanceof Error && error.name === 'DatabaseError') return
        throw error
      })
      return input
    }),
  'a note is written outside the transaction of its event': () => ({
    services: {
      notes: noteService.implement(noted, {
        on: [
          noteService.effect(orders.events.orderPlaced, async ({ event, transaction, id }) => {
            await transaction(({ db }) =>
              db
                .insertInto('notes')
                .values({ id: id(), order_id: event.id, text: `placed ${event.product}` })
                .execute(),
            )
          }),
          noteService.on(orders.events.orderRenamed, async ({ event, db, id }) => {
            await db
              .insertInto('notes')
              .values({ id: id(), order_id: event.id, text: `renamed ${event.product}` })
              .execute()
          }),
        ],
      }),
    },
  }),
  'what has been noted is remembered in memory, before it is committed': () => {
    const seen = new Set<string>()
    return {
      services: {
        notes: noteService.implement(noted, {
          on: [
            noteService.on(orders.events.orderPlaced, async ({ event, meta, db, id }) => {
              if (seen.has(meta.id)) return
              seen.add(meta.id)
              await db
                .insertInto('notes')
                .values({ id: id(), order_id: event.id, text: `placed ${event.product}` })
                .execute()
            }),
          ],
        }),
      },
    }
  },
  'an error is caught and forgotten': () => ({
    services: {
      notes: noteServiceThat((_, attempt) => {
        if (attempt > 1) throw new TypeError('a bug that shows at a second attempt')
      }),
    },
  }),
  'messages are acknowledged before they are handled': () => ({ engineering: acknowledgingFirst }),
  'what a broker says to a publisher is not looked at': () => ({ engineering: trustingPublishes }),
  'what could not be handled is acknowledged': () => ({ engineering: neverGivingBack }),
  'a transaction whose outcome is unknown is simply run again': () => ({ engineering: rerunningUnknown }),
  'each statement of a transaction commits by itself': () => ({ engineering: autocommitting }),
  'what was handled is not remembered': () => ({ engineering: forgettingTheHandled }),
  'a cursor may skip what is missing': () => ({ engineering: replacing('and seq = $4 - 1 returning', 'returning') }),
  'a conflict is taken for success': () => ({ engineering: ignoringConflicts }),
  'confirmed events are deleted together with all before them': () => ({
    engineering: replacing(
      'delete from skerry_outbox where id = any($1::bigint[])',
      'delete from skerry_outbox where id <= (select max(done) from unnest($1::bigint[]) as done)',
    ),
  }),
  'confirmed events stay in the outbox': () => ({
    engineering: replacing(
      'delete from skerry_outbox where id = any($1::bigint[])',
      'delete from skerry_outbox where id = any($1::bigint[]) and false',
    ),
  }),
  'what is to be tried again is not kept': () => ({
    engineering: rewritten((sql) =>
      sql.includes('insert into skerry_delivery as kept')
        ? sql.replace(/values \([^)]*\)/, (values) => `select ${values.slice(8, -1)} where false`)
        : undefined,
    ),
  }),
}

test.each(Object.keys(bugs))(`found: %s`, { timeout: 600_000 }, async (name) => {
  const { services, engineering } = bugs[name]!()
  await using simulator = await openSimulator(notedOrders(services), engineering)
  let found: string | undefined
  let seed = 0
  while (found === undefined && seed < MAX_SEEDS) found = (await simulator.run({ seed: ++seed, faults: 'hell' })).failure?.name
  process.stdout.write(`seed ${seed}: ${name} → ${found}\n`)
  expect(found).toBeDefined()
})

test('what is as it should be survives', { timeout: 600_000 }, async () => {
  await using simulator = await openSimulator(notedOrders({ orders: orderServiceImplementation }))
  for (let seed = 1; seed <= 100; seed++) expect((await simulator.run({ seed, faults: 'hell' })).failure).toBeUndefined()
})
