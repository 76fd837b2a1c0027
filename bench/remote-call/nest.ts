/** `serve`, or `call <port>`: the same operation over the TCP transport of @nestjs/microservices, without the rest of Nest, which would cost it more. It validates nothing. */
import { ClientTCP, ServerTCP } from '@nestjs/microservices'
import { firstValueFrom } from 'rxjs'
import { freePort } from '../../test/services/free-port.ts'
import type { PlacedOrder } from '../http-operation/order.ts'
import type { OrderAnswer } from './calls.ts'
import { placed, reportCalls } from './calls.ts'

const [role, given] = process.argv.slice(2)
const port = given === undefined ? await freePort() : Number(given)
if (role === 'serve') {
  const server = new ServerTCP({ host: '127.0.0.1', port })
  server.addHandler('place', async (order: PlacedOrder) => placed(order))
  server.listen(() => process.stdout.write(`${JSON.stringify({ address: String(port) })}\n`))
  process.once('SIGTERM', () => process.exit(0))
} else {
  const client = new ClientTCP({ host: '127.0.0.1', port })
  await client.connect()
  await reportCalls((order) => firstValueFrom(client.send<OrderAnswer, PlacedOrder>('place', order)), false)
  client.close()
}
