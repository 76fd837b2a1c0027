/** I21: of users who were erased nothing is left that leads to them, and all who must know of it do, and of nobody else. */
import type { Evidence, Invariant } from '../invariant.ts'
import { nothingFoundBy } from '../query.ts'

const forgotten = nothingFoundBy<{ id: string }>({
  name: 'I21',
  service: 'users',
  sql: 'select id from users where erased_at is not null and (name is not null or email is not null) order by id',
  message: ({ id }) => `user ${id} was erased, and is still known`,
})

const noCartKept = nothingFoundBy<{ id: string; user_id: string; status: string }>({
  name: 'I21',
  service: 'cart',
  sql: `
    select carts.id, carts.user_id, carts.status from carts join owners on owners.user_id = carts.user_id
    where owners.is_erased and carts.status in ('open', 'merged') order by carts.id`,
  message: ({ id, user_id, status }) => `user ${user_id} was erased, and still has a cart that is ${status}: ${id}`,
})

/** Who keeps a list of those who were erased. */
const LISTS = [
  ['orders', 'select user_id from erased_users order by user_id'],
  ['cart', 'select user_id from owners where is_erased order by user_id'],
] as const

const nobodyElse: readonly Invariant[] = LISTS.map(([service, sql]) => ({
  name: 'I21',
  needs: [service, 'users'],
  async find(evidence) {
    const { heard, erased } = await read(evidence, service, sql)
    return [...heard].filter((id) => !erased.has(id)).map((id) => `${service} takes user ${id} for erased, and he is not`)
  },
}))

const everybodyHeard: readonly Invariant[] = LISTS.map(([service, sql]) => ({
  name: 'I21',
  needs: [service, 'users'],
  atRest: true,
  async find(evidence) {
    const { heard, erased } = await read(evidence, service, sql)
    return [...erased].filter((id) => !heard.has(id)).map((id) => `${service} has not heard that user ${id} was erased`)
  },
}))

const withheldFromTheErased: Invariant = {
  name: 'I21',
  needs: ['notifications', 'users'],
  async find(evidence) {
    const withheld = await evidence.rows<{ order_id: string; user_id: string; kind: string }>(
      'notifications',
      'select order_id, user_id, kind from notifications where withheld_at is not null order by order_id, kind',
    )
    const erased = await readErased(evidence)
    return withheld
      .filter(({ user_id }) => !erased.has(user_id))
      .map(
        ({ order_id, user_id, kind }) =>
          `the notification of kind ${kind} for order ${order_id} is withheld from user ${user_id}, who is not erased`,
      )
  },
}

export const erasureInvariants: readonly Invariant[] = [forgotten, noCartKept, ...nobodyElse, ...everybodyHeard, withheldFromTheErased]

/** The list is read first: it can only be behind. */
async function read(evidence: Evidence, service: string, sql: string) {
  const heard = new Set((await evidence.rows<{ user_id: string }>(service, sql)).map(({ user_id }) => user_id))
  return { heard, erased: await readErased(evidence) }
}

async function readErased({ rows }: Evidence): Promise<ReadonlySet<string>> {
  return new Set((await rows<{ id: string }>('users', 'select id from users where erased_at is not null order by id')).map(({ id }) => id))
}
