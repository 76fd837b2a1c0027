/** Runs what README.md tells its readers to run, and compares what it says they will see. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../services/free-port.ts'
import type { Running, Sandbox } from '../services/sandbox.ts'
import { openSandbox } from '../services/sandbox.ts'
import { waitUntil } from '../services/wait-until.ts'
import { createBrokerCorner } from '../topologies/broker.ts'
import type { ServiceDatabases } from '../topologies/databases.ts'
import { createDatabases } from '../topologies/databases.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
const blocks = [
  ...readme.matchAll(/<!-- run by test\/readme\/readme\.test\.ts -->\n+```sh\n([\s\S]*?)```(?:\n+```json\n([\s\S]*?)```)?/g),
].map(([, commands = '', answer]) => ({ commands: commands.trim().split('\n'), answer }))
const START_MS = 120_000

/** Starts a command as a reader's shell would, in the repository's root. */
function start(sandbox: Sandbox, name: string, command: string, environment: Readonly<Record<string, string>>): Promise<Running> {
  return sandbox.run(name, 'bash', ['-c', `exec ${command}`], { environment, directory: root })
}

async function answers(url: string): Promise<true | undefined> {
  const response = await fetch(url).catch(() => undefined)
  return response?.ok === true ? true : undefined
}

describe('the tour', () => {
  let sandbox: Sandbox
  let port: number

  beforeAll(async () => {
    sandbox = await openSandbox('readme')
    port = await freePort()
    const shop = await start(sandbox, 'shop', 'npm start', { PORT: String(port), SKERRY_DATA: `${sandbox.directory}/data` })
    await waitUntil(
      'npm start serves the shop',
      START_MS,
      () => answers(`http://127.0.0.1:${port}/health`),
      () => shop.logTail(),
    )
  }, START_MS)
  afterAll(() => sandbox.close())

  const steps = blocks.filter(({ answer }) => answer !== undefined)
  test.each(steps)('$commands', { timeout: 60_000 }, async ({ commands, answer }) => {
    const expected = masked(answer!)
    let seen = ''
    await waitUntil(
      `the answer is ${expected}`,
      30_000,
      async () => {
        const command = commands.join('\n').replaceAll('localhost:8080', `127.0.0.1:${port}`).replace('curl ', 'curl -sS ')
        seen = masked(await sandbox.execute('bash', ['-c', command]))
        return seen === expected ? true : undefined
      },
      async () => `The answer was ${seen}`,
    )
  })

  test('has the steps that it promises', () => {
    expect(steps.length).toBeGreaterThanOrEqual(5)
  })
})

describe('in many processes', () => {
  let databases: ServiceDatabases
  let sandbox: Sandbox

  beforeAll(async () => {
    databases = await createDatabases(['users', 'orders', 'notifications'])
    sandbox = await openSandbox('readme')
  })
  afterAll(async () => {
    await sandbox.close()
    await databases[Symbol.asyncDispose]()
  })

  test('the commands start the example, and it works across them', { timeout: 2 * START_MS }, async () => {
    await using broker = createBrokerCorner(['notification-service'])
    const { commands } = blocks.find(({ answer }) => answer === undefined)!
    const ports = new Map<string, number>()
    for (const [, port] of commands.join('\n').matchAll(/PORT=(\d+)/g)) ports.set(port!, await freePort())
    const onTestServers = (command: string): string => {
      let text = command.replace(/amqp:\S+/, broker.url)
      for (const [name, url] of Object.entries(databases.urls)) text = text.replace(`postgresql://localhost/${name}`, url)
      for (const [port, free] of ports)
        text = text.replaceAll(`PORT=${port}`, `PORT=${free}`).replaceAll(`localhost:${port}`, `127.0.0.1:${free}`)
      return text
    }
    const exported: Record<string, string> = {}
    for (const command of commands.map(onTestServers)) {
      const [, name, value] = /^export (\w+)=(\S+)$/.exec(command) ?? []
      if (name !== undefined && value !== undefined) exported[name] = value
      else await start(sandbox, `host-${command.match(/start (\S+)/)?.[1] ?? ''}`, `env ${command}`, exported)
    }
    const gateway = `http://127.0.0.1:${ports.get('8080')!}`
    for (const port of ports.values())
      await waitUntil(`port ${port} serves`, START_MS, () => answers(`http://127.0.0.1:${port}/health/ready`))
    const headers = { 'content-type': 'application/json' }
    await fetch(`${gateway}/users/`, { method: 'POST', headers, body: '{"id":1,"name":"Ann","email":"ann@example.org"}' })
    const order = await fetch(`${gateway}/orders/`, {
      method: 'POST',
      headers,
      body: '{"id":7,"user_id":1,"product":"kettle","amount":49.9}',
    })
    expect(order.status).toBe(200)
    await waitUntil('the order is notified', 30_000, async () => {
      const notifications = (await (await fetch(`${gateway}/notifications?order_id=7`)).json()) as unknown[]
      return notifications.length === 1 ? true : undefined
    })
  })
})

test.each([
  ['npm run skerry -- check --system shop/system.ts', /✓ users 1\.1\.1 {2}as released/],
  ['npm run skerry -- simulate examples/ecommerce/orders.simulation.ts --seeds 20', /✓ orders {2}20 of 20 seeds {2}\d+ a minute {2}/],
])('%s', { timeout: START_MS }, async (command, expected) => {
  expect(blocks.filter(({ commands }) => commands.includes(command))).toHaveLength(1)
  const sandbox = await openSandbox('readme')
  try {
    expect(await sandbox.execute('bash', ['-c', command], { directory: root })).toMatch(expected)
  } finally {
    await sandbox.close()
  }
})

/** The JSON in one form, with what differs from run to run hidden: ids of the server's choice and times. */
function masked(json: string): string {
  let text: string
  try {
    text = JSON.stringify(JSON.parse(json))
  } catch {
    text = json
  }
  return text.replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]+/g, '(id)').replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '(time)')
}
