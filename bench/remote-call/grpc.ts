/** `serve`, or `call <address>`: the same operation with @grpc/grpc-js, unary and with a deadline. Its types are those of the messages; it checks no bounds. */
import { fileURLToPath } from 'node:url'
import type { Client, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'
import { credentials, loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { PlacedOrder } from '../http-operation/order.ts'
import type { OrderAnswer } from './calls.ts'
import { placed, reportCalls } from './calls.ts'

interface OrdersClient extends Client {
  place(order: PlacedOrder, options: { deadline: number }, done: (error: Error | null, answer: OrderAnswer) => void): void
}

const loaded = loadPackageDefinition(loadSync(fileURLToPath(new URL('./order.proto', import.meta.url))))
const Orders = loaded['Orders'] as unknown as {
  new (address: string, given: ReturnType<typeof credentials.createInsecure>): OrdersClient
  readonly service: ServiceDefinition<UntypedServiceImplementation>
}
const DEADLINE_MS = 3_000
const [role, address = ''] = process.argv.slice(2)
if (role === 'serve') {
  const server = new Server()
  server.addService(Orders.service, {
    place: ({ request }: { request: PlacedOrder }, done: (error: null, answer: OrderAnswer) => void) => done(null, placed(request)),
  })
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error
    process.stdout.write(`${JSON.stringify({ address: `127.0.0.1:${port}` })}\n`)
  })
  process.once('SIGTERM', () => process.exit(0))
} else {
  const client = new Orders(address, credentials.createInsecure())
  const call = (order: PlacedOrder): Promise<OrderAnswer> =>
    new Promise((resolve, reject) =>
      client.place(order, { deadline: Date.now() + DEADLINE_MS }, (error, answer) => (error === null ? resolve(answer) : reject(error))),
    )
  await reportCalls(call, false)
  client.close()
}
