/** `@skerry/kafka`: the broker port on Kafka. Not yet run against Apache Kafka itself: see the README of the package. */
export { kafka } from './kafka.ts'
export type { KafkaOptions } from './settings.ts'
