/**
 * Reads the partitions that are ours, one open request per server. A partition is left out while enough of it waits to be delivered: a consumer
 * that is stuck costs no memory, and holds back none of its other partitions for long.
 */
import type { Consumer } from '@platformatic/kafka'
import type { Partition } from './partition.ts'

/** How much of one partition is read in one go, in bytes; one larger message comes alone. */
const MAX_PARTITION_BYTES = 1_024 * 1_024
/** How many messages of a partition may wait: with fewer it is read on. */
const ENOUGH_WAITING = 100

export interface ReaderEvents {
  /** Something was read. */
  readonly onRead: () => void
  /** Nothing will be read any more. */
  readonly onEnd: (error: unknown) => void
}

export class Reader {
  readonly #client: Consumer
  readonly #events: ReaderEvents
  #partitions: readonly Partition[] = []
  /** Servers with an open request. */
  readonly #open = new Set<number>()
  #looking = false
  #ended = false

  /** `client` reads and does nothing else: an open request holds up what is sent behind it. */
  constructor(client: Consumer, topics: readonly string[], events: ReaderEvents) {
    this.#client = client
    this.#events = events
    client.topics.trackAll(...topics)
  }

  /** Reads these from now on, and no others. */
  assign(partitions: readonly Partition[]): void {
    this.#partitions = partitions
    this.readOn()
  }

  /** There is room. */
  readOn(): void {
    if (this.#looking || this.#ended || !this.#partitions.some(wanted)) return
    this.#looking = true
    this.#client.metadata({ topics: this.#client.topics.current }).then(
      ({ topics }) => {
        this.#looking = false
        const byServer = Map.groupBy(
          this.#partitions.filter(wanted),
          ({ topic, partition }) => topics.get(topic)?.partitions[partition]?.leader ?? -1,
        )
        for (const [server, partitions] of byServer) {
          if (this.#open.has(server) || this.#ended) continue
          const ids = new Map(partitions.map(({ topic }) => [topics.get(topic)?.id ?? topic, topic]))
          void this.#read(server, ids, partitions)
        }
      },
      (error: unknown) => this.#end(error),
    )
  }

  close(): void {
    this.#ended = true
  }

  async #read(server: number, topicsById: ReadonlyMap<string, string>, partitions: readonly Partition[]): Promise<void> {
    this.#open.add(server)
    try {
      const { responses } = await this.#client.fetch({
        node: server,
        topics: [...topicsById].map(([topicId, topic]) => ({
          topicId,
          partitions: partitions
            .filter((each) => each.topic === topic)
            .map(({ partition, readFrom }) => ({
              partition,
              fetchOffset: readFrom,
              partitionMaxBytes: MAX_PARTITION_BYTES,
              currentLeaderEpoch: -1,
              lastFetchedEpoch: -1,
            })),
        })),
      })
      for (const { topicId, partitions: answers } of responses)
        for (const answer of answers)
          partitions
            .find((each) => !each.lost && each.topic === topicsById.get(topicId) && each.partition === answer.partitionIndex)
            ?.read(answer.records ?? [])
      this.#open.delete(server)
      this.#events.onRead()
      this.readOn()
    } catch (error) {
      this.#end(error)
    }
  }

  #end(error: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#events.onEnd(error)
  }
}

function wanted({ lost, waiting }: Partition): boolean {
  return !lost && waiting.length < ENOUGH_WAITING
}
