/** `serve`, or `call <url>`: the same operation by hand, undici's connections kept open to a server of node:http. It validates nothing. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'
import type { PlacedOrder } from '../http-operation/order.ts'
import type { OrderAnswer } from './calls.ts'
import { MANY_AT_ONCE, placed, reportCalls } from './calls.ts'

const [role, url = ''] = process.argv.slice(2)
if (role === 'serve') {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = JSON.stringify(placed(JSON.parse(Buffer.concat(chunks).toString('utf8')) as PlacedOrder))
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text)
    })
  })
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    process.stdout.write(`${JSON.stringify({ address: `http://127.0.0.1:${port}` })}\n`)
  })
  process.once('SIGTERM', () => process.exit(0))
} else {
  const pool = new Pool(url, { connections: MANY_AT_ONCE })
  const headers = { 'content-type': 'application/json' }
  const call = async (order: PlacedOrder): Promise<OrderAnswer> => {
    const { body } = await pool.request({ path: '/orders', method: 'POST', headers, body: JSON.stringify(order) })
    return (await body.json()) as OrderAnswer
  }
  await reportCalls(call, false)
  await pool.close()
}
