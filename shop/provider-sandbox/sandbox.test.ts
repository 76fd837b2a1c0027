import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from 'skerry/testing'
import { expect, onTestFinished, test } from 'vitest'
import type { ProviderSandboxOptions, Webhook } from './sandbox.ts'
import { startProviderSandbox } from './sandbox.ts'

async function start(options: Partial<ProviderSandboxOptions> = {}) {
  const sandbox = await startProviderSandbox({ webhookSecret: 'secret', ...options })
  onTestFinished(async () => sandbox[Symbol.asyncDispose]())
  const send = async (method: string, path: string, body?: unknown, key?: string, signal?: AbortSignal) => {
    const response = await fetch(sandbox.url + path, {
      method,
      headers: key === undefined ? {} : { 'idempotency-key': key },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  return {
    sandbox,
    send,
    authorize: (key: string, card = 'tok_ok', amount = 1_000, signal?: AbortSignal) =>
      send('POST', '/v1/authorizations', { amount, currency: 'EUR', card }, key, signal),
    act: (about: string, action: string, key: string, amount = 1_000) =>
      send('POST', `/v1/authorizations/${about}/${action}`, { amount, currency: 'EUR' }, key),
  }
}

test('does what it is asked once for each key, and answers the same again', async () => {
  const { sandbox, authorize, act, send } = await start()
  const first = await authorize('a')
  expect(first).toMatchObject({ status: 200, body: { key: 'a', kind: 'authorization', status: 'succeeded', amount: 1_000 } })
  expect(await authorize('a')).toEqual(first)
  expect(await authorize('a', 'tok_ok', 999)).toMatchObject({ status: 409 })
  expect(await act('a', 'capture', 'c', 1_001)).toMatchObject({ status: 402, body: { reason: 'more_than_authorized' } })
  expect(await act('a', 'capture', 'c2')).toMatchObject({ status: 200 })
  expect(await act('a', 'capture', 'c2')).toMatchObject({ status: 200 })
  expect(await act('a', 'capture', 'c3')).toMatchObject({ status: 402, body: { reason: 'captured' } })
  expect(await act('a', 'void', 'v')).toMatchObject({ status: 402, body: { reason: 'captured' } })
  expect(await act('a', 'refund', 'r1', 600)).toMatchObject({ status: 200 })
  expect(await act('a', 'refund', 'r2', 600)).toMatchObject({ status: 402, body: { reason: 'more_than_captured' } })
  expect(await send('GET', '/v1/operations/r1')).toMatchObject({ status: 200, body: { amount: 600 } })
  expect(await send('GET', '/v1/operations/r9')).toMatchObject({ status: 404 })
  const { operations, requests } = sandbox.book()
  expect(requests).toMatchObject({ a: 3, c2: 2, r1: 1 })
  expect(operations.filter(({ kind, status }) => kind === 'capture' && status === 'succeeded')).toHaveLength(1)
  expect(await send('GET', '/v1/book')).toEqual({ status: 200, body: JSON.parse(JSON.stringify(sandbox.book())) as unknown })
})

test('declines what the card says, and what was voided before it came', async () => {
  const { authorize, act } = await start()
  expect(await authorize('a', 'tok_declined')).toMatchObject({ status: 402, body: { status: 'declined', reason: 'insufficient_funds' } })
  expect(await authorize('b', 'tok_unheard_of')).toMatchObject({ status: 402, body: { reason: 'invalid_card' } })
  expect(await authorize('c', 'tok_ok', 10_000_001)).toMatchObject({ status: 402, body: { reason: 'limit_exceeded' } })
  expect(await act('d', 'void', 'v')).toMatchObject({ status: 200 })
  expect(await authorize('d')).toMatchObject({ status: 402, body: { reason: 'voided' } })
  expect(await act('nobody', 'capture', 'x')).toMatchObject({ status: 402, body: { reason: 'not_authorized' } })
})

test.each([
  ['tok_timeout', 1],
  ['tok_lost', 0],
])('falls silent at the first request with %s, and answers the second', async (card, done) => {
  const { sandbox, authorize } = await start()
  const patience = new AbortController()
  const lost = authorize('a', card, 1_000, patience.signal)
  await expect.poll(() => sandbox.book().requests).toEqual({ a: 1 })
  expect(sandbox.book().operations).toHaveLength(done)
  patience.abort()
  await expect(lost).rejects.toThrow('aborted')
  expect(await authorize('a', card)).toMatchObject({ status: 200 })
  expect(sandbox.book().operations).toHaveLength(1)
})

test('its book outlives it, but for a line that was cut short', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'skerry-book-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const bookFile = join(directory, 'books', 'book.jsonl')
  {
    const { authorize, sandbox } = await start({ bookFile })
    await authorize('a')
    await sandbox[Symbol.asyncDispose]()
  }
  await writeFile(bookFile, `${await readFile(bookFile, 'utf8')}{"key":"b"`)
  const { sandbox, authorize } = await start({ bookFile })
  expect(sandbox.book().operations.map(({ key }) => key)).toEqual(['a'])
  await authorize('c')
  expect((await readFile(bookFile, 'utf8')).split('\n').map((line) => line.slice(0, 10))).toEqual(['{"key":"a"', '{"key":"c"', ''])
})

test.each<[string, string[]]>([
  ['tok_ok', ['authorization.succeeded', 'capture.succeeded']],
  ['tok_webhooks_twice', ['authorization.succeeded', 'authorization.succeeded', 'capture.succeeded', 'capture.succeeded']],
  ['tok_webhooks_reversed', ['capture.succeeded', 'authorization.succeeded']],
])('webhooks of %s come, again until they are taken', async (card, types) => {
  const seen: string[] = []
  const refused = new Set<string>()
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { payload } = JSON.parse(Buffer.concat(chunks).toString()) as { payload: string }
      const { type } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Webhook
      const isTaken = refused.has(type)
      refused.add(type)
      if (isTaken) seen.push(type)
      response.writeHead(isTaken ? 204 : 500).end()
    })
  })
  await new Promise<void>((resolve) => {
    receiver.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => void receiver.close())
  const clock = new VirtualClock()
  const { authorize, act } = await start({ clock, webhookUrl: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}` })
  const taken = (count: number) =>
    expect
      .poll(async () => {
        await clock.advance('1s')
        return seen.length
      })
      .toBe(count)
  await authorize('a', card)
  if (!card.includes('reversed')) await taken(types.length / 2)
  await act('a', 'capture', 'c')
  await taken(types.length)
  expect(seen).toEqual(types)
})
