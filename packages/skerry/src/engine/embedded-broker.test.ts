import { describe, expect, test } from 'vitest'
import { systemClock, VirtualClock } from '../base/clock.ts'
import { brokerConformance } from '../testing/conformance/index.ts'
import type { Broker, Delivery, Disposition, Message, PublishOutcome } from './broker.ts'
import { embeddedBroker } from './embedded-broker.ts'

describe('conformance', () => {
  const engine = embeddedBroker({ clock: systemClock, retryDelayMs: 5 })
  test.each(brokerConformance)('$name', async (promise) => {
    await expect(promise.run(engine)).resolves.toBeUndefined()
  })
})

describe('confirmation', () => {
  test('comes with the last acknowledgement of the last consumer', async () => {
    const { broker } = await start(['billing', 'shipping'])
    const billing = await subscribe(broker, 'billing')
    const shipping = await subscribe(broker, 'shipping')
    const outcome = watch(broker.publish([message('1')]))
    await settled()
    billing.answer('ack')
    await settled()
    expect(outcome.value).toBeUndefined()
    shipping.answer('ack')
    await settled()
    expect(outcome.value).toEqual([{ kind: 'confirmed' }])
  })

  test('waits for a declared consumer that has not subscribed yet', async () => {
    const { broker } = await start(['billing', 'late'])
    const billing = await subscribe(broker, 'billing')
    const outcome = watch(broker.publish([message('1')]))
    await settled()
    billing.answer('ack')
    await settled()
    expect(outcome.value).toBeUndefined()
    const late = await subscribe(broker, 'late')
    await settled()
    late.answer('ack')
    await settled()
    expect(outcome.value).toEqual([{ kind: 'confirmed' }])
  })

  test('is refused to what exceeds the queue of a consumer, which the reason names', async () => {
    const engine = embeddedBroker({ clock: new VirtualClock(), maxQueuedMessages: 2 })
    const broker = await engine.open({ consumers: [{ name: 'billing', topics: ['orders'] }] })
    const first = watch(broker.publish([message('1'), message('2')]))
    expect(await broker.publish([message('3')])).toEqual([
      { kind: 'failed', reason: '2 messages already wait for consumer "billing" in the embedded broker' },
    ])
    const billing = await subscribe(broker, 'billing', 3)
    await settled()
    expect(billing.ids).toEqual(['1', '2'])
    const fourth = watch(broker.publish([message('4')]))
    await settled()
    billing.answer('ack', 'ack', 'ack')
    await settled()
    expect([first.value, fourth.value].flat()).toEqual([{ kind: 'confirmed' }, { kind: 'confirmed' }, { kind: 'confirmed' }])
  })

  test('fails at once when the broker closes, and nobody gets the message afterwards', async () => {
    const { engine, broker: publishing } = await start(['billing'])
    const consuming = await engine.open({ consumers: [{ name: 'billing', topics: ['orders'] }] })
    const outcome = publishing.publish([message('1')])
    await publishing.close()
    expect(await outcome).toEqual([{ kind: 'failed', reason: 'the embedded broker was closed before every consumer had answered' }])
    const billing = await subscribe(consuming, 'billing')
    void consuming.publish([message('2')])
    await settled()
    expect(billing.ids).toEqual(['2'])
  })
})

describe('a message given back', () => {
  test('comes again after the pause, before what was not delivered yet', async () => {
    const { broker, clock } = await start(['billing'], 1_000)
    const billing = await subscribe(broker, 'billing', 1)
    const outcome = watch(broker.publish([message('1'), message('2')]))
    await settled()
    billing.answer('requeue')
    await clock.advance(999)
    expect(billing.ids).toEqual(['1'])
    await clock.advance(1)
    expect(billing.ids).toEqual(['1', '1'])
    billing.answer('ack')
    await settled()
    billing.answer('ack')
    await settled()
    expect(billing.ids).toEqual(['1', '1', '2'])
    expect(billing.deliveries.map(({ redelivered }) => redelivered)).toEqual([false, true, false])
    expect(outcome.value).toEqual([{ kind: 'confirmed' }, { kind: 'confirmed' }])
  })

  test('keeps its place in the prefetch during the pause', async () => {
    const { broker } = await start(['billing'])
    const billing = await subscribe(broker, 'billing', 2)
    void broker.publish(['1', '2', '3', '4'].map(message))
    await settled()
    billing.answer('requeue', 'ack')
    await settled()
    expect(billing.ids).toEqual(['1', '2', '3'])
  })

  test('goes to another subscriber at once when its own closes during the pause', async () => {
    const { broker, clock } = await start(['billing'])
    const closing = await subscribe(broker, 'billing')
    void broker.publish([message('1')])
    await settled()
    closing.answer('requeue')
    await settled()
    const other = await subscribe(broker, 'billing')
    await closing.close()
    await settled()
    expect(other.ids).toEqual(['1'])
    expect(clock.nextTimerMs()).toBeUndefined()
  })
})

