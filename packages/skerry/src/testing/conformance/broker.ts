/**
 * What a broker engine must do: take responsibility before it confirms, bring each message to each consumer at least once, hold to
 * prefetch and order, and end cleanly. Consumers and topics are new in every case, so the cases may share one broker.
 */
import { strict as assert } from 'node:assert'
import type { BrokerEngine, Disposition, PublishOutcome } from '../../engine/broker.ts'
import { assertConfirmed, brokerCase, kinds, until } from './broker-scene.ts'
import type { ConformanceCase } from './conformance-case.ts'

const delivering: ConformanceCase<BrokerEngine>[] = [
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

  brokerCase('instances of one consumer share its messages', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const consumers = [{ name, topics: [topic] }]
    const [here, there] = [await scene.open(consumers), await scene.open(consumers)]
    const instances = await Promise.all(
      [here, there].map((broker) => scene.record(broker, name, [topic], { prefetch: 1, handle: (_, recorder) => recorder.held() })),
    )
    const sent = scene.messages(topic, 20)
    const outcomes = here.publish(sent)
    await until('both instances have a message in hand', () => instances.every(({ inProgress }) => inProgress === 1))
    for (const instance of instances) instance.release()
    assertConfirmed(await outcomes)
    await until('all arrive', () => instances.flatMap(({ ids }) => ids).length >= 20)
    assert.deepEqual(instances.flatMap(({ ids }) => ids).toSorted(), sent.map(({ id }) => id).toSorted())
  }),

  brokerCase('two subscriptions of one consumer in one process share its messages', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const hold = { prefetch: 1, handle: (_: unknown, recorder: { held(): Promise<Disposition> }) => recorder.held() }
    const both = [await scene.record(broker, name, [topic], hold), await scene.record(broker, name, [topic], hold)]
    const sent = scene.messages(topic, 20)
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

const answering: ConformanceCase<BrokerEngine>[] = [
  brokerCase('a message given back is delivered again, marked as such', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    let answers = 0
    const consumer = await scene.record(broker, name, [topic], { handle: async () => (++answers < 3 ? 'requeue' : 'ack') })
    const sent = scene.message(topic)
    assertConfirmed(await broker.publish([sent]))
    await until('it was delivered three times', () => consumer.deliveries.length >= 3)
    assert.deepEqual(consumer.ids, [sent.id, sent.id, sent.id])
    assert.deepEqual(
      consumer.deliveries.map(({ redelivered }) => redelivered),
      [false, true, true],
    )
  }),

  brokerCase('a handler that throws or rejects gets its message again', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    let answers = 0
    const consumer = await scene.record(broker, name, [topic], {
      handle: async () => {
        if (++answers === 1) throw new Error('as handlers must not')
        return 'ack'
      },
    })
    assertConfirmed(await broker.publish([scene.message(topic)]))
    await until('it was delivered twice', () => consumer.deliveries.length >= 2)
    assert.equal(consumer.deliveries[1]!.redelivered, true)
  }),

  brokerCase('a message that its publisher has sent before arrives as redelivered', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const consumer = await scene.record(broker, name, [topic])
    assertConfirmed(await broker.publish([scene.message(topic, { redelivered: true }), scene.message(topic, { redelivered: false })]))
    await until('both arrive', () => consumer.deliveries.length >= 2)
    assert.deepEqual(
      consumer.deliveries.map(({ redelivered }) => redelivered),
      [true, false],
    )
  }),

  brokerCase('no more than the prefetch are in progress', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const [probeTopic, probeName] = [scene.name('probe'), scene.name('probe')]
    const broker = await scene.open([
      { name, topics: [topic] },
      { name: probeName, topics: [probeTopic] },
    ])
    const consumer = await scene.record(broker, name, [topic], { prefetch: 5, handle: (_, recorder) => recorder.held() })
    const probe = await scene.record(broker, probeName, [probeTopic])
    const outcomes = broker.publish(scene.messages(topic, 20))
    for (let answered = 0; answered < 20; answered++) {
      const delivered = Math.min(20, answered + 5)
      await until(`${delivered} are delivered`, () => consumer.deliveries.length >= delivered)
      // Whatever else was on its way before this has arrived after it.
      if (answered < 3) {
        assertConfirmed(await broker.publish([scene.message(probeTopic)]))
        await until('the probe arrives', () => probe.deliveries.length > answered)
      }
      consumer.answer('ack')
    }
    assertConfirmed(await outcomes)
    assert.equal(consumer.mostInProgress, 5)
    assert.equal(consumer.deliveries.length, 20)
  }),
]

