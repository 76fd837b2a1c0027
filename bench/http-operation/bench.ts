/** An HTTP operation, a validated POST without a database: a Skerry service against bare Fastify 5. */
import assert from 'node:assert/strict'
import { startChild } from '../harness/child.ts'
import { load } from '../harness/load.ts'
import type { Candidate, Comparison } from '../harness/pairs.ts'
import { compare } from '../harness/pairs.ts'
import { SAMPLE, SAMPLE_TOTAL_CENTS } from './order.ts'

const CONNECTIONS = 64
const WARM_UP_SECONDS = 3
const SECONDS = 6

export function benchHttpOperation(pairs: number): Promise<Comparison> {
  return compare(skerryServer('Skerry', {}), server('Fastify 5', './fastify-server.ts'), pairs)
}

export function skerryServer(name: string, env: Readonly<Record<string, string>>): Candidate {
  return server(name, './skerry-server.ts', env)
}

function server(name: string, file: string, env: Readonly<Record<string, string>> = {}): Candidate {
  return {
    name,
    async measure() {
      await using child = await startChild<{ url: string }>(new URL(file, import.meta.url), { env })
      const url = `${child.ready.url}/orders`
      const body = JSON.stringify(SAMPLE)
      await load({ url, connections: CONNECTIONS, seconds: WARM_UP_SECONDS, body: () => body })
      const { requestsPerSecond, failed } = await load({ url, connections: CONNECTIONS, seconds: SECONDS, body: () => body })
      assert.equal(failed, 0, `${name}: ${failed} requests failed`)
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(url, { method: 'POST', headers, body })
      assert.deepEqual(await answer.json(), { id: SAMPLE.id, status: 'created', totalCents: SAMPLE_TOTAL_CENTS })
      const refused = await fetch(url, { method: 'POST', headers, body: '{"id":"seven"}' })
      assert.ok(refused.status === 400 || refused.status === 422, `${name} accepted an invalid body`)
      return requestsPerSecond
    },
  }
}
