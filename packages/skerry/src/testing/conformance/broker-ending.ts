/** Cases: subscriptions and brokers end without losing anything or anyone waiting. */
import { strict as assert } from 'node:assert'
import type { BrokerEngine, PublishOutcome } from '../../engine/broker.ts'
import { assertConfirmed, brokerCase, kinds, until } from './broker-scene.ts'
import type { ConformanceCase } from './conformance-case.ts'

export const ending: readonly ConformanceCase<BrokerEngine>[] = [
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

  brokerCase('close() also waits for a subscription that was closing already', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const consumer = await scene.record(broker, name, [topic], { handle: (_, recorder) => recorder.held() })
    const outcomes = broker.publish([scene.message(topic)])
    await until('it is in progress', () => consumer.inProgress === 1)
    const order: string[] = []
    const subscriptionClosed = consumer.subscription.close().then(() => order.push('subscription'))
    const brokerClosed = broker.close().then(() => order.push('broker'))
    const other = await scene.open([])
    await until('the broker is up elsewhere', () => other.status().up)
    assert.deepEqual(order, [])
    consumer.answer('ack')
    await Promise.all([subscriptionClosed, brokerClosed])
    assert.deepEqual(order, ['subscription', 'broker'])
    assertConfirmed(await outcomes)
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

  brokerCase('close() does not wait for ever for a handler that waits for a message to itself', async (scene) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.open([{ name, topics: [topic] }])
    const published: PublishOutcome[] = []
    const consumer = await scene.record(broker, name, [topic], {
      prefetch: 1,
      handle: async (_, { deliveries }) => {
        if (deliveries.length === 1) published.push(...(await broker.publish([scene.message(topic)])))
        return 'ack'
      },
    })
    const outcomes = broker.publish([scene.message(topic)])
    await until('the first is in progress', () => consumer.deliveries.length > 0)
    await broker.close()
    assert.equal(published.length, 1)
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
