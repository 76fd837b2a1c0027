/** Makes the clients of a Kafka cluster, all alike, and ends them without waiting for what does not answer. */
import type { BaseOptions } from '@platformatic/kafka'
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { within } from 'skerry/engine'
import type { Settings } from './settings.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** How long a polite goodbye may take before the sockets are left to themselves. */
const CLOSE_TIMEOUT_MS = 2_000
/** Leaders move and coordinators load: the client tries again so often, so long apart, before it gives up. */
const RETRIES = 5
const RETRY_DELAY_MS = 200
const MAX_WAIT_MS = 500
const MAX_FETCH_BYTES = 16 * 1_024 * 1_024

export function openAdmin(settings: Settings): Admin {
  return new Admin(clientOptions(settings))
}

export function openProducer(settings: Settings): Producer {
  // A retry of the client's leaves no second copy, and messages keep their order in it.
  return new Producer({ ...clientOptions(settings), idempotent: true, acks: -1, autocreateTopics: false })
}

export function openConsumer(settings: Settings, groupId: string): Consumer {
  const { sessionTimeoutMs } = settings
  return new Consumer({
    ...clientOptions(settings),
    groupId,
    autocommit: false,
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: sessionTimeoutMs * 2,
    heartbeatInterval: Math.max(100, Math.min(3_000, Math.floor(sessionTimeoutMs / 10))),
    heartbeatStallTimeout: sessionTimeoutMs,
    maxWaitTime: MAX_WAIT_MS,
    maxBytes: MAX_FETCH_BYTES,
  })
}

export async function endClient({ clock }: Settings, client: Admin | Producer | Consumer | undefined): Promise<void> {
  if (client !== undefined) await within(clock, CLOSE_TIMEOUT_MS, client.close())
}

function clientOptions({ addresses, tls, confirmTimeoutMs }: Settings): BaseOptions {
  const [{ secure, username, password, mechanism }] = addresses
  return {
    clientId: `skerry-${process.pid}`,
    bootstrapBrokers: addresses.map(({ hostname, port }) => ({ host: hostname, port })),
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: confirmTimeoutMs,
    timeout: confirmTimeoutMs,
    retries: RETRIES,
    retryDelay: RETRY_DELAY_MS,
    ...(secure ? { tls } : {}),
    ...(username === undefined || password === undefined ? {} : { sasl: { mechanism, username, password } }),
  }
}
