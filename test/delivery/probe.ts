import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { nats } from '@skerry/nats'
import { startNats } from '../services/nats.ts'
import { NATS_OPTIONS } from './fault-settings.ts'
const how = process.argv[2] as 'kill' | 'stop'
const server = await startNats()
const { url } = server
const { host, username: user, password: pass } = new URL(url)
const engine = nats({ url, ...NATS_OPTIONS })
const consumers = [{ name: 'c', topics: ['t'] }]
const [p, c] = [
  await engine.open({ consumers, onStatus: (s) => console.log('P', JSON.stringify(s)) }),
  await engine.open({ consumers, onStatus: (s) => console.log('C', JSON.stringify(s)) }),
]
const got = new Map<string, number>()
await c.subscribe({
  name: 'c',
  topics: ['t'],
  prefetch: 32,
  handle: async ({ message }) => {
    got.set(message.id, (got.get(message.id) ?? 0) + 1)
    return 'ack'
  },
})
const confirmed: string[] = []
let stop = false
let n = 0
const when = new Map<string, number>()
const load = Promise.all(
  [1, 2, 3, 4].map(async () => {
    while (!stop) {
      let left = Array.from({ length: 20 }, () => {
        const id = String(n++)
        return { id, topic: 't', type: 'x', key: 'k', body: '{}' }
      })
      while (left.length) {
        const o = await p.publish(left)
        left.forEach((m, i) => {
          if (o[i]!.kind === 'confirmed') {
            confirmed.push(m.id)
            when.set(m.id, Date.now())
          }
        })
        left = left.filter((_, i) => o[i]!.kind !== 'confirmed')
        await new Promise((r) => setTimeout(r, left.length ? 20 : 1))
      }
    }
  }),
)
for (let i = 0; i < 3; i++) {
  await new Promise((r) => setTimeout(r, 1000))
  const t = Date.now()
  await server[how]()
  console.log(how, confirmed.length, got.size, 'took', Date.now() - t, 'at', t)
  await new Promise((r) => setTimeout(r, 300))
  await server.start()
  console.log('started', Date.now())
}
await new Promise((r) => setTimeout(r, 1000))
stop = true
await load
await new Promise((r) => setTimeout(r, 6000))
const missing = confirmed.filter((id) => !got.has(id))
console.log(
  'confirmed',
  confirmed.length,
  'missing',
  missing.length,
  missing.slice(0, 10),
  missing.slice(0, 10).map((id) => when.get(id)),
)
const nc = await connect({ servers: host, user, pass })
const jsm = await jetstreamManager(nc)
console.log((await jsm.streams.info('skerry')).state)
for await (const i of jsm.consumers.list('skerry'))
  console.log(i.name, i.created, i.num_pending, i.num_ack_pending, i.delivered, i.ack_floor, i.num_waiting, i.num_redelivered)
await nc.close()
await Promise.all([p.close(), c.close()])
await server.close()