const confirming: ConformanceCase<BrokerEngine>[] = [
  brokerCase('a topic that no consumer names is unroutable, and its neighbours are confirmed in their places', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    await scene.record(broker, name, [topic])
    const nobodys = scene.name('nobodys')
    const outcomes = await broker.publish([topic, nobodys, topic, nobodys, nobodys].map((each) => scene.message(each)))
    assert.deepEqual(kinds(outcomes), ['confirmed', 'unroutable', 'confirmed', 'unroutable', 'unroutable'])
  }),

  brokerCase('no messages have no outcomes', async (scene) => {
    const broker = await scene.open([])
    assert.deepEqual(await broker.publish([]), [])
  }),

  brokerCase('a confirmed message survives the connections of its publisher and its consumer', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const consumers = [{ name, topics: [topic] }]
    const broker = await scene.open(consumers)
    const failing = await scene.record(broker, name, [topic], { handle: (_, recorder) => recorder.held() })
    const sent = scene.message(topic)
    const publishing = broker.publish([sent])
    await until('it is in progress', () => failing.inProgress === 1)
    const closing = broker.close()
    failing.answer('requeue')
    await closing
    const [outcome] = await publishing

    // An engine that takes responsibility later than this has not confirmed: then the publisher still has it.
    const later = await scene.open(consumers)
    const consumer = await scene.record(later, name, [topic])
    if (outcome?.kind === 'failed') assertConfirmed(await later.publish([sent]))
    else assert.deepEqual(outcome, { kind: 'confirmed' })
    await until('it arrives', () => consumer.deliveries.length > 0)
    assert.deepEqual(consumer.ids, [sent.id])
  }),

  brokerCase('a consumer that does not answer holds back nobody else', async (scene) => {
    const [slowTopic, fastTopic, slow, fast] = [scene.name('slow'), scene.name('fast'), scene.name('slow'), scene.name('fast')]
    const broker = await scene.open([
      { name: slow, topics: [slowTopic] },
      { name: fast, topics: [fastTopic] },
    ])
    const stuck = await scene.record(broker, slow, [slowTopic], { prefetch: 1, handle: (_, recorder) => recorder.held() })
    const consumer = await scene.record(broker, fast, [fastTopic])
    const outcomes = broker.publish(scene.messages(slowTopic, 10))
    await until('the slow one is at work', () => stuck.inProgress === 1)
    assertConfirmed(await broker.publish(scene.messages(fastTopic, 10)))
    await until('all of the fast one arrive', () => consumer.deliveries.length >= 10)
    stuck.release()
    assertConfirmed(await outcomes)
  }),

  brokerCase('a handler may publish', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const [nextTopic, nextName] = [scene.name('next'), scene.name('next')]
    const broker = await scene.open([
      { name, topics: [topic] },
      { name: nextName, topics: [nextTopic] },
    ])
    const published: PublishOutcome[] = []
    const next = await scene.record(broker, nextName, [nextTopic])
    await scene.record(broker, name, [topic], {
      handle: async () => {
        published.push(...(await broker.publish([scene.message(nextTopic)])))
        return 'ack'
      },
    })
    assertConfirmed(await broker.publish(scene.messages(topic, 50)))
    await until('every message has led to another', () => next.deliveries.length >= 50 && published.length >= 50)
    assertConfirmed(published)
  }),
]

