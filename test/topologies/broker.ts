/** A corner of the RabbitMQ of this run for one test: exchange and queues have names that no other test uses, and go with it. */
import { randomBytes } from 'node:crypto'
import { connect } from 'amqplib'

export interface BrokerCorner extends AsyncDisposable {
  /** What BROKER_URL or RABBITMQ_URL is set to. */
  readonly url: string
}

/** `consumers` are the services whose queues are deleted at the end. */
export function createBrokerCorner(consumers: readonly string[]): BrokerCorner {
  const prefix = `test-${randomBytes(4).toString('hex')}`
  const url = new URL(rabbitmqUrl())
  url.searchParams.set('prefix', prefix)
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      const connection = await connect(rabbitmqUrl())
      const channel = await connection.createChannel()
      for (const consumer of consumers) await channel.deleteQueue(`${prefix}.${consumer}`)
      await channel.deleteExchange(prefix)
      await connection.close()
    },
  }
}

export function rabbitmqUrl(): string {
  const url = process.env['SKERRY_TEST_RABBITMQ_URL']
  if (url === undefined) throw new Error('SKERRY_TEST_RABBITMQ_URL is not set: run through vitest, whose global setup starts a broker')
  return url
}
