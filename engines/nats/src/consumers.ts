/** What NATS knows of a stream and all who consume it, ours or not. Asked of a cluster, a list may lack those whose servers did not answer. */
import type { ConsumerInfo, JetStreamManager, StreamInfo } from '@nats-io/jetstream'
import { AckPolicy } from '@nats-io/jetstream'
import { takes } from './names.ts'

export interface Consumed {
  /** As it was before the consumers were asked. */
  readonly stream: StreamInfo
  readonly consumers: readonly ConsumerInfo[]
}

/** Rejects when not all consumers are known. */
export async function consumed(jsm: JetStreamManager, name: string): Promise<Consumed> {
  const stream = await jsm.streams.info(name)
  const consumers: ConsumerInfo[] = []
  for await (const info of jsm.consumers.list(name)) consumers.push(info)
  const { consumer_count: expected } = stream.state
  if (consumers.length < expected) throw new Error(`only ${consumers.length} of ${expected} consumers of stream "${name}" are known`)
  return { stream, consumers }
}

export function wants({ config }: ConsumerInfo, subject: string): boolean {
  return (config.filter_subjects ?? [config.filter_subject ?? '>']).some((filter) => takes(filter, subject))
}

/** The number of the last message up to which the consumer needs nothing any more, of those up to `last`, asked for before it. */
export function doneUpTo(
  { config, delivered, ack_floor: floor, num_ack_pending: unanswered, num_pending: waiting }: ConsumerInfo,
  last: number,
): number {
  if (config.ack_policy !== AckPolicy.None && unanswered > 0) return floor.stream_seq
  return waiting === 0 ? last : delivered.stream_seq
}
