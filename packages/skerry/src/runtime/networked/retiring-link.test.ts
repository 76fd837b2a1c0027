/** A link that was given up closes when nothing is on its way, whatever became of its calls and whichever way they went. */
import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { systemClock } from '../../base/clock.ts'
import { boundOperations } from '../../contract/bound-operation.ts'
import { contract } from '../../contract/contract.ts'
import { post } from '../../contract/operation.ts'
import { operationRoute } from '../../http/operation-target.ts'
import { createLog } from '../../telemetry/log.ts'
import { networkTransport } from '../../wire/transport.ts'
import { retiringLink } from './retiring-link.ts'

const things = contract('things', { version: '1.0.0', operations: { wait: post('/wait', { output: z.unknown() }) } })
const operation = boundOperations(things).get('wait')!

it.each(['off', 'only'] as const)('closes after a call that was given up (the fast wire: %s)', async (fastWire) => {
  const transport = networkTransport({ fastWire: fastWire === 'only' ? 'offered' : 'off' })
  let asked = 0
  const never = (): Promise<never> => {
    asked++
    return new Promise(() => undefined)
  }
  const server = await transport.listen({
    port: 0,
    routes: [operationRoute(operation, never)],
    forPeers: true,
    clock: systemClock,
    log: createLog({ level: 'silent' }),
  })
  onTestFinished(() => server.close(AbortSignal.abort()))
  const closed: string[] = []
  const inner = networkTransport({ fastWire }).link({ baseUrl: server.url, clock: systemClock })
  const link = retiringLink({
    ...inner,
    send: (request) => inner.send(request),
    close: () => inner.close().then(() => void closed.push('closed')),
  })
  const abort = new AbortController()
  let onGivenUp: (() => void) | undefined
  const answer = link.send({
    operation,
    input: undefined,
    trace: { traceId: '1'.repeat(32), spanId: '2'.repeat(16), sampled: true },
    deadlineAtMs: Infinity,
    idempotencyKey: undefined,
    userAgent: undefined,
    signal: () => abort.signal,
    whenGivenUp: (action) => (onGivenUp = action),
  })
  answer.catch(() => undefined)
  await expect.poll(() => asked).toBe(1)
  link.retire()
  expect(closed).toEqual([])
  abort.abort()
  onGivenUp?.()
  await expect.poll(() => closed).toEqual(['closed'])
  await expect(answer).rejects.toMatchObject({ code: 'unavailable' })
})
