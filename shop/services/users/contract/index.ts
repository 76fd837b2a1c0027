/** What the users service promises: people register once, can be looked up, and are forgotten when they want to be. */
import { contract, del, event, get, personal, post, problem } from 'skerry/contract'
import { z } from 'zod'

/** An integer or a UUID (in any case) of the client's choice, else a UUID of ours. */
export const UserId = z.union([z.int(), z.uuid().toLowerCase()], { error: 'expected an integer or a UUID' })

export const User = z.object({
  id: UserId,
  name: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected one line of text')
    .meta(personal),
  email: z.email().max(254).meta(personal),
})

const userNotFound = problem(404, 'User not found')

export const users = contract('users', {
  version: '1.1.1',
  owner: 'accounts team',
  description: 'Who our customers are',
  operations: {
    registerUser: post('/users', {
      summary: 'Register; with an id of your own or an Idempotency-Key, repeating the request changes nothing',
      input: User.partial({ id: true }),
      output: User,
      errors: { userExists: problem(409, 'Another user has this id or Idempotency-Key') },
      public: true,
    }),
    getUser: get('/users/{id}', {
      summary: 'Look up a user',
      input: z.object({ id: UserId }),
      output: User,
      errors: { userNotFound },
      deadline: '1s',
      public: true,
    }),
    eraseUser: del('/users/{id}', {
      summary: 'Forget a user for good: his id is nobody’s from then on; repeating it changes nothing and is answered alike',
      input: z.object({ id: UserId }),
      errors: { userNotFound },
      public: true,
    }),
  },
  events: {
    userErased: event(z.object({ user_id: UserId }), {
      key: 'user_id',
      summary: 'Whoever keeps something about him deletes it, or keeps it under an id that leads to nobody',
    }),
  },
})
