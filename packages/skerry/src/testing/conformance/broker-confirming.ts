/** Cases: what an outcome of `publish` means. */
import { strict as assert } from 'node:assert'
import type { BrokerEngine, PublishOutcome } from '../../engine/broker.ts'
import { assertConfirmed, brokerCase, kinds, until } from './broker-scene.ts'
import type { ConformanceCase } from './conformance-case.ts'

export const confirming: readonly ConformanceCase<BrokerEngine>[] = [
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
