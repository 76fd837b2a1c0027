/** `@skerry/rabbitmq`: the broker port on RabbitMQ 3.10 and later. */
export { rabbitmq } from './rabbitmq.ts'
export type { RabbitmqOptions } from './settings.ts'
