/** Wraps a broker so that a test can see what was published, and publish as a service that is not there. */
import type { Broker, BrokerEngine, Message } from '../engine/broker.ts'

export interface RecordingBroker {
  readonly engine: BrokerEngine
  /** Everything that the broker took, once each, in order. */
  readonly published: readonly Message[]
  /** The open broker. */
  broker(): Broker
}

export function recordingBroker(inner: BrokerEngine): RecordingBroker {
  const published = new Map<string, Message>()
  let opened: Broker | undefined
  return {
    get published() {
      return [...published.values()]
    },
    broker() {
      if (opened === undefined) throw new Error('The broker has not been opened yet')
      return opened
    },
    engine: {
      description: inner.description,
      async open(options) {
        const broker = await inner.open(options)
        opened = {
          description: broker.description,
          async publish(messages) {
            const outcomes = await broker.publish(messages)
            for (const [index, message] of messages.entries()) if (outcomes[index]!.kind !== 'failed') published.set(message.id, message)
            return outcomes
          },
          subscribe: (subscription) => broker.subscribe(subscription),
          status: () => broker.status(),
          close: () => broker.close(),
        }
        return opened
      },
    },
  }
}
