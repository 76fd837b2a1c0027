import { request } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { freePort } from './free-port.ts'
import type { NginxServer } from './nginx.ts'
import { startNginx } from './nginx.ts'

const running: NginxServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()))
})

test('runs two at once, each with its own configuration', async () => {
  const ports = [await freePort(), await freePort()] as const
  running.push(
    ...(await Promise.all([startNginx({ config: answering(ports[0], 'one') }), startNginx({ config: answering(ports[1], 'two') })])),
  )
  expect(await Promise.all(ports.map(get))).toEqual(['one', 'two'])
})

test('a reload serves the new configuration when it resolves', async () => {
  const port = await freePort()
  const server = await startNginx({ config: answering(port, 'old') })
  running.push(server)
  await server.reload(answering(port, 'new'))
  expect(await get(port)).toBe('new')
})

test('a refused configuration says why and leaves the old one running', async () => {
  const port = await freePort()
  const server = await startNginx({ config: answering(port, 'old') })
  running.push(server)
  await expect(server.reload(answering(port, 'new').replace('return', 'retrun'))).rejects.toThrow(/unknown directive "retrun"/)
  expect(await get(port)).toBe('old')
})

test('a configuration that cannot start rejects with the reason', async () => {
  await expect(startNginx({ config: 'events {} http { server { listen nowhere:x; } }' })).rejects.toThrow(/invalid port|host not found/)
})

function answering(port: number, text: string): string {
  return `
worker_processes 1;
events { worker_connections 64; }
http {
  server {
    listen 127.0.0.1:${port};
    location / { return 200 '${text}'; }
  }
}
`
}

/** Each on a connection of its own, which an old worker therefore cannot keep. */
function get(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: '127.0.0.1', agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(text))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}
