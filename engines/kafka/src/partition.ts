/** One partition while it is ours: what was read of it and waits to be delivered. Who gets it after us begins with an object of his own. */
import type { KafkaRecord, RecordsBatch } from '@platformatic/kafka'
import type { Takeover } from './offsets.ts'
import { PartitionOffsets } from './offsets.ts'

/** Markers of transactions: no messages. */
const IS_CONTROL = 0b10_0000

export type Batch = Pick<RecordsBatch, 'attributes' | 'firstOffset' | 'lastOffsetDelta' | 'records'>

export interface Waiting {
  readonly offset: bigint
  readonly record: KafkaRecord
}

export class Partition {
  readonly topic: string
  readonly partition: number
  readonly offsets: PartitionOffsets
  /** Read and not delivered, oldest first. */
  readonly waiting: Waiting[] = []
  /** Where the next read begins. */
  readFrom: bigint
  /** It belongs to another instance now, or to nobody: what is still in hand is his to deliver again. */
  lost = false

  constructor(topic: string, partition: number, takeover: Takeover) {
    this.topic = topic
    this.partition = partition
    this.offsets = new PartitionOffsets(takeover)
    this.readFrom = this.offsets.start
  }

  /** Takes what Kafka has answered. It gives whole batches: their beginning may lie before what was asked for. */
  read(batches: readonly Batch[]): void {
    for (const batch of batches) {
      if ((batch.attributes & IS_CONTROL) === 0)
        for (const record of batch.records) {
          const offset = batch.firstOffset + BigInt(record.offsetDelta)
          if (offset >= this.readFrom) this.waiting.push({ offset, record })
        }
      const after = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
      if (after > this.readFrom) this.readFrom = after
    }
  }

  lose(): void {
    this.lost = true
    this.waiting.length = 0
  }
}
