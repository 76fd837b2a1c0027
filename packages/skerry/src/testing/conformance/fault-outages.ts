/** Cases: the broker itself goes away and comes back. */
import { strict as assert } from 'node:assert'
import type { BrokerStatus } from '../../engine/broker.ts'
import type { Outage } from './broker-under-fault.ts'
import type { FaultCase, FaultScene } from './fault-scene.ts'
import { consumersOf, eventually, faultCaseOf, publishUntilConfirmed, settled } from './fault-scene.ts'

const PUBLISHERS = 4
const KEYS_EACH = 5
const EVENTS_OF_A_KEY = 4
/** How much must come and go before and after each outage. */
const ENOUGH = 200

export const outages: readonly FaultCase[] = [
  faultCaseOf('outage', 'a broker that is down at the start is used as soon as it comes up', async (scene, outage) => {
    const ledger = await scene.ledger()
    await outage.stop()
    const statuses: BrokerStatus[] = []
    const broker = await scene.open(consumersOf(ledger), (status) => statuses.push(status))
    scene.consume(ledger, broker)
    const sent = ledger.next('key')
    const [outcome] = await broker.publish([sent])
    assert.equal(outcome?.kind, 'failed')
    const status = broker.status()
    assert.ok(!status.up && status.reason.includes(broker.description), `the reason names the broker: ${JSON.stringify(status)}`)
    await outage.start()
    await publishUntilConfirmed(broker, [sent])
    await settled(ledger)
    assert.deepEqual(
      [statuses.at(-1), broker.status()],
      [{ up: true }, { up: true }],
      'the end of the outage is told, and nothing is told after it',
    )
  }),

  faultCaseOf('outage', 'a broker that is killed under load, twice, loses nothing that it has confirmed', async (scene, outage) => {
    await underLoad(scene, outage, [outage.kill, outage.kill])
  }),

  faultCaseOf('outage', 'a broker that is stopped under load loses nothing that it has confirmed', async (scene, outage) => {
    await underLoad(scene, outage, [outage.stop])
  }),
]

async function underLoad(scene: FaultScene, outage: Outage, ends: readonly (() => Promise<void>)[]): Promise<void> {
  const ledger = await scene.ledger()
  const consumers = consumersOf(ledger)
  const [publishing, consuming] = [await scene.open(consumers), await scene.open(consumers)]
  await publishUntilConfirmed(publishing, [ledger.next('first')])
  await outage.settle?.()

  scene.consume(ledger, consuming)
  let confirmed = 0
  const stop = new AbortController()
  const load = Promise.all(
    Array.from({ length: PUBLISHERS }, async (_, publisher) => {
      const keys = Array.from({ length: KEYS_EACH }, (__, key) => `${publisher}.${key}`)
      while (!stop.signal.aborted) {
        await publishUntilConfirmed(publishing, ledger.batch(keys, EVENTS_OF_A_KEY))
        confirmed += KEYS_EACH * EVENTS_OF_A_KEY
      }
    }),
  )
  // Until it is awaited below, its failure is not unhandled but seen there.
  load.catch(() => undefined)
  const flowing = async (): Promise<void> => {
    const [confirmedBefore, entriesBefore] = [confirmed, (await ledger.entries()).length]
    await eventually('enough is confirmed', () => confirmed >= confirmedBefore + ENOUGH)
    await eventually('enough has taken effect', async () => (await ledger.entries()).length >= entriesBefore + ENOUGH)
  }
  try {
    for (const end of ends) {
      await flowing()
      await end()
      await eventually('both sides know', () => !publishing.status().up && !consuming.status().up)
      await outage.start()
    }
    await flowing()
  } finally {
    stop.abort()
  }
  await load
  await settled(ledger)
}
