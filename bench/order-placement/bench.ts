/**
 * Order placement end to end: POST, user checked, order and event in one transaction, relay, consumer, notification row. Measured is how
 * many orders a second are *notified*: the clock stops when the last notification is there.
 */
import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { startChild } from '../harness/child.ts'
import { withDatabase, withDirectory } from '../harness/database.ts'
import { load } from '../harness/load.ts'
import type { Candidate, Comparison } from '../harness/pairs.ts'
import { compare } from '../harness/pairs.ts'
import type { Servers } from '../harness/servers.ts'

const CONNECTIONS = 32
const WARM_UP_SECONDS = 3
const SECONDS = 8
const PATIENCE_MS = 60_000

export function benchOrderPlacement(pairs: number, servers: Servers): Promise<Comparison> {
  return compare(
    onServers('Skerry', './skerry-host.ts', servers),
    onServers('Fastify + pg + amqplib by hand', './hand-written.ts', servers),
    pairs,
  )
}

/** Orders a second on the embedded database and broker, one value per run. */
export async function benchOrderPlacementEmbedded(runs: number): Promise<readonly number[]> {
  const values: number[] = []
  for (let run = 0; run < runs; run++)
    values.push(await withDirectory((directory) => measure('./skerry-host.ts', { SKERRY_DATA: directory })))
  return values
}

/** The whole of it in one process, on the embedded database and broker. */
export function ordersEmbedded(name: string, env: Readonly<Record<string, string>>): Candidate {
  return { name, measure: () => withDirectory((directory) => measure('./skerry-host.ts', { SKERRY_DATA: directory, ...env })) }
}

function onServers(name: string, file: string, { postgresUrl, rabbitmqUrl }: Servers): Candidate {
  return {
    name,
    measure: () =>
      withDatabase(postgresUrl, (url, exchange) => measure(file, { DATABASE_URL: url, RABBITMQ_URL: rabbitmqUrl, EXCHANGE: exchange })),
  }
}

async function measure(file: string, env: Readonly<Record<string, string>>): Promise<number> {
  await using child = await startChild<{ orders: string; notifications: string }>(new URL(file, import.meta.url), { env })
  let id = 0
  const place = (seconds: number) =>
    load({
      url: `${child.ready.orders}/orders`,
      connections: CONNECTIONS,
      seconds,
      body: () => JSON.stringify({ id: ++id, userId: (id % 1000) + 1, product: 'kettle', cents: 4_900 }),
    })
  const warmUp = await place(WARM_UP_SECONDS)
  const before = await settled(child.ready.notifications, warmUp.ok)
  const start = performance.now()
  const { ok, failed } = await place(SECONDS)
  const after = await settled(child.ready.notifications, before + ok)
  const seconds = (performance.now() - start) / 1_000
  assert.equal(failed, 0, `${failed} orders failed`)
  return (after - before) / seconds
}

/** Waits until at least `expected` orders are notified and no more come; each exactly once. */
async function settled(url: string, expected: number): Promise<number> {
  const giveUpAt = performance.now() + PATIENCE_MS
  let last = -1
  for (;;) {
    const { notifications, orders } = (await (await fetch(`${url}/count`)).json()) as { notifications: number; orders: number }
    assert.equal(notifications, orders, 'an order was notified twice')
    // Requests that the load generator abandoned at its end were placed all the same.
    if (notifications >= expected && notifications === last) return notifications
    last = notifications
    assert.ok(performance.now() < giveUpAt, `only ${notifications} of ${expected} orders were notified`)
    await wait(50)
  }
}
