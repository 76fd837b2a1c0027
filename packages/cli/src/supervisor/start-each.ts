/**
 * `skerry start --each`: every service in a process of its own, under a supervisor that this process is. The logs of all come out here, each line
 * with the instance that it is from.
 */
import { systemRandom } from 'skerry/engine'
import { CommandError, describeFailure, EXIT } from '../failure.ts'
import { keepAlive } from '../keep-alive.ts'
import { onStopSignal } from '../signals.ts'
import type { StartOptions } from '../start.ts'
import type { LoadedSystem } from '../system-file.ts'
import { loadSystem } from '../system-file.ts'
import type { Control } from './control.ts'
import { listenForCommands, supervisorDirectory } from './control.ts'
import { instanceCounts } from './each-options.ts'
import { Entrance } from './entrance.ts'
import { forwardLine } from './forwarded-line.ts'
import { Instance } from './instance.ts'
import type { Plan } from './plan.ts'
import { planEach, refuseSharing } from './plan.ts'
import type { SupervisorStatus } from './remote.ts'
import { Supervisor } from './supervisor.ts'

export interface EachOptions extends StartOptions {
  readonly instances?: readonly string[]
  /** In bytes. */
  readonly memory?: number
}

/** Resolves when everything has been started once; from then on the process ends by a signal or `skerry stop`. */
export async function startEach(names: readonly string[], options: EachOptions): Promise<void> {
  keepAlive()
  const loaded = await loadSystem(options.system)
  const directory = supervisorDirectory(process.env)
  const plan = await planEach({ loaded, names, instances: options.instances ?? [], environment: process.env, directory })
  const logTo = options.json === true ? process.stderr : process.stdout
  const log = loaded.platform.createLog({ destination: logTo })
  const { platform } = loaded
  const supervisor = new Supervisor({
    ...plan,
    memoryLimitBytes: options.memory,
    clock: platform.systemClock,
    random: systemRandom,
    say: (level, message, fields) => log[level](message, { service: 'supervisor', ...fields }),
    onServing: (service) => service === platform.GATEWAY && entrance?.open(),
    launch: (service, instance, onMemory) =>
      new Instance({
        file: loaded.path,
        service,
        verbose: options.verbose === true,
        environment: plan.environmentOf(service),
        clock: platform.systemClock,
        onLine: (line) => forwardLine(line, instance, logTo),
        onMemory,
      }),
  })
  const entrance = plan.entrance && new Entrance(() => supervisor.serving(platform.GATEWAY))
  let gateway: string | null = null
  let control: Control | undefined
  const stop = async (): Promise<void> => {
    entrance?.close()
    await supervisor.stop()
    await control?.close()
  }
  control = await listenForCommands(directory, commandsOf({ loaded, plan, supervisor, gateway: () => gateway }))
  onStopSignal(
    (signal) => {
      log.info(`stopping on ${signal}`, { service: 'supervisor' })
      return stop()
    },
    (error) => process.stderr.write(describeFailure(error, options.verbose === true).text),
    () => undefined,
  )
  try {
    gateway = (await (plan.entrance && entrance?.listen(plan.entrance.host, plan.entrance.port))) ?? null
  } catch (error) {
    await control.close()
    throw error
  }
  await supervisor.start()
  const status = supervisor.status()
  if (options.json === true)
    process.stdout.write(
      `${JSON.stringify({ event: 'started', system: loaded.system.name, gateway, pid: process.pid, instances: status })}\n`,
    )
  else
    process.stderr.write(
      `\n${loaded.system.name} is running in ${status.length} processes${gateway === null ? '' : `, gateway at ${gateway}`}. skerry ps shows them.\n\n`,
    )
}

interface CommandedParts {
  readonly loaded: LoadedSystem
  readonly plan: Plan
  readonly supervisor: Supervisor
  readonly gateway: () => string | null
}

function commandsOf({ loaded: { system, platform }, plan, supervisor, gateway }: CommandedParts) {
  const services = [...plan.services.keys()]
  const status = (): SupervisorStatus => ({
    system: system.name,
    pid: process.pid,
    gateway: gateway(),
    nowMs: platform.systemClock.nowMs(),
    instances: supervisor.status(),
  })
  return {
    status: async () => status(),
    async scale(input: unknown) {
      const counts = instanceCounts((input as { counts: readonly string[] }).counts, services)
      refuseSharing(counts, plan.exclusive, platform.variablePrefix)
      await Promise.all([...counts].map(([service, count]) => supervisor.scale(service, count)))
      return status()
    },
    async restart(input: unknown) {
      const named = (input as { services: readonly string[] }).services
      const unknown = named.filter((name) => !services.includes(name))
      if (unknown.length > 0)
        throw new CommandError(EXIT.usage, `There is no service named ${unknown.join(' or ')} here.`, `Use one of: ${services.join(', ')}.`)
      for (const service of named.length === 0 ? services : named) {
        const failure = await supervisor.restart(service)
        if (failure !== undefined)
          throw new CommandError(
            EXIT.failed,
            `The restart has been given up. ${failure}`,
            'Correct the code, and restart again. What served before serves still.',
          )
      }
      return status()
    },
    async stop() {
      process.kill(process.pid, 'SIGTERM')
      return {}
    },
  }
}
