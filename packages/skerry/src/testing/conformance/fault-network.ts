/** Cases: the network between the engine and the broker loses connections, halves of messages, and answers. */
import { strict as assert } from 'node:assert'
import type { BrokerStatus } from '../../engine/broker.ts'
import { assertConfirmed, kinds } from './broker-scene.ts'
import type { ClientBytes, Link } from './broker-under-fault.ts'
import type { FaultCase } from './fault-scene.ts'
import { consumersOf, eventually, faultCaseOf, publishUntilConfirmed, settled } from './fault-scene.ts'

export const networkFaults: readonly FaultCase[] = [
  faultCaseOf('network', 'a connection that is cut, however often, loses no confirmed message', async (scene, { engine, link }) => {
    const ledger = await scene.ledger()
    const broker = await scene.openOn(engine(), { consumers: consumersOf(ledger) })
    scene.consume(ledger, broker)
    for (let round = 0; round < 10; round++) {
      const before = (await ledger.entries()).length
      const publishing = Array.from({ length: 5 }, (_, publisher) =>
        publishUntilConfirmed(broker, ledger.batch([`${publisher}.a`, `${publisher}.b`], 5)),
      )
      await eventually('something has taken effect', async () => (await ledger.entries()).length > before)
      link.cut()
      await Promise.all(publishing)
    }
    await settled(ledger)
  }),

  faultCaseOf(
    'network',
    'what is on its way when a connection is cut has failed, and the status says so',
    async (scene, { engine, link }) => {
      const [topic, name] = [scene.name('topic'), scene.name('consumer')]
      const statuses: BrokerStatus[] = []
      const broker = await scene.openOn(engine(), { consumers: [{ name, topics: [topic] }], onStatus: (status) => statuses.push(status) })
      await publishUntilConfirmed(broker, [scene.message(topic)])
      link.blackHole = true
      const onTheirWay = broker.publish(scene.messages(topic, 3))
      link.cut()
      const outcomes = await onTheirWay
      assert.deepEqual(kinds(outcomes), ['failed', 'failed', 'failed'])
      for (const outcome of outcomes)
        assert.ok(outcome.kind === 'failed' && outcome.reason.includes(broker.description), JSON.stringify(outcome))
      assert.equal(broker.status().up, false)
      assert.deepEqual(kinds(await broker.publish([scene.message(topic)])), ['failed'])
      healed(link)
      await eventually('it is up again', () => broker.status().up)
      assert.ok(
        statuses.some(({ up }) => !up),
        'it was told that the connection is lost',
      )
      assertConfirmed(await broker.publish([scene.message(topic)]))
    },
  ),

  faultCaseOf(
    'network',
    'a connection cut in the middle of a message on its way in: published again, it counts once',
    async (scene, { engine, link }) => {
      const ledger = await scene.ledger()
      const broker = await scene.openOn(engine(), { consumers: consumersOf(ledger) })
      scene.consume(ledger, broker)
      await publishUntilConfirmed(broker, ledger.batch(['key'], 3))
      const torn = [ledger.next('key'), ledger.next('other')]
      const cuts = onceAt(link, 'onClientBytes', torn[0]!.id, 'cut within')
      assert.deepEqual(kinds(await broker.publish(torn)), ['failed', 'failed'])
      assert.equal(cuts(), 1)
      await publishUntilConfirmed(broker, [...torn, ...ledger.batch(['key'], 3)])
      await settled(ledger)
    },
  ),

  faultCaseOf(
    'network',
    'a connection cut in the middle of a delivery: delivered again, it counts once',
    async (scene, { engine, link }) => {
      const ledger = await scene.ledger()
      const broker = await scene.openOn(engine(), { consumers: consumersOf(ledger) })
      const direct = await scene.open(consumersOf(ledger))
      scene.consume(ledger, broker)
      await publishUntilConfirmed(direct, ledger.batch(['key'], 3))
      await settled(ledger)
      const torn = ledger.next('key')
      const cuts = onceAt(link, 'onServerBytes', torn.id, 'cut within')
      await publishUntilConfirmed(direct, [torn, ...ledger.batch(['key'], 3)])
      await settled(ledger)
      assert.equal(cuts(), 1)
    },
  ),

  faultCaseOf(
    'network',
    'a confirmation that is lost: the message has failed, is published again, and counts once',
    async (scene, { engine, link }) => {
      const ledger = await scene.ledger()
      const broker = await scene.openOn(engine(), { consumers: consumersOf(ledger) })
      const consuming = await scene.open(consumersOf(ledger))
      scene.consume(ledger, consuming)
      await publishUntilConfirmed(broker, ledger.batch(['key'], 3))
      const unconfirmed = ledger.next('key')
      const cuts = onceAt(link, 'onClientBytes', unconfirmed.id, 'cut after')
      assert.deepEqual(kinds(await broker.publish([unconfirmed])), ['failed'])
      assert.equal(cuts(), 1)
      // The broker had it all the same.
      await settled(ledger)
      await publishUntilConfirmed(broker, [{ ...unconfirmed, redelivered: true }, ...ledger.batch(['key'], 3)])
      await settled(ledger)
    },
  ),

  faultCaseOf('network', 'a new connection does not raise the number of deliveries in progress', async (scene, { engine, link }) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.openOn(engine(), { consumers: [{ name, topics: [topic] }] })
    const consumer = await scene.record(broker, name, [topic], { prefetch: 2, handle: (_, recorder) => recorder.held() })
    const sent = scene.messages(topic, 6)
    await publishUntilConfirmed(broker, sent)
    await eventually('two are in progress', () => consumer.inProgress === 2)
    const { accepted } = link
    link.cut()
    await eventually('it has connected again', () => link.accepted > accepted && broker.status().up)
    // What comes and goes on the new connection would come after deliveries that should not be.
    for (let probe = 0; probe < 3; probe++) assertConfirmed(await broker.publish([scene.message(scene.name('probe'), { topic })]))
    assert.equal(consumer.mostInProgress, 2)
    consumer.release()
    await eventually('all have been handled', () => sent.every(({ id }) => consumer.ids.includes(id)))
    assert.equal(consumer.mostInProgress, 2)
  }),

  faultCaseOf('network', 'a connection that falls silent is given up and made anew', async (scene, { engine, link }) => {
    const ledger = await scene.ledger()
    const broker = await scene.openOn(engine({ confirmTimeoutMs: 600_000 }), { consumers: consumersOf(ledger) })
    scene.consume(ledger, broker)
    await publishUntilConfirmed(broker, ledger.batch(['key'], 2))
    const { accepted } = link
    link.blackHole = true
    const unheard = ledger.next('key')
    const [outcome] = await broker.publish([unheard])
    assert.equal(outcome?.kind, 'failed')
    await eventually('it has tried again', () => link.accepted > accepted)
    healed(link)
    await publishUntilConfirmed(broker, [unheard])
    await settled(ledger)
  }),

  faultCaseOf('network', 'a confirmation that is overdue is a failure', async (scene, { engine, link }) => {
    const [topic, name] = [scene.name('topic'), scene.name('consumer')]
    const broker = await scene.openOn(engine({ confirmTimeoutMs: 100 }), { consumers: [{ name, topics: [topic] }] })
    await publishUntilConfirmed(broker, [scene.message(topic)])
    link.blackHole = true
    const outcomes = await broker.publish(scene.messages(topic, 5))
    for (const outcome of outcomes)
      assert.ok(outcome.kind === 'failed' && outcome.reason.includes('has not confirmed it within 100 ms'), JSON.stringify(outcome))
    healed(link)
    await publishUntilConfirmed(broker, [scene.message(topic)])
  }),

  faultCaseOf(
    'network',
    'a silent connection does not keep close() waiting for ever, and its socket goes',
    async (scene, { engine, link }) => {
      const [topic, name] = [scene.name('topic'), scene.name('consumer')]
      const broker = await scene.openOn(engine(), { consumers: [{ name, topics: [topic] }] })
      await scene.record(broker, name, [topic])
      await publishUntilConfirmed(broker, [scene.message(topic)])
      const { open } = link
      assert.ok(open > 0)
      link.blackHole = true
      const unheard = broker.publish([scene.message(topic)])
      await broker.close()
      assert.deepEqual(kinds(await unheard), ['failed'])
      await eventually('its sockets are closed', () => link.open === 0)
      link.blackHole = false
    },
  ),
]

/** Steps in at the first bytes that hold the text. Returns how often it has. */
function onceAt<Side extends 'onClientBytes' | 'onServerBytes'>(
  link: Link,
  side: Side,
  text: string,
  what: ClientBytes & ReturnType<Link[Side]>,
) {
  let cuts = 0
  const watch = (bytes: Buffer): 'forward' | typeof what => {
    if (cuts > 0 || !bytes.includes(text)) return 'forward'
    cuts++
    return what
  }
  Object.assign(link, { [side]: watch })
  return () => cuts
}

/** What was swallowed is gone, so nothing can go on where it was. */
function healed(link: Link): void {
  link.blackHole = false
  link.cut()
}
