/** The delivery suite on a NATS of our own. Its 2.9 proves what the engine does, not what survives the loss of power. */
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { nats } from '@skerry/nats'
import type { NatsServer } from '../services/nats.ts'
import { startNats } from '../services/nats.ts'
import { TcpProxy } from '../services/tcp-proxy.ts'
import { NATS_OPTIONS } from './fault-settings.ts'
import { runFaults } from './faults.ts'

let server: NatsServer

runFaults({
  environment: () => ({ BROKER_URL: server.url }),
  async prepare() {
    server = await startNats()
    const { url, kill, stop, start } = server
    const { hostname: host, port, username: user, password: pass } = new URL(url)
    const link = await TcpProxy.start({ host, port: Number(port) })
    return {
      broker: {
        engine: nats({ url, ...NATS_OPTIONS }),
        outage: { kill, stop, start },
        network: { link, engine: (options) => nats({ url: link.through(url), ...NATS_OPTIONS, ...options }) },
        capacity: {
          engine: nats({ url, ...NATS_OPTIONS, prefix: 'small' }),
          async limit() {
            const nc = await connect({ servers: `${host}:${port}`, user, pass })
            await (await jetstreamManager(nc)).streams.update('small', { max_msgs: 20 })
            await nc.close()
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
