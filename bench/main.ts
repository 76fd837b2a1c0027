/** `npm run bench`: every figure we claim, against its peer in the same run, written to RESULTS.md with machine and versions. `--pairs 2` for a quick look, names to run some. */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { benchCheckouts } from './checkout/bench.ts'
import { benchDurableEvents, benchDurableEventsEmbedded } from './durable-events/bench.ts'
import { benchEventStore } from './event-store/bench.ts'
import { benchFootprint } from './footprint/bench.ts'
import { benchGrowth } from './growth/bench.ts'
import { withPostgres, withServers } from './harness/servers.ts'
import { benchHttpOperation } from './http-operation/bench.ts'
import { benchLocalCall } from './local-call/bench.ts'
import { benchOrderPlacement, benchOrderPlacementEmbedded } from './order-placement/bench.ts'
import { benchPolicies } from './policies/bench.ts'
import { benchRemoteCalls } from './remote-call/bench.ts'
import type { Results } from './results.ts'
import { report } from './results.ts'
import { benchSagas } from './sagas/bench.ts'
import { benchShopWays } from './shop-ways/bench.ts'
import { benchTelemetry } from './telemetry/bench.ts'

const { values, positionals } = parseArgs({ options: { pairs: { type: 'string', default: '5' } }, allowPositionals: true })
const pairs = Number(values.pairs)
/** Of what takes a minute each time. */
const MAX_ROUNDS = 2
const ALL = [
  'http',
  'local',
  'remote',
  'orders',
  'events',
  'sagas',
  'store',
  'checkout',
  'growth',
  'telemetry',
  'policies',
  'ways',
  'footprint',
] as const
const unknown = positionals.filter((name) => !ALL.some((known) => known === name))
if (unknown.length > 0 || !Number.isInteger(pairs) || pairs < 1) {
  process.stderr.write(`Usage: npm run bench -- [--pairs 5] [${ALL.join('] [')}]\n`)
  process.exit(2)
}
const wanted = (name: (typeof ALL)[number]): boolean => positionals.length === 0 || positionals.includes(name)
const say = (text: string): boolean => process.stderr.write(`${text}\n`)

const results: Results = {}
if (wanted('http')) {
  say('HTTP operation, against Fastify')
  results.http = await benchHttpOperation(pairs)
}
if (wanted('local')) {
  say('Local call, against Moleculer')
  results.local = await benchLocalCall(pairs)
}
if (wanted('remote')) {
  say('Remote call, against Moleculer, gRPC, NestJS and undici')
  results.remote = await benchRemoteCalls(pairs)
}
if (wanted('orders')) {
  say('Order placement on PGlite')
  results.ordersEmbedded = await benchOrderPlacementEmbedded(pairs)
  say('Order placement on PostgreSQL and RabbitMQ, against a program by hand')
  results.orders = await withServers((servers) => benchOrderPlacement(pairs, servers))
}
if (wanted('events')) {
  say('Durable events on PGlite')
  results.eventsEmbedded = await benchDurableEventsEmbedded(pairs)
  say('Durable events on PostgreSQL and RabbitMQ, against amqplib alone')
  results.events = await withServers((servers) => benchDurableEvents(pairs, servers))
}
if (wanted('sagas')) {
  say('Sagas, against DBOS')
  results.sagas = await withPostgres((postgresUrl) => benchSagas(pairs, postgresUrl))
}
if (wanted('store')) {
  say('Event store, against the same by hand')
  results.store = await withPostgres((postgresUrl) => benchEventStore(pairs, postgresUrl))
}
if (wanted('checkout')) {
  say('Checkouts of the whole shop')
  results.checkouts = await withServers((servers) => benchCheckouts(Math.min(pairs, MAX_ROUNDS), servers))
}
if (wanted('growth')) {
  say('Events and sagas on tables that have grown')
  results.growth = await withServers((servers) => benchGrowth(Math.min(pairs, MAX_ROUNDS), servers))
}
if (wanted('telemetry')) {
  say('Telemetry, on against off')
  results.telemetry = await benchTelemetry(pairs)
}
if (wanted('policies')) {
  say('What each policy costs')
  results.policies = await benchPolicies(Math.min(pairs, MAX_ROUNDS))
}
if (wanted('ways')) {
  say('The shop in one process, split over HTTP, split over the fast wire')
  results.ways = await withServers((servers) => benchShopWays(Math.min(pairs, MAX_ROUNDS), servers))
}
if (wanted('footprint')) {
  say('Footprint')
  results.footprint = await benchFootprint()
}
const text = report(results, pairs)
process.stdout.write(text)
if (positionals.length === 0) await writeFile(new URL('./RESULTS.md', import.meta.url), text)
