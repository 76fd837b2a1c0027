/** The system behind the gateways under test: one service of ours, and one that foreign programs implement (`foreign-service.ts`). No database. */
import { contract, del, get, patch, post, problem, put, service, system, gateway } from 'skerry'
import { z } from 'zod'

export const MAX_BODY_BYTES = 20_000

const Thing = z.object({ id: z.string(), name: z.string().min(1) })
/** Who answered, so that tests see which instance it was. */
const Answer = z.object({ id: z.string(), instance: z.string() })
const ById = z.object({ id: z.string() })

export const things = contract('things', {
  version: '1.0.0',
  operations: {
    listThings: get('/things', {
      input: z.object({ limit: z.int().optional(), tag: z.array(z.string()).optional() }),
      output: z.unknown(),
      public: true,
    }),
    createThing: post('/things', { input: Thing, output: Thing, status: 201, public: true }),
    getThing: get('/things/{id}', {
      input: ById,
      output: Answer,
      errors: { thingNotFound: problem(404, 'Thing not found', ById) },
      public: true,
    }),
    getFeatured: get('/things/featured', { output: Answer, public: true }),
    replaceThing: put('/things/{id}', { input: Thing, output: Thing, public: true }),
    removeThing: del('/things/{id}', { input: ById, public: true }),
    getPart: get('/things/{id}/parts/{part}', {
      input: z.object({ id: z.string(), part: z.int() }),
      output: z.object({ id: z.string(), part: z.int() }),
      public: true,
    }),
    brokenThing: post('/things/broken', { output: Answer, public: true }),
    // For peers only: no gateway may let these through.
    audit: get('/things/{id}/audit', { input: ById, output: Answer }),
    rename: patch('/things/{id}', { input: Thing, output: Thing }),
  },
})

const thingService = service(things, { config: z.object({ INSTANCE: z.string() }) })

/** Every call that reached a handler, in any instance of this process. */
export const handled: string[] = []

const thingsImplemented = thingService.implement({
  async listThings({ input }) {
    return input
  },
  async createThing({ input }) {
    return input
  },
  async getThing({ input, config, fail }) {
    handled.push(`getThing ${input.id}`)
    if (input.id === 'missing') throw fail.thingNotFound(input)
    return { id: input.id, instance: config.INSTANCE }
  },
  async getFeatured({ config }) {
    return { id: 'the featured one', instance: config.INSTANCE }
  },
  async replaceThing({ input }) {
    return input
  },
  async removeThing({ input }) {
    handled.push(`removeThing ${input.id}`)
  },
  async getPart({ input }) {
    return input
  },
  async brokenThing() {
    throw new Error('the secret reason')
  },
  async audit({ input, config }) {
    handled.push(`audit ${input.id}`)
    return { id: input.id, instance: config.INSTANCE }
  },
  async rename({ input }) {
    handled.push(`rename ${input.id}`)
    return input
  },
})

const Received = z.object({ method: z.string(), target: z.string(), headers: z.record(z.string(), z.string()), body: z.string() })

export const foreign = contract('foreign', {
  version: '1.0.0',
  operations: {
    report: get('/foreign/report', { output: Received, deadline: '2s', public: true }),
    item: get('/foreign/items/{item}', { input: z.object({ item: z.string() }), output: Received, public: true }),
    quick: get('/foreign/quick', { output: Received, deadline: '300ms', public: true }),
    submit: post('/foreign/submit', { input: z.object({ text: z.string() }), output: Received, deadline: '2s', public: true }),
    submitOnce: post('/foreign/submit-once', {
      input: z.object({ text: z.string() }),
      output: Received,
      deadline: '2s',
      idempotent: true,
      public: true,
    }),
  },
})

const elsewhere = async (): Promise<never> => {
  throw new Error('A foreign program implements this contract')
}

export const fixtureSystem = system('gateway-fixture', {
  services: [
    thingsImplemented,
    service(foreign).implement({ report: elsewhere, item: elsewhere, quick: elsewhere, submit: elsewhere, submitOnce: elsewhere }),
  ],
  gateway: gateway({ maxBodyBytes: MAX_BODY_BYTES }),
})
