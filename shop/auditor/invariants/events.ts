/** I14 to I16: what is committed is published, nothing else is, and consumers have each event once and in order. */
import type { Evidence, Invariant } from '../invariant.ts'
import { nothingFoundBy } from '../query.ts'

/** Who publishes about which rows, by the key of its events. */
const SOURCES = [
  { service: 'orders', keys: 'select id as key from orders' },
  { service: 'notifications', keys: 'select id::text as key from notifications' },
  { service: 'users', keys: 'select id as key from users where erased_at is not null' },
] as const

/** Who handles whose events. */
const CONSUMERS = [
  { consumer: 'notifications', publisher: 'orders' },
  { consumer: 'recommendations', publisher: 'orders' },
  { consumer: 'cart', publisher: 'catalog' },
  { consumer: 'cart', publisher: 'users' },
  { consumer: 'orders', publisher: 'users' },
] as const

const allPublished: readonly Invariant[] = ['orders', 'notifications', 'inventory', 'payments', 'catalog', 'cart', 'users'].map((service) =>
  nothingFoundBy<{ type: string; key: string; seq: number }>({
    name: 'I14',
    service,
    atRest: true,
    sql: 'select type, key, seq from skerry_outbox order by id',
    message: ({ type, key, seq }) => `${type} number ${seq} of ${key} was never published`,
  }),
)

const publishedAsCommitted: readonly Invariant[] = SOURCES.map(({ service, keys }) =>
  nothingFoundBy<{ key: string; committed: boolean }>({
    name: 'I14',
    service,
    sql: `
      select coalesce(rows.key, head.key) as key, rows.key is not null as committed
      from (${keys}) as rows full join (select key from skerry_key_head where topic = '${service}') as head on head.key = rows.key
      where rows.key is null or head.key is null order by 1`,
    message: ({ key, committed }) =>
      committed
        ? `${key} of ${service} is committed, but nothing was published of it`
        : `${service} has published ${key}, which was never committed`,
  }),
)

const dead: readonly Invariant[] = [...new Set(CONSUMERS.map(({ consumer }) => consumer))].map((service) =>
  nothingFoundBy<{ type: string; key: string; error: string }>({
    name: 'I15',
    service,
    atRest: true,
    sql: 'select type, key, error from skerry_dead_letter order by died_at, id',
    message: ({ type, key, error }) => `${service} could not handle ${type} of ${key}: ${error}`,
  }),
)

const everyEventHandled: readonly Invariant[] = CONSUMERS.map(({ consumer, publisher }) => ({
  name: 'I15',
  needs: [consumer, publisher],
  atRest: true,
  async find(evidence) {
    const { heads, cursors } = await progress(evidence, consumer, publisher)
    return [...heads]
      .filter(([key, seq]) => (cursors.get(key) ?? 0) < seq)
      .map(([key, seq]) => `${consumer} has handled ${cursors.get(key) ?? 0} of ${seq} events of ${key} from ${publisher}`)
  },
}))

const neverAhead: readonly Invariant[] = CONSUMERS.map(({ consumer, publisher }) => ({
  name: 'I16',
  needs: [consumer, publisher],
  async find(evidence) {
    const { heads, cursors } = await progress(evidence, consumer, publisher)
    return [...cursors]
      .filter(([key, seq]) => (heads.get(key) ?? 0) < seq)
      .map(([key, seq]) => `${consumer} has handled event ${seq} of ${key}, of which ${publisher} has published ${heads.get(key) ?? 0}`)
  },
}))

export const eventInvariants: readonly Invariant[] = [
  ...allPublished,
  ...publishedAsCommitted,
  ...dead,
  ...everyEventHandled,
  ...neverAhead,
]

interface KeyRow {
  readonly key: string
  readonly seq: number
}

/** How far each key has come at both ends. The consumer is read first: it can only be behind. */
async function progress({ rows }: Evidence, consumer: string, publisher: string) {
  const cursors = await rows<KeyRow>(consumer, 'select key, seq from skerry_key_cursor where consumer = $1 and source = $2', [
    consumer,
    `/services/${publisher}`,
  ])
  const heads = await rows<KeyRow>(publisher, 'select key, seq from skerry_key_head where topic = $1', [publisher])
  const byKey = (list: readonly KeyRow[]) => new Map(list.map(({ key, seq }) => [key, seq]))
  return { cursors: byKey(cursors), heads: byKey(heads) }
}
