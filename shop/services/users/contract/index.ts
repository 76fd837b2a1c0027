/** What the users service promises: people register once and can be looked up. */
import { contract, get, post, problem } from 'skerry/contract'
import { z } from 'zod'

/** An integer or a UUID (in any case) of the client's choice, else a UUID of ours. */
export const UserId = z.union([z.int(), z.uuid().toLowerCase()], { error: 'expected an integer or a UUID' })

export const User = z.object({
  id: UserId,
  name: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected one line of text'),
  email: z.email().max(254),
})

export const users = contract('users', {
  version: '1.0.0',
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
      errors: { userNotFound: problem(404, 'User not found') },
      deadline: '1s',
      public: true,
    }),
  },
})
