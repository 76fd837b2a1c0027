/** The delivery suite on the embedded broker. It has no server, no network and one process: its own death is in killed-hosts.test.ts. */
import { embeddedBroker, systemClock } from 'skerry/engine'
import { runFaults } from './faults.ts'

const inProcess = 'the embedded broker lives and dies with its process'

runFaults({
  notApplicable: { outage: inProcess, network: inProcess, processes: inProcess },
  async prepare() {
    return {
      broker: {
        engine: embeddedBroker({ clock: systemClock, retryDelayMs: 5 }),
        capacity: { engine: embeddedBroker({ clock: systemClock, retryDelayMs: 5, maxQueuedMessages: 20 }), limit: async () => undefined },
      },
      close: async () => undefined,
    }
  },
})
