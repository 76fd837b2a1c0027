/** What TypeScript infers from a contract, and which mistakes it refuses. Checked by tsc, never run. */
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import type { SkerryError } from '../base/errors.ts'
import type { Contract, Operations } from './contract.ts'
import { contract } from './contract.ts'
import type { Event, EventData, EventInput } from './event.ts'
import { event } from './event.ts'
import type { Operation, PathParameters } from './operation.ts'
import { del, get, post, put } from './operation.ts'
import type { Problem, ProblemData } from './problem.ts'
import { problem } from './problem.ts'
import type { InputOf, NoInput, OutputOf, Schema, Validation } from './schema.ts'
import { validate } from './schema.ts'

const OrderId = z.uuid().brand('OrderId')
const Order = z.object({ id: OrderId, note: z.string().default('') })
const Placed = z.object({
  orderId: OrderId,
  cents: z.int(),
  coupon: z.string().optional(),
  lines: z.array(z.string()),
  at: z.iso.datetime(),
})

const orders = contract('orders', {
  version: '1.0.0',
  operations: {
    placeOrder: post('/orders', {
      input: z.object({ sku: z.string(), quantity: z.int().default(1) }),
      output: Order,
      errors: { outOfStock: problem(409, 'Not enough stock', z.object({ sku: z.string() })), shopClosed: problem(409, 'Closed') },
    }),
    getOrder: get('/shops/{shop}/orders/{orderId}', { input: z.object({ shop: z.int(), orderId: OrderId }), output: Order }),
    ping: get('/ping'),
  },
  events: { orderPlaced: event(Placed, { key: 'orderId' }), counted: event(Placed, { key: 'cents', version: 2 }) },
})

// The name is a literal, the members are known by name, and nothing else is.
expectTypeOf(orders.name).toEqualTypeOf<'orders'>()
expectTypeOf<keyof typeof orders.operations>().toEqualTypeOf<'placeOrder' | 'getOrder' | 'ping'>()
expectTypeOf<keyof typeof orders.events>().toEqualTypeOf<'orderPlaced' | 'counted'>()
expectTypeOf(orders).toExtend<Contract>()
expectTypeOf(orders.operations).toExtend<Operations>()
// @ts-expect-error the contract has no such operation
void orders.operations.cancelOrder
// @ts-expect-error a contract cannot be changed
orders.version = '2.0.0'

// Input is what a sender may leave out defaults of, output what the receiver gets.
type PlaceOrder = typeof orders.operations.placeOrder
expectTypeOf<InputOf<PlaceOrder['input']>>().toEqualTypeOf<{ sku: string; quantity?: number | undefined }>()
expectTypeOf<OutputOf<PlaceOrder['input']>>().toEqualTypeOf<{ sku: string; quantity: number }>()
expectTypeOf<InputOf<PlaceOrder['output']>>().toEqualTypeOf<{ id: string; note?: string | undefined }>()
expectTypeOf<OutputOf<PlaceOrder['output']>['note']>().toEqualTypeOf<string>()
expectTypeOf<InputOf<PlaceOrder['input']>>().not.toBeAny()
expectTypeOf<OutputOf<PlaceOrder['output']>>().not.toBeAny()

// Problems keep their codes and the schemas of their data.
expectTypeOf<keyof PlaceOrder['errors']>().toEqualTypeOf<'outOfStock' | 'shopClosed'>()
expectTypeOf<ProblemData<PlaceOrder['errors']['outOfStock']>>().toEqualTypeOf<{ sku: string }>()
expectTypeOf<ProblemData<PlaceOrder['errors']['shopClosed']>>().toEqualTypeOf<Record<never, never>>()
expectTypeOf<PlaceOrder['errors']['shopClosed']>().toEqualTypeOf<Problem<undefined>>()

// What was left out is nothing, not anything.
type Ping = typeof orders.operations.ping
expectTypeOf<Ping['output']>().toEqualTypeOf<undefined>()
expectTypeOf<keyof Ping['errors']>().toEqualTypeOf<never>()
expectTypeOf<InputOf<Ping['input']>>().toEqualTypeOf<NoInput>()
expectTypeOf<OutputOf<Ping['input']>>().toEqualTypeOf<Record<never, never>>()
expectTypeOf<{}>().toExtend<NoInput>()
expectTypeOf<{ orderId: string }>().not.toExtend<NoInput>()
expectTypeOf<string>().not.toExtend<NoInput>()

