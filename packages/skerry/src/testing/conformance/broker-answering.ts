/** Cases: what an engine does with the answers of a handler, and how many handlers it starts. */
import { strict as assert } from 'node:assert'
import type { BrokerEngine } from '../../engine/broker.ts'
import { assertConfirmed, brokerCase, until } from './broker-scene.ts'
import type { ConformanceCase } from './conformance-case.ts'

export const answering: readonly ConformanceCase<BrokerEngine>[] = [
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
