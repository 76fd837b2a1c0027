/** What makes brokers notice within seconds what they otherwise notice within half a minute. The same in all processes of a test. */
export const NATS_OPTIONS = { ackWaitMs: 1_500, tidyEveryMs: 500, heartbeatSeconds: 1, retryDelayMs: 5, maxReconnectDelayMs: 500 }
export const RABBITMQ_OPTIONS = { heartbeatSeconds: 1, retryDelayMs: 5, maxReconnectDelayMs: 500 }
