/** Cases: consumers that are slow, queues that are full, messages that come twice and in the wrong order. */
import { strict as assert } from 'node:assert'
import { seededRandom } from '../../base/random.ts'
import type { Broker, Message, PublishOutcome } from '../../engine/broker.ts'
import { assertConfirmed } from './broker-scene.ts'
import type { FaultCase } from './fault-scene.ts'
import { consumersOf, eventually, faultCase, faultCaseOf, publishUntilConfirmed, settled } from './fault-scene.ts'

export const pressure: readonly FaultCase[] = [
  faultCase('a slow consumer has no more in hand than its prefetch, holds back no other, and loses nothing', async (scene) => {
    const [topic, slow, fast] = [scene.name('topic'), scene.name('slow'), scene.name('fast')]
    const broker = await scene.open([
      { name: slow, topics: [topic] },
      { name: fast, topics: [topic] },
    ])
    const slowly = await scene.record(broker, slow, [topic], { prefetch: 5, handle: (_, recorder) => recorder.held() })
    const quickly = await scene.record(broker, fast, [topic], { prefetch: 50 })
    const sent = scene.messages(topic, 1_000)
    const publishing = broker.publish(sent)
    await eventually('the fast one has them all', () => quickly.deliveries.length >= sent.length)
    await eventually('the slow one is at work', () => slowly.inProgress === 5)
    assert.equal(slowly.deliveries.length, 5)
    slowly.release()
    assertConfirmed(await publishing)
    await eventually('the slow one has them all', () => slowly.deliveries.length >= sent.length)
    assert.equal(slowly.mostInProgress, 5)
    for (const { ids } of [slowly, quickly]) assert.deepEqual(ids.toSorted(), sent.map(({ id }) => id).toSorted())
  }),

  faultCaseOf('capacity', 'a full queue refuses, and takes what it has refused when there is room', async (scene, { engine, limit }) => {
    const ledger = await scene.ledger()
    const broker = await scene.openOn(engine, { consumers: consumersOf(ledger) })
    await eventually('the consumer is declared', () => broker.status().up)
    await limit(ledger.service)
    let confirmed = 0
    const refused: PublishOutcome[] = []
    const room = Promise.withResolvers<void>()
    const publishing = Promise.all(
      Array.from({ length: 300 }, async (_, nr) => {
        const message = ledger.next(`key ${nr}`)
        const [outcome] = await broker.publish([message])
        if (outcome!.kind === 'confirmed') confirmed++
        else {
          refused.push(outcome!)
          await room.promise
          await publishUntilConfirmed(broker, [message])
        }
      }),
    )
    publishing.catch(() => undefined)
    await eventually('the queue is full', () => refused.length >= 200)
    assert.ok(confirmed < 100, `a full queue has confirmed ${confirmed} messages`)
    for (const outcome of refused) assert.equal(outcome.kind, 'failed', 'a full queue is no reason to give up')
    scene.consume(ledger, broker)
    room.resolve()
    await publishing
    await settled(ledger)
  }),

  faultCase('messages that come twice, late and in the wrong order take effect once and in order', async (scene) => {
    const ledger = await scene.ledger()
    const random = seededRandom(4_711)
    const broker = await scene.open(consumersOf(ledger))
    const unsteady = forgetful(broker, () => random.next() < 0.3)
    scene.consume(ledger, unsteady)
    const keys = Array.from({ length: 10 }, (_, key) => `key ${key}`)
    const sent = ledger.batch(keys, 20)
    // Neighbours change places, and what was published is published again.
    const places = sent.map((message, index) => ({ message, place: index + random.next() * 60 }))
    const disordered: Message[] = places.toSorted((a, b) => a.place - b.place).map(({ message }) => message)
    const again = disordered.filter(() => random.next() < 0.3).map((message) => ({ ...message, redelivered: true }))
    await publishUntilConfirmed(broker, [...disordered, ...again])
    await settled(ledger)
    await eventually('what was delivered again has been answered', () => unsteady.owing === 0)
    assert.ok(unsteady.forgotten > 20, `only ${unsteady.forgotten} deliveries were made twice`)
    await ledger.verify()
  }),
]

/** A broker to which some answers are lost: it delivers again what has been handled. */
function forgetful(broker: Broker, forgets: () => boolean) {
  const forgotten = new Set<string>()
  const owing = new Set<string>()
  return {
    description: broker.description,
    get forgotten() {
      return forgotten.size
    },
    /** How many have not been delivered again yet. */
    get owing() {
      return owing.size
    },
    publish: (messages: readonly Message[]) => broker.publish(messages),
    subscribe: (options: Parameters<Broker['subscribe']>[0]) =>
      broker.subscribe({
        ...options,
        async handle(delivery) {
          const { id } = delivery.message
          const disposition = await options.handle(delivery)
          if (forgotten.has(id) || !forgets()) {
            owing.delete(id)
            return disposition
          }
          forgotten.add(id)
          owing.add(id)
          return 'requeue'
        },
      }),
    status: () => broker.status(),
    close: () => broker.close(),
  } satisfies Broker & { forgotten: number; owing: number }
}
