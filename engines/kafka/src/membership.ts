/**
 * One membership of a consumer's group, from its joining to its end: which partitions are ours, reading them, and telling the group how far we are.
 * Partitions change hands as a whole. Those that stay ours keep their books; those that come begin with what the group has committed.
 */
import type { Consumer, GroupAssignment } from '@platformatic/kafka'
import type { Timer } from 'skerry/engine'
import { within } from 'skerry/engine'
import { endClient, openAdmin, openConsumer } from './clients.ts'
import { groupOf, topicNameOf } from './names.ts'
import { Partition } from './partition.ts'
import { Reader } from './reader.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'

/** Commits of so long, in milliseconds, go together. What was settled and not committed comes again when a process dies. */
const COMMIT_DELAY_MS = 50
const CLOSE_TIMEOUT_MS = 5_000
const EARLIEST = -2n
const LATEST = -1n

export class Membership {
  readonly #settings: Settings
  readonly #consumer: string
  readonly #topics: readonly string[]
  readonly #onWork: () => void
  readonly #end = Promise.withResolvers<never>()
  readonly #member: Consumer
  readonly #readingClient: Consumer
  readonly #reader: Reader
  #partitions: readonly Partition[] = []
  #joins = 0
  #committing: Promise<void> | undefined
  #commitTimer: Timer | undefined

  /** `onWork` is told when something can be delivered. */
  constructor(settings: Settings, { name, topics }: { readonly name: string; readonly topics: readonly string[] }, onWork: () => void) {
    this.#settings = settings
    this.#consumer = name
    this.#topics = topics.map((topic) => topicNameOf(settings.prefix, topic))
    this.#onWork = onWork
    this.#end.promise.catch(() => undefined)
    const group = groupOf(settings.prefix, name)
    this.#member = openConsumer(settings, group)
    this.#readingClient = openConsumer(settings, group)
    this.#reader = new Reader(this.#readingClient, this.#topics, { onRead: onWork, onEnd: this.#end.reject })
    for (const client of [this.#member, this.#readingClient]) client.on('error', this.#end.reject)
    this.#member.on('consumer:heartbeat:stalled', ({ lastError, stalledFor }) =>
      this.#end.reject(lastError ?? new Error(`it has heard nothing of its group for ${stalledFor} ms`)),
    )
  }

  /** Ours, in no order. */
  get partitions(): readonly Partition[] {
    return this.#partitions
  }

  /** Rejects when the membership is over. */
  get end(): Promise<never> {
    return this.#end.promise
  }

  /** Resolves when it is known which partitions are ours, and they are read. */
  async join(topology: Topology): Promise<void> {
    const admin = openAdmin(this.#settings)
    try {
      await topology.declareAll(admin)
    } finally {
      await endClient(this.#settings, admin)
    }
    const joined = Promise.withResolvers<void>()
    this.#member.on('consumer:group:join', () => {
      this.#assigned(this.#member.assignments ?? []).then(joined.resolve, this.#end.reject)
    })
    this.#member.topics.trackAll(...this.#topics)
    await Promise.race([this.#member.joinGroup({}), this.end])
    await Promise.race([joined.promise, this.end])
  }

  /** There is room for more deliveries, and perhaps something to commit. */
  settled(): void {
    this.#reader.readOn()
    this.#commitTimer ??= this.#settings.clock.setTimer(COMMIT_DELAY_MS, () => {
      this.#commitTimer = undefined
      void this.#commit()
    })
  }

  /** Tells the group how far we are, and leaves it: its other members take over at once. */
  async close(): Promise<void> {
    this.#reader.close()
    this.#commitTimer?.cancel()
    const { clock } = this.#settings
    await within(
      clock,
      CLOSE_TIMEOUT_MS,
      Promise.resolve(this.#committing).then(() => this.#commit()),
    )
    for (const partition of this.#partitions) partition.lose()
    this.#partitions = []
    await Promise.all([endClient(this.#settings, this.#member), endClient(this.#settings, this.#readingClient)])
  }

  async #assigned(assignments: readonly GroupAssignment[]): Promise<void> {
    const join = ++this.#joins
    const ours = (topic: string, partition: number): boolean =>
      assignments.some((assignment) => assignment.topic === topic && assignment.partitions.includes(partition))
    // At once: what is read of them from now on is for somebody else.
    for (const partition of this.#partitions) if (!ours(partition.topic, partition.partition)) partition.lose()
    this.#partitions = this.#partitions.filter(({ lost }) => !lost)
    const added = assignments
      .map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.filter((number) => !this.#partitions.some((each) => each.topic === topic && each.partition === number)),
      }))
      .filter(({ partitions }) => partitions.length > 0)
    const taken = added.length === 0 ? [] : await this.#takeOver(added)
    // It has changed again meanwhile, and whoever saw to that has taken over what is ours now.
    if (join !== this.#joins) return
    this.#partitions = [...this.#partitions, ...taken]
    this.#reader.assign(this.#partitions)
    this.#onWork()
  }

  async #takeOver(added: readonly GroupAssignment[]): Promise<Partition[]> {
    const topics = added.map(({ topic }) => topic)
    const partitions = Object.fromEntries(added.map(({ topic, partitions: numbers }) => [topic, numbers]))
    const committed = await this.#member.listCommittedOffsets({ topics: [...added] })
    const [earliest, end] = [
      await this.#member.listOffsets({ topics, partitions, timestamp: EARLIEST }),
      await this.#member.listOffsets({ topics, partitions, timestamp: LATEST }),
    ]
    return added.flatMap(({ topic, partitions: numbers }) =>
      numbers.map((number) => {
        const known = { committed: committed.get(topic)?.[number], earliest: earliest.get(topic)?.[number], end: end.get(topic)?.[number] }
        if (known.earliest === undefined || known.end === undefined)
          throw new Error(`Kafka does not say what partition ${number} of topic "${topic}" holds`)
        const partition = new Partition(topic, number, { committed: known.committed, earliest: known.earliest, end: known.end })
        this.#warnOfLoss(partition)
        return partition
      }),
    )
  }

  #warnOfLoss({ topic, partition, offsets: { lost } }: Partition): void {
    if (lost > 0n)
      this.#settings.onWarning(
        `${lost} messages of topic "${topic}", partition ${partition}, were deleted before consumer "${this.#consumer}" had handled them: ` +
          'it was away for longer than the topic keeps messages (retention.ms).',
      )
  }

  async #commit(): Promise<void> {
    if (this.#committing !== undefined) return
    const due = this.#partitions.flatMap((partition) => {
      const offset = partition.offsets.commit()
      return offset === undefined ? [] : [{ partition, offset }]
    })
    if (due.length === 0) return
    const offsets = due.map(({ partition: { topic, partition }, offset }) => ({ topic, partition, offset, leaderEpoch: -1 }))
    this.#committing = this.#member.commit({ offsets }).then(
      () => {
        for (const { partition, offset } of due) partition.offsets.committed(offset)
        this.#onWork()
      },
      () => {
        // The group is about to change, or its coordinator is: both come to an end, or end the membership.
        for (const { partition } of due) partition.offsets.notCommitted()
        this.settled()
      },
    )
    await this.#committing
    this.#committing = undefined
    if (this.#partitions.some(({ offsets: books }) => books.isAhead)) this.settled()
  }
}
