/** Cases: each message reaches each of its consumers, as it was published and in order. */
import { strict as assert } from 'node:assert'
import type { BrokerEngine, Disposition, Message } from '../../engine/broker.ts'
import { assertConfirmed, brokerCase, until } from './broker-scene.ts'
import type { ConformanceCase } from './conformance-case.ts'

export const delivering: readonly ConformanceCase<BrokerEngine>[] = [
  brokerCase('a message arrives as it was published', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const consumer = await scene.record(broker, name, [topic])
    const sent = scene.message(topic, { type: 'orders.order-placed', key: 'order 4711' })

    assertConfirmed(await broker.publish([sent]))
    await until('the message arrives', () => consumer.deliveries.length > 0)

    const { message, redelivered } = consumer.deliveries[0]!
    const { id, type, key, body } = message
    assert.deepEqual({ id, topic: message.topic, type, key, body }, { id: sent.id, topic, type: sent.type, key: sent.key, body: sent.body })
    assert.equal(redelivered, false)
  }),

  brokerCase('messages cross by value: the publisher’s later changes are not seen, and consumers cannot make any', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const sent = { ...scene.message(topic) }
    const outcomes = broker.publish([sent])
    const body = sent.body
    sent.body = 'changed'
    const consumer = await scene.record(broker, name, [topic])
    assertConfirmed(await outcomes)
    await until('the message arrives', () => consumer.deliveries.length > 0)
    const { message } = consumer.deliveries[0]!
    assert.equal(message.body, body)
    assert.ok(Object.isFrozen(message), 'a delivered message is frozen')
  }),

  brokerCase('each consumer of a topic gets each of its messages, and no others', async (scene) => {
    const [topic, otherTopic] = [scene.name('topic'), scene.name('topic')]
    const [first, second, other] = [scene.name('first'), scene.name('second'), scene.name('other')]
    const broker = await scene.open([
      { name: first, topics: [topic] },
      { name: second, topics: [topic] },
      { name: other, topics: [otherTopic] },
    ])
    const recorders = [
      await scene.record(broker, first, [topic]),
      await scene.record(broker, second, [topic]),
      await scene.record(broker, other, [otherTopic]),
    ]
    const sent = scene.messages(topic, 20)
    const sentToOther = scene.messages(otherTopic, 20)
    assertConfirmed(await broker.publish([...sent, ...sentToOther]))
    await until('all arrive', () => recorders.every(({ deliveries }) => deliveries.length >= 20))
    const expected = [sent, sent, sentToOther].map((messages) => messages.map(({ id }) => id))
    assert.deepEqual(
      recorders.map(({ ids }) => ids.toSorted()),
      expected.map((ids) => ids.toSorted()),
    )
  }),

  brokerCase('a consumer of several topics gets them all, each message with its topic', async (scene) => {
    const [one, two, name] = [scene.name('one'), scene.name('two'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [one, two] }])
    const consumer = await scene.record(broker, name, [one, two])
    const sent = [scene.message(one), scene.message(two), scene.message(one)]
    assertConfirmed(await broker.publish(sent))
    await until('all arrive', () => consumer.deliveries.length >= 3)
    assert.deepEqual(
      consumer.deliveries.map(({ message }) => `${message.topic} ${message.id}`).toSorted(),
      sent.map(({ topic, id }) => `${topic} ${id}`).toSorted(),
    )
  }),

  brokerCase('instances of one consumer share its messages, if only by their keys', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const consumers = [{ name, topics: [topic] }]
    const [here, there] = [await scene.open(consumers), await scene.open(consumers)]
    const instances = await Promise.all(
      [here, there].map((broker) => scene.record(broker, name, [topic], { prefetch: 1, handle: (_, recorder) => recorder.held() })),
    )
    const sent = keyed(scene.messages(topic, 20))
    const outcomes = here.publish(sent)
    await until('both instances have a message in hand', () => instances.every(({ inProgress }) => inProgress === 1))
    for (const instance of instances) instance.release()
    assertConfirmed(await outcomes)
    await until('all arrive', () => instances.flatMap(({ ids }) => ids).length >= 20)
    assert.deepEqual(instances.flatMap(({ ids }) => ids).toSorted(), sent.map(({ id }) => id).toSorted())
  }),

  brokerCase('two subscriptions of one consumer in one process share its messages, if only by their keys', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const hold = { prefetch: 1, handle: (_: unknown, recorder: { held(): Promise<Disposition> }) => recorder.held() }
    const both = [await scene.record(broker, name, [topic], hold), await scene.record(broker, name, [topic], hold)]
    const sent = keyed(scene.messages(topic, 20))
    const outcomes = broker.publish(sent)
    await until('both have a message in hand', () => both.every(({ inProgress }) => inProgress === 1))
    for (const one of both) one.release()
    assertConfirmed(await outcomes)
    await until('all arrive', () => both.flatMap(({ ids }) => ids).length >= 20)
    assert.deepEqual(both.flatMap(({ ids }) => ids).toSorted(), sent.map(({ id }) => id).toSorted())
  }),

  brokerCase('a declared consumer gets what was published before it subscribed', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const sent = scene.messages(topic, 10)
    const outcomes = broker.publish(sent)
    const consumer = await scene.record(broker, name, [topic])
    assertConfirmed(await outcomes)
    await until('all arrive', () => consumer.deliveries.length >= 10)
    assert.deepEqual(
      consumer.ids,
      sent.map(({ id }) => id),
    )
  }),

  brokerCase('a consumer that only subscribes gets messages too', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([])
    const consumer = await scene.record(broker, name, [topic])
    assertConfirmed(await broker.publish([scene.message(topic)]))
    await until('it arrives', () => consumer.deliveries.length > 0)
  }),

  brokerCase('one consumer with a prefetch of 1 gets the messages in the order of publishing', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const consumer = await scene.record(broker, name, [topic], { prefetch: 1 })
    const sent = scene.messages(topic, 300)
    const calls = [sent.slice(0, 120), sent.slice(120, 121), sent.slice(121)].map((messages) => broker.publish(messages))
    assertConfirmed((await Promise.all(calls)).flat())
    await until('all arrive', () => consumer.deliveries.length >= 300)
    assert.deepEqual(
      consumer.ids,
      sent.map(({ id }) => id),
    )
  }),

  brokerCase('publishers at the same time each keep their own order', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const consumer = await scene.record(broker, name, [topic], { prefetch: 1 })
    const publishers = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const own = scene.messages(topic, 60)
        for (let from = 0; from < own.length; from += 20) assertConfirmed(await broker.publish(own.slice(from, from + 20)))
        return own.map(({ id }) => id)
      }),
    )
    await until('all arrive', () => consumer.deliveries.length >= 240)
    for (const own of publishers)
      assert.deepEqual(
        consumer.ids.filter((id) => own.includes(id)),
        own,
      )
  }),

  brokerCase('a thousand messages arrive although every tenth is given back at first', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const sent = scene.messages(topic, 1_000)
    const refused = new Set(sent.filter((_, index) => index % 10 === 0).map(({ id }) => id))
    const consumer = await scene.record(broker, name, [topic], {
      prefetch: 100,
      handle: async ({ message }) => (refused.delete(message.id) ? 'requeue' : 'ack'),
    })
    assertConfirmed(await broker.publish(sent))
    await until('all arrive', () => consumer.deliveries.length >= 1_100)
    assert.deepEqual([...new Set(consumer.ids)].toSorted(), sent.map(({ id }) => id).toSorted())
    assert.equal(consumer.deliveries.filter(({ redelivered }) => redelivered).length, 100)
  }),

  brokerCase('a large body arrives whole', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const consumer = await scene.record(broker, name, [topic])
    const body = JSON.stringify({ specversion: '1.0', data: 'ä1'.repeat(350_000) })
    const [large, small] = [scene.message(topic, { body }), scene.message(topic)]
    assertConfirmed(await broker.publish([large, small]))
    await until('both arrive', () => consumer.deliveries.length >= 2)
    assert.equal(consumer.deliveries.find(({ message }) => message.id === large.id)?.message.body, body)
  }),

  brokerCase('text of every language arrives, in body, key and type', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const consumer = await scene.record(broker, name, [topic])
    const text = 'Ægir 🐟 東京 \u0000 \u2028 "quoted" \\ עברית'
    const sent = scene.message(topic, { key: text, type: text, body: JSON.stringify({ text }) })
    assertConfirmed(await broker.publish([sent]))
    await until('it arrives', () => consumer.deliveries.length > 0)
    const { key, type, body } = consumer.deliveries[0]!.message
    assert.deepEqual({ key, type, body }, { key: text, type: text, body: sent.body })
  }),

  brokerCase('what a contract promises to foreign consumers does not disturb our own', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const consumer = await scene.record(broker, name, [topic])
    const amqp = { queue: scene.name('foreign'), durable: true, data: '{}' }
    const sent = Array.from({ length: 5 }, () => scene.message(topic, { bindings: { amqp } }))
    assertConfirmed(await broker.publish(sent))
    await until('all arrive', () => consumer.deliveries.length >= 5)
    assert.deepEqual(
      consumer.ids,
      sent.map(({ id }) => id),
    )
  }),
]

/** Each with a key of its own: an engine may give all messages of one key to one instance. */
function keyed(messages: readonly Message[]): Message[] {
  return messages.map((message) => ({ ...message, key: message.id }))
}
