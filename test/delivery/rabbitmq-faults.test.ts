/** The delivery suite on a RabbitMQ of our own. */
import { rabbitmq } from '@skerry/rabbitmq'
import type { RabbitmqServer } from '../services/rabbitmq.ts'
import { startRabbitmq } from '../services/rabbitmq.ts'
import { TcpProxy } from '../services/tcp-proxy.ts'
import { RABBITMQ_OPTIONS } from './fault-settings.ts'
import { runFaults } from './faults.ts'

let server: RabbitmqServer

runFaults({
  environment: () => ({ BROKER_URL: server.url }),
  async prepare() {
    server = await startRabbitmq()
    const { url, kill, stop, start } = server
    const { hostname: host, port } = new URL(url)
    const link = await TcpProxy.start({ host, port: Number(port) })
    return {
      broker: {
        engine: rabbitmq({ url, ...RABBITMQ_OPTIONS }),
        outage: {
          kill,
          stop,
          start,
          // RabbitMQ 3 writes the name of a new quorum queue to disk only some time after it has confirmed it.
          async settle() {
            await stop()
            await start()
          },
        },
        network: { link, engine: (options) => rabbitmq({ url: link.through(url), ...RABBITMQ_OPTIONS, ...options }) },
        capacity: {
          // The limit of a quorum queue is a soft one: what is on its way when it is reached is taken.
          engine: rabbitmq({ url, ...RABBITMQ_OPTIONS, maxUnconfirmed: 5 }),
          async limit(consumer) {
            const definition = JSON.stringify({ 'max-length': 20, overflow: 'reject-publish' })
            await server.control('set_policy', '--apply-to', 'queues', 'small', `^skerry\\.${consumer}$`, definition)
          },
        },
      },
      async close() {
        await link.close()
        await server.close()
      },
    }
  },
})
