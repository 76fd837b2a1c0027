/** What contracts mark stays out of logs, traces and metrics, however careless a service is. */
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { contract, event, get, personal, post, problem, secret } from '../contract/index.ts'
import { service, tables } from '../service/index.ts'
import { createLog } from '../telemetry/log.ts'
import { prometheusText } from '../telemetry/prometheus.ts'
import { testSystem } from '../testing/index.ts'
import { sensitiveFieldsOf } from './sensitive-fields.ts'
import { system } from './system.ts'

const EMAIL = 'planted.marker@example.com'
const PASSWORD = 'planted-secret-9f2c'
const STREET = 'Planted Lane 12'

const Address = z.object({ street: z.string(), city: z.string() }).meta(personal)
const Person = z.object({ id: z.int(), email: z.email().meta(personal), addresses: z.array(Address) })

const people = contract('people', {
  version: '1.0.0',
  owner: 'tests',
  operations: {
    join: post('/people', {
      input: Person.extend({ password: z.string().meta(secret) }),
      output: Person,
      errors: { taken: problem(409, 'Taken', z.object({ email: z.string().meta(personal) })) },
      public: true,
    }),
    find: get('/people/{id}', { input: z.object({ id: z.int() }), output: Person, public: true }),
  },
  events: { joined: event(Person, { key: 'id' }) },
})
const clubs = contract('clubs', {
  version: '1.0.0',
  owner: 'tests',
  operations: {
    greet: post('/clubs/{id}/greeting', { input: z.object({ id: z.int() }), output: z.object({ done: z.boolean() }), public: true }),
  },
  events: {},
})

interface Tables {
  readonly people: { readonly id: number; readonly email: string }
}

const peopleService = service(people, {
  migrations: new URL('./fixtures/people-migrations/', import.meta.url),
  tables: tables<Tables>(),
}).implement({
  async join({ input, log, transaction, fail }) {
    const { password: _password, ...person } = input
    log.info(`${input.email} joins`, { input, address: `lives at ${input.addresses[0]!.street}` })
    if (input.id === 2) throw fail.taken({ email: input.email }, `${input.email} is taken`)
    if (input.id === 3) throw new Error(`cannot send to ${input.email}`, { cause: new Error(`refused ${input.password}`) })
    return transaction(async ({ db, emit }) => {
      await db.insertInto('people').values({ id: input.id, email: input.email }).execute()
      emit.joined(person)
      return person
    })
  },
  async find({ input, log }) {
    const person = { id: input.id, email: EMAIL, addresses: [{ street: STREET, city: 'X' }] }
    log.info('found one')
    return person
  },
})
const clubDefinition = service(clubs, { uses: { people }, migrations: new URL('./fixtures/people-migrations/', import.meta.url) })
const clubService = clubDefinition.implement(
  {
    async greet({ input, call, log }) {
      const person = await call.people.find({ id: input.id })
      log.warn(`greets ${person.email}`, { to: person })
      return { done: true }
    },
  },
  {
    on: [
      clubDefinition.on(people.events.joined, async ({ event: joined, log }) => {
        log.info(`welcomes ${joined.email}`)
        throw new Error(`no letter reaches ${joined.addresses[0]!.street}`)
      }),
    ],
  },
)

test.each([
  ['in one process', false],
  ['over HTTP', true],
  ['over the fast wire', 'fast'],
] as const)('what contracts mark is in no log, span or metric, with calls %s', async (_how, forceWire) => {
  const lines: string[] = []
  const definition = system('club', { services: [peopleService, clubService] })
  const log = createLog({
    level: 'debug',
    destination: { write: (line) => void lines.push(line) },
    redact: sensitiveFieldsOf(definition),
  })
  const app = await testSystem({ services: [peopleService, clubService], log, forceWire })
  onTestFinished(async () => app[Symbol.asyncDispose]())
  const person = { email: EMAIL, password: PASSWORD, addresses: [{ street: STREET, city: 'Markerville' }] }
  expect(await app.call.people.join.try({ id: 1, ...person })).toMatchObject({ ok: true })
  expect(await app.call.people.join.try({ id: 2, ...person })).toMatchObject({
    ok: false,
    error: { code: 'taken', data: { email: EMAIL } },
  })
  expect(await app.call.people.join.try({ id: 3, ...person })).toMatchObject({ ok: false, error: { code: 'unavailable' } })
  expect(await app.call.people.join.try({ id: 1, ...person })).toMatchObject({ ok: false, error: { code: 'unavailable' } })
  await app.call.clubs.greet({ id: 1 })
  await app.settled()
  const text = lines.join('')
  for (const said of [
    '[redacted] joins',
    'lives at [redacted]',
    'cannot send to [redacted]',
    'refused [redacted]',
    'greets [redacted]',
    'welcomes [redacted]',
    'no letter reaches [redacted]',
  ])
    expect(text).toContain(said)
  const all = { text, spans: JSON.stringify(app.spans()), metrics: prometheusText(await app.metrics()) }
  expect(all.metrics).toContain('rpc_method="people.join"')
  for (const told of Object.values(all)) for (const marker of [EMAIL, PASSWORD, STREET, 'Markerville']) expect(told).not.toContain(marker)
})