// Path parameters must be fields of the input.
expectTypeOf<PathParameters<'/a/{b}/c/{d}'>>().toEqualTypeOf<'b' | 'd'>()
expectTypeOf<PathParameters<'/a'>>().toEqualTypeOf<never>()
const id = z.object({ id: z.string() })
get('/orders/{id}', { input: id })
put('/orders/{id}', { input: id.extend({ note: z.string() }) })
get('/orders/{id}', { input: z.union([id.extend({ a: z.int() }), id.extend({ b: z.int() })]) })
// @ts-expect-error the input has no field for {orderId}
get('/orders/{orderId}', { input: id })
// @ts-expect-error the input has no field for the second
get('/orders/{id}/lines/{line}', { input: id })
// @ts-expect-error there is no input
get('/orders/{id}')
// @ts-expect-error there is no input beside the options
del('/orders/{id}', { output: z.string() })
// @ts-expect-error only one branch of the input has it
get('/orders/{id}', { input: z.union([id, z.object({ a: z.int() })]) })
// @ts-expect-error the input may be left out as a whole
get('/orders/{id}', { input: id.optional() })

// Options are checked.
// @ts-expect-error durations have a unit
get('/ping', { deadline: '2' })
// @ts-expect-error durations are text
get('/ping', { deadline: 2_000 })
// @ts-expect-error there is no such option
get('/ping', { timeout: '2s' })
// @ts-expect-error problems are made with problem()
get('/ping', { errors: { gone: 410 } })
// @ts-expect-error a schema that does not describe itself as JSON Schema is none of ours
get('/ping', { output: { '~standard': { version: 1, vendor: 'x', validate: () => ({ value: 1 }) } } })

// The ordering key of an event is a field that is always there and has a value that can be compared.
event(Placed, { key: 'orderId' })
event(Placed, { key: 'cents' })
event(z.discriminatedUnion('kind', [z.object({ kind: z.literal('a'), id: z.int() }), z.object({ kind: z.literal('b'), id: z.string() })]), {
  key: 'id',
})
// @ts-expect-error there is no such field
event(Placed, { key: 'userId' })
// @ts-expect-error it may be missing
event(Placed, { key: 'coupon' })
// @ts-expect-error a list does not order
event(Placed, { key: 'lines' })
// @ts-expect-error only one branch has it
event(z.union([z.object({ a: z.string(), both: z.string() }), z.object({ b: z.string(), both: z.string() })]), { key: 'a' })
// @ts-expect-error an event needs a key
event(Placed, {})

// Events keep the type of their data, before and after validation.
expectTypeOf(orders.events.orderPlaced).toEqualTypeOf<Event<typeof Placed>>()
expectTypeOf<EventInput<typeof orders.events.orderPlaced>['orderId']>().toEqualTypeOf<string>()
expectTypeOf<EventData<typeof orders.events.orderPlaced>>().toEqualTypeOf<z.infer<typeof Placed>>()
expectTypeOf<EventData<typeof orders.events.orderPlaced>>().not.toBeAny()

// Schemas of any library will do, if they give both standards; the types come from the standard.
declare const foreign: Schema<{ a?: string }, { a: string }>
const withForeign = post('/foreign', { input: foreign, output: foreign })
expectTypeOf(withForeign).toEqualTypeOf<
  Operation<Schema<{ a?: string }, { a: string }>, Schema<{ a?: string }, { a: string }>, Record<never, never>>
>()
expectTypeOf(validate(foreign, {})).toEqualTypeOf<Validation<{ a: string }> | Promise<Validation<{ a: string }>>>()

// Codes of the platform's errors are known.
expectTypeOf<'unavailable'>().toExtend<SkerryError['code']>()
expectTypeOf<'somethingElse'>().not.toExtend<SkerryError['code']>()