test('no timer is set for messages that are acknowledged', async () => {
  const { broker, clock } = await start(['billing'])
  const billing = await subscribe(broker, 'billing')
  const outcome = broker.publish([message('1')])
  await settled()
  billing.answer('ack')
  await outcome
  expect(clock.nextTimerMs()).toBeUndefined()
})

describe('queues', () => {
  test('end with the last connection that declared them: their topic is nobody’s then', async () => {
    const { engine, broker } = await start(['billing'])
    const publishing = await engine.open({ consumers: [] })
    const waiting = publishing.publish([message('1')])
    await broker.close()
    expect(await waiting).toEqual([{ kind: 'failed', reason: 'the embedded broker was closed before every consumer had answered' }])
    expect(await publishing.publish([message('2')])).toEqual([{ kind: 'unroutable' }])
  })

  test('outlive one of several connections', async () => {
    const { engine, broker } = await start(['billing'])
    const other = await engine.open({ consumers: [{ name: 'billing', topics: ['orders'] }] })
    const outcome = watch(other.publish([message('1')]))
    await broker.close()
    const billing = await subscribe(other, 'billing')
    await settled()
    billing.answer('ack')
    await settled()
    expect(outcome.value).toEqual([{ kind: 'confirmed' }])
  })

  test('serve subscribers in turn', async () => {
    const { broker } = await start(['billing'])
    const [one, two] = [await subscribe(broker, 'billing', 10), await subscribe(broker, 'billing', 10)]
    void broker.publish(['1', '2', '3', '4'].map(message))
    await settled()
    expect([one.ids, two.ids]).toContainEqual(['1', '3'])
    expect([one.ids, two.ids]).toContainEqual(['2', '4'])
  })

  test('keep the order over many thousands', async () => {
    const { broker } = await start(['billing'])
    const ids = Array.from({ length: 20_000 }, (_, index) => String(index))
    const got: string[] = []
    const outcomes = broker.publish(ids.map(message))
    await broker.subscribe({
      name: 'billing',
      topics: ['orders'],
      prefetch: 7,
      async handle(delivery) {
        got.push(delivery.message.id)
        return 'ack'
      },
    })
    await outcomes
    expect(got).toEqual(ids)
  })
})

async function start(consumers: string[], retryDelayMs = 200) {
  const clock = new VirtualClock()
  const engine = embeddedBroker({ clock, retryDelayMs })
  const broker = await engine.open({ consumers: consumers.map((name) => ({ name, topics: ['orders'] })) })
  return { clock, engine, broker }
}

function message(id: string): Message {
  return { id, topic: 'orders', type: 'orders.placed', key: 'key', body: '{}' }
}

/** A consumer whose deliveries stay in progress until the test answers them, oldest first. */
async function subscribe(broker: Broker, name: string, prefetch = 10) {
  const deliveries: Delivery[] = []
  const answers: ((disposition: Disposition) => void)[] = []
  const subscription = await broker.subscribe({
    name,
    topics: ['orders'],
    prefetch,
    handle(delivery) {
      deliveries.push(delivery)
      return new Promise((resolve) => answers.push(resolve))
    },
  })
  return {
    close: () => subscription.close(),
    deliveries,
    get ids() {
      return deliveries.map(({ message }) => message.id)
    },
    answer(...dispositions: Disposition[]) {
      for (const disposition of dispositions) answers.shift()!(disposition)
    },
  }
}

function watch(outcomes: Promise<readonly PublishOutcome[]>) {
  const watched: { value: readonly PublishOutcome[] | undefined } = { value: undefined }
  void outcomes.then((value) => (watched.value = value))
  return watched
}

/** Everything here is promises: after one turn of the event loop all that could happen has happened. */
function settled(): Promise<void> {
  return new VirtualClock().advance(0)
}