const ending: ConformanceCase<BrokerEngine>[] = [
  brokerCase('a closed subscription takes no more, waits for what is in progress, and leaves the rest to the next', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const [probeTopic, probeName] = [scene.name('probe'), scene.name('probe')]
    const broker = await scene.open([
      { name, topics: [topic] },
      { name: probeName, topics: [probeTopic] },
    ])
    const consumer = await scene.record(broker, name, [topic], { prefetch: 2, handle: (_, recorder) => recorder.held() })
    const probe = await scene.record(broker, probeName, [probeTopic])
    const sent = scene.messages(topic, 6)
    const outcomes = broker.publish(sent)
    await until('two are in progress', () => consumer.inProgress === 2)

    let closed = false
    const closing = consumer.subscription.close().then(() => (closed = true))
    consumer.answer('ack')
    assertConfirmed(await broker.publish([scene.message(probeTopic)]))
    await until('the probe arrives', () => probe.deliveries.length > 0)
    assert.equal(closed, false, 'close() must wait for the delivery in progress')
    assert.equal(consumer.deliveries.length, 2, 'a closing subscription must take nothing new')
    consumer.answer('requeue')
    await closing

    const next = await scene.record(broker, name, [topic])
    assertConfirmed(await outcomes)
    await until('the rest arrives', () => next.deliveries.length >= 5)
    assert.equal(consumer.deliveries.length, 2)
    const [done] = consumer.ids
    assert.deepEqual(
      next.ids.toSorted(),
      sent
        .map(({ id }) => id)
        .filter((id) => id !== done)
        .toSorted(),
    )
    assert.equal(next.deliveries.find(({ message }) => message.id === consumer.ids[1])?.redelivered, true)
  }),

  brokerCase('close() waits for what is in progress and takes its answer', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const consumers = [{ name, topics: [topic] }]
    const broker = await scene.open(consumers)
    const consumer = await scene.record(broker, name, [topic], { handle: (_, recorder) => recorder.held() })
    const outcomes = broker.publish([scene.message(topic)])
    await until('it is in progress', () => consumer.inProgress === 1)

    let closed = false
    const closing = broker.close().then(() => (closed = true))
    const other = await scene.open(consumers)
    const marker = scene.message(topic)
    const markerOutcome = other.publish([marker])
    const next = await scene.record(other, name, [topic])
    assertConfirmed(await markerOutcome)
    await until('another instance has gone on', () => next.deliveries.length > 0)
    assert.equal(closed, false, 'close() must wait for the delivery in progress')
    consumer.answer('ack')
    await closing
    assertConfirmed(await outcomes)
    assert.deepEqual(next.ids, [marker.id], 'what was acknowledged while closing is not delivered again')
  }),

  brokerCase('close() settles what is being published', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const outcomes = broker.publish(scene.messages(topic, 500))
    await broker.close()
    assert.equal((await outcomes).length, 500)
    assert.ok((await outcomes).every(({ kind }) => kind === 'confirmed' || kind === 'failed'))
  }),

  brokerCase('close() does not wait for ever for a handler that publishes', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const published: PublishOutcome[] = []
    const consumer = await scene.record(broker, name, [topic], {
      prefetch: 1,
      handle: async (_, recorder) => {
        await recorder.held()
        published.push(...(await broker.publish([scene.message(topic)])))
        return 'ack'
      },
    })
    const outcomes = broker.publish([scene.message(topic)])
    await until('it is in progress', () => consumer.inProgress === 1)
    const closing = broker.close()
    consumer.release()
    await closing
    assert.deepEqual(kinds(published), ['failed'])
    assertConfirmed(await outcomes)
  }),

  brokerCase('a closed broker is down, fails what is published and refuses subscribers; closing twice is once', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const told: boolean[] = []
    const broker = await scene.open([{ name, topics: [topic] }], ({ up }) => told.push(up))
    await until('the broker is up', () => broker.status().up)
    await Promise.all([broker.close(), broker.close()])
    assert.deepEqual(kinds(await broker.publish(scene.messages(topic, 2))), ['failed', 'failed'])
    await assert.rejects(broker.subscribe({ name, topics: [topic], prefetch: 1, handle: async () => 'ack' }), /closed/)
    const status = broker.status()
    assert.equal(status.up, false)
    assert.equal(told.at(-1), false)
  }),

  brokerCase('a prefetch that is no prefetch is refused', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    for (const prefetch of [0, -1, 1.5, Number.NaN])
      await assert.rejects(broker.subscribe({ name, topics: [topic], prefetch, handle: async () => 'ack' }), RangeError)
  }),
]

/** What a broker engine must do, as cases for any test runner. */
export const brokerConformance: readonly ConformanceCase<BrokerEngine>[] = [...delivering, ...answering, ...confirming, ...ending]
