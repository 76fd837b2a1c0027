/** What TypeScript knows of a call: its arguments, its value, and how it can fail. Checked by tsc, never run. */
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { contract } from '../contract/contract.ts'
import { get, post } from '../contract/operation.ts'
import { problem } from '../contract/problem.ts'
import type { Client, InfrastructureFailure } from './call.ts'

const orders = contract('orders', {
  version: '1.0.0',
  operations: {
    placeOrder: post('/orders', {
      input: z.object({ sku: z.string(), quantity: z.int().default(1) }),
      output: z.object({ id: z.string(), note: z.string().default('') }),
      errors: { outOfStock: problem(409, 'Not enough stock', z.object({ left: z.int() })), shopClosed: problem(409, 'Closed') },
    }),
    listOrders: get('/orders', { input: z.object({ page: z.int().optional() }), output: z.array(z.string()) }),
    search: get('/search', { input: z.object({ text: z.string() }).optional() }),
    ping: get('/ping'),
  },
})

declare const client: Client<typeof orders>

expectTypeOf<keyof typeof client>().toEqualTypeOf<'placeOrder' | 'listOrders' | 'search' | 'ping'>()
expectTypeOf(client.placeOrder).not.toBeAny()
expectTypeOf<Client<{ anything: true }>>().toEqualTypeOf<never>()

// The plain call takes what a sender may send and resolves with what the receiver gets.
expectTypeOf(client.placeOrder({ sku: 'a' })).toEqualTypeOf<Promise<{ id: string; note: string }>>()
expectTypeOf(client.placeOrder({ sku: 'a', quantity: 2 }, { deadline: '2s', idempotencyKey: 'k' })).resolves.not.toBeAny()
expectTypeOf(client.listOrders()).toEqualTypeOf<Promise<string[]>>()
expectTypeOf(client.listOrders({ page: 2 }, { deadline: '1s' })).toEqualTypeOf<Promise<string[]>>()
expectTypeOf(client.search()).toEqualTypeOf<Promise<void>>()
expectTypeOf(client.ping()).toEqualTypeOf<Promise<void>>()
expectTypeOf(client.ping({}, { deadline: '1s' })).toEqualTypeOf<Promise<void>>()
// @ts-expect-error the input is needed
void client.placeOrder()
// @ts-expect-error a field is missing
void client.placeOrder({ quantity: 1 })
// @ts-expect-error a field is wrong
void client.placeOrder({ sku: 5 })
// @ts-expect-error a field is unknown
void client.placeOrder({ sku: 'a', colour: 'red' })
// @ts-expect-error there is no such option
void client.placeOrder({ sku: 'a' }, { timeout: '2s' })
// @ts-expect-error there is nothing to send
void client.ping({ page: 1 })
// @ts-expect-error nor a value without fields
void client.ping('now')
// @ts-expect-error there is no such operation
void client.cancelOrder
// @ts-expect-error clients are not replaced
client.ping = client.search

// `try` never throws for what can go wrong outside: it is all in the type, told apart by `code`.
const result = await client.placeOrder.try({ sku: 'a' })
if (result.ok) {
  expectTypeOf(result.value).toEqualTypeOf<{ id: string; note: string }>()
  // @ts-expect-error a good result has no error
  void result.error
} else {
  expectTypeOf(result.error.code).toEqualTypeOf<'outOfStock' | 'shopClosed' | InfrastructureFailure['code']>()
  expectTypeOf(result.error.detail).toEqualTypeOf<string>()
  switch (result.error.code) {
    case 'outOfStock':
      expectTypeOf(result.error.data).toEqualTypeOf<{ left: number }>()
      break
    case 'shopClosed':
      expectTypeOf(result.error.data).toEqualTypeOf<Record<never, never>>()
      break
    case 'unavailable':
    case 'deadlineExceeded':
    case 'overloaded':
      expectTypeOf(result.error).toEqualTypeOf<InfrastructureFailure>()
      expectTypeOf(result.error.data.retryAfterMs).toEqualTypeOf<number | undefined>()
      break
    default:
      expectTypeOf(result.error).toEqualTypeOf<never>()
  }
  // @ts-expect-error a code that nobody declared
  void (result.error.code === 'outOfOrder')
}

const pinged = await client.ping.try()
if (pinged.ok) expectTypeOf(pinged.value).toEqualTypeOf<void>()
else expectTypeOf(pinged.error).toEqualTypeOf<InfrastructureFailure>()
