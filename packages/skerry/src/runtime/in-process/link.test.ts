import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { boundOperations } from '../../contract/bound-operation.ts'
import { contract } from '../../contract/contract.ts'
import { get, post } from '../../contract/operation.ts'
import type { OperationRequest } from '../../service/dispatch.ts'
import type { HostedService } from '../../service/hosted-service.ts'
import { inProcessLink } from './link.ts'

const shop = contract('shop', {
  version: '1.0.0',
  operations: {
    find: get('/items/{id}', { input: z.object({ id: z.string(), tags: z.array(z.string()).optional() }), output: z.unknown() }),
    list: get('/items', { input: z.object({ page: z.int().optional() }), output: z.unknown() }),
    add: post('/items', { input: z.object({ name: z.string().optional() }), output: z.unknown() }),
  },
})

/** What arrives at the service when this is sent. */
async function sent(operation: keyof typeof shop.operations, input: unknown): Promise<unknown> {
  const echo = { contract: shop, answer: async (request: OperationRequest) => ({ ok: true, output: request.input }) as const }
  const link = inProcessLink(() => echo as unknown as HostedService)
  const response = await link.send({
    operation: boundOperations(shop).get(operation)!,
    input,
    trace: { traceId: '1'.repeat(32), spanId: '1'.repeat(16), sampled: true },
    deadlineAtMs: Infinity,
    idempotencyKey: undefined,
    userAgent: undefined,
    signal: () => new AbortController().signal,
  })
  return response.ok ? response.output : response.problem
}

describe('the link to a service in this process', () => {
  it('hands over what HTTP would carry', async () => {
    expect(await sent('find', { id: 'a/b', tags: [], unknown: { field: 1 } })).toEqual({ id: 'a/b', tags: [] })
    expect(await sent('list', undefined)).toEqual({})
    expect(await sent('add', undefined)).toEqual({})
    expect(await sent('add', { name: '', unknown: 1 })).toEqual({ name: '', unknown: 1 })
  })

  it.each([{ id: '' }, { id: '..' }, { id: 'a\nb' }, { id: 'a', tags: [''] }, { id: 'a', tags: ['\ud800'] }, {}])(
    'refuses %j, which HTTP cannot carry',
    async (input) => {
      await expect(sent('find', input)).rejects.toMatchObject({ name: 'SkerryError', code: 'invalidInput' })
    },
  )
})
