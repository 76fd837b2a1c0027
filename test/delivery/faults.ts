/** Runs the delivery suite of `skerry/conformance` against one broker, with PostgreSQL for its consumers and processes of their own. */
import { fileURLToPath } from 'node:url'
import { postgres } from '@skerry/postgres'
import type { BrokerUnderFault, FaultMeans, Instance, InstanceOptions, Link } from 'skerry/conformance'
import { brokerFaultConformance } from 'skerry/conformance'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { openSandbox } from '../services/sandbox.ts'
import { waitUntil } from '../services/wait-until.ts'
import { createSharedDatabase } from '../topologies/databases.ts'

export interface Prepared {
  readonly broker: Omit<BrokerUnderFault, 'databases' | 'processes'>
  close(): Promise<void>
}

export interface FaultSuite {
  /** Why a fault cannot happen to this broker. */
  readonly notApplicable?: { readonly [Means in FaultMeans]?: string }
  /** For instances in processes of their own: what `fixtures/ledger-process.ts` finds the broker by. */
  readonly environment?: () => Readonly<Record<string, string>>
  prepare(): Promise<Prepared>
}

const CASE_MS = 300_000
const START_MS = 60_000
const program = fileURLToPath(new URL('fixtures/ledger-process.ts', import.meta.url))

export function runFaults({ notApplicable = {}, environment = () => ({}), prepare }: FaultSuite): void {
  let subject: BrokerUnderFault
  const held = new AsyncDisposableStack()
  const instances: AsyncDisposable[] = []

  beforeAll(async () => {
    const { url } = held.use(await createSharedDatabase())
    const databases = postgres({ url })
    held.defer(() => databases.close())
    const prepared = await prepare()
    held.defer(() => prepared.close())
    const start = async (options: InstanceOptions): Promise<Instance> => {
      const instance = await startInstance(options, { ...environment(), DATABASE_URL: url })
      instances.push(instance)
      return instance
    }
    subject = { ...prepared.broker, databases, processes: { start } }
  }, CASE_MS)
  afterEach(async () => {
    for (const instance of instances.splice(0)) await instance[Symbol.asyncDispose]()
    if (subject.network !== undefined) calm(subject.network.link)
  })
  afterAll(() => held.disposeAsync(), CASE_MS)

  for (const { name, needs, run } of brokerFaultConformance) {
    const reason = needs === undefined ? undefined : notApplicable[needs]
    const title = reason === undefined ? name : `${name} (does not apply: ${reason})`
    test.skipIf(reason !== undefined)(title, { timeout: CASE_MS }, () => run(subject))
  }
}

function calm(link: Link): void {
  link.onClientBytes = () => 'forward'
  link.onServerBytes = () => 'forward'
  link.blackHole = false
}

async function startInstance(options: InstanceOptions, environment: Readonly<Record<string, string>>): Promise<Instance & AsyncDisposable> {
  const sandbox = await openSandbox('instance')
  const running = await sandbox.run('instance', process.execPath, [program], {
    environment: { ...environment, INSTANCE: JSON.stringify(options) },
  })
  await waitUntil(
    'the instance consumes',
    START_MS,
    async () => {
      const log = await running.logTail()
      if (running.exited) throw new Error(`The instance ended. ${log}`)
      return log.includes('consuming') ? true : undefined
    },
    () => running.logTail(),
  )
  return {
    kill: () => running.end('SIGKILL'),
    pause: () => running.signal('SIGSTOP'),
    resume: () => running.signal('SIGCONT'),
    [Symbol.asyncDispose]: async () => {
      await running.end('SIGKILL')
      await sandbox.close()
    },
  }
}
