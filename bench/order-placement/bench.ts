/**
 * Order placement end to end: POST, user checked, order and event in one transaction, relay, consumer, notification row. Measured is how
 * many orders a second are *notified*: the clock stops when the last notification is there.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { startChild } from '../harness/child.ts'
import { load } from '../harness/load.ts'
import type { Candidate, Comparison } from '../harness/pairs.ts'
import { compare, medianOf } from '../harness/pairs.ts'

const CONNECTIONS = 32
const WARM_UP_SECONDS = 3
const SECONDS = 8
const PATIENCE_MS = 60_000

interface Services {
  readonly postgresUrl: string
  readonly rabbitmqUrl: string
}

export function benchOrderPlacement(pairs: number, services: Services): Promise<Comparison> {
  return compare(
    onServers('Skerry', './skerry-host.ts', services),
    onServers('Fastify + pg + amqplib by hand', './hand-written.ts', services),
    pairs,
  )
}

/** Orders a second on the embedded database and broker, one value per run. */
export async function benchOrderPlacementEmbedded(runs: number): Promise<{ readonly median: number; readonly values: readonly number[] }> {
  const values: number[] = []
  for (let run = 0; run < runs; run++) {
    const directory = await mkdtemp(join(tmpdir(), 'skerry-bench-'))
    try {
      values.push(await measure('./skerry-host.ts', { SKERRY_DATA: directory }))
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
  return { median: medianOf(values), values }
}

function onServers(name: string, file: string, { postgresUrl, rabbitmqUrl }: Services): Candidate {
  return {
    name,
    async measure() {
      const database = `bench_${randomUUID().replaceAll('-', '')}`
      const admin = new pg.Client({ connectionString: postgresUrl })
      await admin.connect()
      try {
        await admin.query(`create database ${database}`)
        const url = new URL(postgresUrl)
        url.pathname = `/${database}`
        return await measure(file, { DATABASE_URL: url.href, RABBITMQ_URL: rabbitmqUrl, EXCHANGE: database })
      } finally {
        await admin.query(`drop database if exists ${database} with (force)`)
        await admin.end()
      }
    },
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
