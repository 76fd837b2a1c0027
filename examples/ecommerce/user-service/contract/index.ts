/** What the user service promises: accounts are created once and can be looked up. */
import { contract, get, personal, post, problem } from 'skerry/contract'
import { z } from 'zod'

/** Chosen by the client: an integer, or a UUID in any case. */
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

export const userService = contract('user-service', {
  version: '1.0.1',
  owner: 'accounts team',
  description: 'Who our customers are',
  operations: {
    createUser: post('/users', {
      summary: 'Create a user; repeating the same request changes nothing',
      input: User,
      output: User,
      errors: { userExists: problem(409, 'Another user has this id') },
      idempotent: true,
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
