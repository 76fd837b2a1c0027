/** Cases: a process that handles a message dies, or is frozen for longer than the broker waits and then goes on as if nothing had been. */
import { strict as assert } from 'node:assert'
import type { Instance, InstanceOptions, Processes } from './broker-under-fault.ts'
import type { FaultCase, FaultScene } from './fault-scene.ts'
import { consumersOf, eventually, faultCaseOf, publishUntilConfirmed, settled } from './fault-scene.ts'
import type { Ledger } from './ledger.ts'

const VICTIM = 'victim'

export const processFaults: readonly FaultCase[] = [
  faultCaseOf('processes', 'a consumer killed while it handles: another handles it, once', async (scene, processes) => {
    const { ledger, instance } = await handling(scene, processes, 'within')
    await instance.kill()
    scene.consume(ledger, await scene.open(consumersOf(ledger)))
    await settled(ledger)
    assert.ok(
      (await ledger.entries()).every(({ by }) => by !== VICTIM),
      'what was not committed has left no trace',
    )
  }),

  faultCaseOf(
    'processes',
    'a consumer frozen before its transaction, and woken when another has done its work, does nothing',
    async (scene, processes) => {
      const { ledger, instance } = await handling(scene, processes, 'before')
      instance.pause()
      try {
        scene.consume(ledger, await scene.open(consumersOf(ledger)))
        await settled(ledger)
        await ledger.letGo(VICTIM)
      } finally {
        instance.resume()
      }
      await eventually('the zombie has ended its transaction', async () => (await ledger.visits(VICTIM)).includes('end'))
      await goesOn(scene, ledger)
      assert.ok(
        (await ledger.entries()).slice(0, 5).every(({ by }) => by !== VICTIM),
        'the zombie came too late',
      )
    },
  ),

  faultCaseOf(
    'processes',
    'a consumer frozen in its transaction and woken when the broker has given its work to another: one of them commits',
    async (scene, processes) => {
      const { ledger, instance } = await handling(scene, processes, 'within')
      instance.pause()
      try {
        const broker = await scene.open(consumersOf(ledger))
        let delivered = 0
        const watched = {
          ...broker,
          publish: broker.publish.bind(broker),
          status: broker.status.bind(broker),
          close: broker.close.bind(broker),
          subscribe: (options: Parameters<typeof broker.subscribe>[0]) =>
            broker.subscribe({
              ...options,
              handle(delivery) {
                delivered++
                return options.handle(delivery)
              },
            }),
        }
        scene.consume(ledger, watched)
        await eventually('the other has been given its work', () => delivered >= 5)
        await ledger.letGo(VICTIM)
      } finally {
        instance.resume()
      }
      await settled(ledger)
      await goesOn(scene, ledger)
    },
  ),
]

/** Five events of one key at a process of its own, which holds the first. */
async function handling(
  scene: FaultScene,
  processes: Processes,
  hold: InstanceOptions['hold'],
): Promise<{ ledger: Ledger; instance: Instance }> {
  const ledger = await scene.ledger()
  const publishing = await scene.open(consumersOf(ledger))
  const instance = await processes.start({ service: ledger.service, topic: ledger.topic, by: VICTIM, hold })
  await publishUntilConfirmed(publishing, ledger.batch(['key'], 5))
  await eventually('it handles the first', async () => (await ledger.visits(VICTIM)).length > 0)
  assert.deepEqual(await ledger.entries(), [])
  return { ledger, instance }
}

/** Nothing that the zombie has done stands in the way of what comes. */
async function goesOn(scene: FaultScene, ledger: Ledger): Promise<void> {
  await publishUntilConfirmed(await scene.open(consumersOf(ledger)), ledger.batch(['key', 'other'], 5))
  await settled(ledger)
}
