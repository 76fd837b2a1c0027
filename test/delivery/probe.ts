import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { nats } from '@skerry/nats'
import { postgres } from '@skerry/postgres'
import pg from 'pg'
import { Ledger } from 'skerry/conformance'
import { startNats } from '../services/nats.ts'
import { startPostgres } from '../services/postgres.ts'
import { openSandbox } from '../services/sandbox.ts'
import { NATS_OPTIONS } from './fault-settings.ts'
const server = await startNats()
const db = await startPostgres({ fsync: false })
const { url } = server
const { host, username: user, password: pass } = new URL(url)
const nc = await connect({ servers: host, user, pass })
const jsm = await jetstreamManager(nc)
const databases = postgres({ url: db.url })
for (let round = 0; round < 8; round++) {
  const service = `books-${round}`, topic = `things-${round}`
  const ledger = await Ledger.open(databases, service, topic)
  const engine = nats({ url, ...NATS_OPTIONS })
  const consumers = [{ name: service, topics: [topic] }]
  const broker = await engine.open({ consumers })
  const sandbox = await openSandbox('x')
  const running = await sandbox.run('instance', process.execPath, [new URL('fixtures/ledger-process.ts', import.meta.url).pathname], { environment: { BROKER_URL: url, DATABASE_URL: db.url, INSTANCE: JSON.stringify({ service, topic, by: 'victim', hold: 'before' }) } })
  while (!(await running.logTail()).includes('consuming')) await new Promise((r) => setTimeout(r, 20))
  await broker.publish(ledger.batch(['key'], 5))
  while ((await ledger.visits('victim')).length === 0) await new Promise((r) => setTimeout(r, 5))
  running.signal('SIGSTOP')
  const t = Date.now()
  const b2 = await engine.open({ consumers })
  const seen: string[] = []
  const c = ledger.consume({ ...b2, publish: b2.publish.bind(b2), status: b2.status.bind(b2), close: b2.close.bind(b2), subscribe: (o) => b2.subscribe({ ...o, handle: async (d) => { const r = await o.handle(d); seen.push(`${Date.now() - t} ${JSON.parse(d.message.body).sequence} ${d.redelivered} ${r}`); return r } }) }, { by: 'p2' })
  while ((await ledger.missing()) > 0 && Date.now() - t < 26000) await new Promise((r) => setTimeout(r, 50))
  console.log(round, 'missing', await ledger.missing(), Date.now() - t)
  if ((await ledger.missing()) > 0) {
    console.log(seen)
    console.log(JSON.stringify(await jsm.consumers.info('skerry', `${service}__${topic}`)))
    console.log((await jsm.streams.info('skerry', { subjects_filter: '>' })).state)
    const cl = new pg.Client({ connectionString: db.url }); await cl.connect()
    for (const table of ['skerry_delivery', 'skerry_key_cursor', 'skerry_subscription', 'ledger_entry', 'ledger_visit']) console.log(table, JSON.stringify((await cl.query(`select * from "${service}".${table}`)).rows).slice(0, 1500))
    console.log(JSON.stringify((await cl.query(`select pid, state, wait_event_type, left(query, 100) q, now() - xact_start as age, pg_blocking_pids(pid) b from pg_stat_activity where datname is not null`)).rows, null, 1))
    await cl.end()
  }
  running.signal('SIGCONT'); await running.end('SIGKILL'); await sandbox.close()
  await c.close(); await broker.close(); await b2.close(); await ledger.close()
}
await nc.close(); await databases.close(); await server.close(); await db.close()
