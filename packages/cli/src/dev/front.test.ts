import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { beforeEach, expect, test } from 'vitest'
import { request } from '../../../../test/topologies/request.ts'
import { Front } from './front.ts'

let held: DisposableStack
beforeEach(() => {
  held = new DisposableStack()
  return () => held.dispose()
})

async function openFront(maxHeld?: number): Promise<{ front: Front; url: string }> {
  const front = new Front(maxHeld)
  held.defer(() => front.close())
  await front.listen('127.0.0.1', 0)
  return { front, url: front.url! }
}

/** Answers every request with what was sent to it. */
async function openServices(): Promise<{ server: Server; url: string }> {
  const server = createServer((incoming, response) => {
    incoming.pipe(response)
  })
  held.defer(() => server.close().closeAllConnections())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Has been accepted, and has been asked. */
async function heldRequest(url: string, body: unknown) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  held.defer(() => socket.destroy())
  await once(socket, 'connect')
  const text = JSON.stringify(body)
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
  const answer = (async () => {
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString()
  })()
  return { socket, answer }
}

test('requests wait until there is somebody to answer them', async () => {
  const { front, url } = await openFront()
  const early = await Promise.all([1, 2, 3].map((number) => heldRequest(url, number)))
  front.serve((await openServices()).url)
  for (const [index, { answer }] of early.entries()) expect(await answer).toMatch(new RegExp(`^HTTP/1.1 200 OK[^]*\\b${index + 1}\\b`))
  expect((await request('POST', url, { now: true })).body).toEqual({ now: true })
  front.hold()
  const later = await heldRequest(url, 4)
  front.serve((await openServices()).url)
  expect(await later.answer).toMatch(/^HTTP\/1.1 200 OK/)
})

test('requests that waited, and those that come, are told when nobody will', async () => {
  const { front, url } = await openFront()
  const early = await heldRequest(url, 1)
  front.fail('no "luck"')
  expect(await early.answer).toMatch(/^HTTP\/1.1 503 Service Unavailable\r\n/)
  for (const answer of await Promise.all([request('GET', url), request('POST', url, 'x'.repeat(1_000_000))]))
    expect(answer).toMatchObject({ status: 503, body: { status: 503, code: 'unavailable', detail: 'no "luck"' } })
})

test('a bound: more than it may hold are told to come back', async () => {
  const { front, url } = await openFront(2)
  const early = await Promise.all([1, 2].map((number) => heldRequest(url, number)))
  const refused = await request('GET', url)
  expect(refused).toMatchObject({ status: 503, body: { detail: expect.stringContaining('2 connections') } })
  expect(refused.headers.get('retry-after')).toBe('1')
  // One that gives up makes room for another.
  early[0]!.socket.destroy()
  await expect(early[0]!.answer).rejects.toThrow('Premature close')
  front.serve((await openServices()).url)
  expect(await early[1]!.answer).toMatch(/^HTTP\/1.1 200 OK/)
})

test('when the services have just gone, requests wait for what comes of it', async () => {
  const { front, url } = await openFront()
  const services = await openServices()
  front.serve(services.url)
  services.server.close()
  await once(services.server, 'close')
  const first = request('POST', url, { a: 1 })
  const second = await heldRequest(url, 2)
  front.hold()
  front.serve((await openServices()).url)
  expect((await first).body).toEqual({ a: 1 })
  expect(await second.answer).toMatch(/^HTTP\/1.1 200 OK/)
})

test('a port in use is named', async () => {
  const { url } = await openFront()
  const port = Number(new URL(url).port)
  await expect(new Front().listen('127.0.0.1', port)).rejects.toThrow(`Port ${port} on 127.0.0.1 is in use.`)
})
