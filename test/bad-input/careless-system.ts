/** A system written without care: what its contract allows its database cannot always store, and its handlers fail in every way. */
import { contract, gateway, get, post, problem, service, system, tables } from 'skerry'
import { z } from 'zod'

const Note = z.object({ id: z.int(), text: z.string() })

export const notes = contract('notes', {
  version: '1.0.0',
  operations: {
    writeNote: post('/notes', { input: Note, output: Note, public: true }),
    readNote: get('/notes/{id}', {
      input: z.object({ id: z.int() }),
      output: Note,
      errors: { noSuchNote: problem(404, 'No such note') },
      public: true,
    }),
    promiseText: get('/promise', { input: z.object({}), output: z.object({ text: z.string() }), public: true }),
    throwError: get('/throw', { input: z.object({}), public: true }),
    throwText: get('/throw-text', { input: z.object({}), public: true }),
    throwNothing: get('/throw-nothing', { input: z.object({}), public: true }),
    breakStatement: get('/break-statement', { input: z.object({}), public: true }),
    failUndeclared: get('/fail', {
      input: z.object({}),
      errors: { tooLate: problem(409, 'Too late', z.object({ hours: z.int() })) },
      public: true,
    }),
  },
})

const implementation = service(notes, {
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<{ notes: z.output<typeof Note> }>(),
}).implement({
  async writeNote({ input, transaction }) {
    return transaction(({ db }) => db.insertInto('notes').values(input).returningAll().executeTakeFirstOrThrow())
  },
  async readNote({ input: { id }, db, fail }) {
    const note = await db.selectFrom('notes').selectAll().where('id', '=', id).executeTakeFirst()
    if (note === undefined) throw fail.noSuchNote()
    return note
  },
  async promiseText() {
    return { text: { secret: 'topsecret' } as unknown as string }
  },
  async throwError() {
    throw new Error('topsecret: no disk left')
  },
  async throwText() {
    throw 'topsecret'
  },
  async throwNothing() {
    throw undefined
  },
  async breakStatement({ db }) {
    await db
      .selectFrom('notes')
      .select('topsecret' as 'text')
      .execute()
  },
  async failUndeclared({ fail }) {
    throw fail.tooLate({ hours: 'topsecret' as unknown as number })
  },
})

export const careless = system('careless', { services: [implementation], gateway: gateway() })
