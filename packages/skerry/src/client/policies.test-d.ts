/** What TypeScript knows of `using`: operations by name, the input and the output of fallbacks, and clients that stay as they are. Checked by tsc, never run. */
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { contract } from '../contract/contract.ts'
import { get, post } from '../contract/operation.ts'
import type { Clients } from '../service/context.ts'
import type { Client, InfrastructureFailure } from './call.ts'
import { using } from './policies.ts'

const inventory = contract('inventory', {
  version: '1.0.0',
  operations: {
    getStock: get('/stock/{sku}', {
      input: z.object({ sku: z.string(), page: z.int().default(1) }),
      output: z.object({ sku: z.string(), left: z.int(), note: z.string().default('') }),
    }),
    ping: post('/ping'),
  },
})

const used = using(inventory, {
  retry: { attempts: 3, backoff: '10ms..1s' },
  operations: {
    getStock: {
      deadline: '200ms',
      fallback: ({ input, failure }) => {
        expectTypeOf(input).toEqualTypeOf<{ sku: string; page: number }>()
        expectTypeOf(failure).toEqualTypeOf<InfrastructureFailure>()
        return { sku: input.sku, left: 0 }
      },
    },
    ping: { fallback: () => undefined },
  },
})

expectTypeOf<Clients<{ inventory: typeof used; same: typeof inventory }>['inventory']>().toEqualTypeOf<Client<typeof inventory>>()

using(inventory, { operations: { getStock: { lastKnown: true, fallback: async ({ input }) => ({ sku: input.sku, left: 0 }) } } })
using(inventory, { operations: { getStock: { fallback: () => undefined } } })
// @ts-expect-error there is no such operation
using(inventory, { operations: { getStocks: { deadline: '1s' } } })
// @ts-expect-error it is not what the contract promises
using(inventory, { operations: { getStock: { fallback: () => ({ sku: 'a' }) } } })
// @ts-expect-error an age is a duration
using(inventory, { operations: { getStock: { lastKnown: { maxAge: 10 } } } })
// @ts-expect-error not a duration
using(inventory, { operations: { getStock: { deadline: 200 } } })
// @ts-expect-error not a range of durations
using(inventory, { retry: { backoff: '1s' } })
