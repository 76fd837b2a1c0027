/** `skerry ps`, `scale`, `restart` and `stop`: asks the supervisor that runs, and prints what it says. */
import { EXIT } from '../failure.ts'
import { ask, supervisorDirectory } from './control.ts'
import type { InstanceStatus } from './supervisor.ts'

export interface RemoteOptions {
  readonly json?: boolean
}

export interface SupervisorStatus {
  readonly system: string
  readonly pid: number
  readonly gateway: string | null
  readonly nowMs: number
  readonly instances: readonly InstanceStatus[]
}

/** Ends with exit code 1 when something that should run does not. */
export async function ps({ json = false }: RemoteOptions): Promise<void> {
  const status = (await tell('status')) as SupervisorStatus
  process.stdout.write(json ? `${JSON.stringify(status)}\n` : table(status))
  if (status.instances.some(({ state }) => state === 'waiting')) process.exitCode = EXIT.failed
}

export async function scale(counts: readonly string[], { json = false }: RemoteOptions): Promise<void> {
  report(await tell('scale', { counts }), json, `there are now ${counts.join(', ')}`)
}

export async function restart(services: readonly string[], { json = false }: RemoteOptions): Promise<void> {
  report(await tell('restart', { services }), json, `restarted ${services.length === 0 ? 'everything' : services.join(', ')}`)
}

export async function stop({ json = false }: RemoteOptions): Promise<void> {
  report(await tell('stop'), json, 'stopping')
}

function tell(command: string, input: unknown = {}): Promise<unknown> {
  return ask(supervisorDirectory(process.env), command, input)
}

function report(body: unknown, json: boolean, forPeople: string): void {
  process.stdout.write(json ? `${JSON.stringify(body)}\n` : `${forPeople}\n`)
}

function table({ system, pid, gateway, nowMs, instances }: SupervisorStatus): string {
  const rows = [
    ['INSTANCE', 'STATE', 'PID', 'UP', 'MEMORY', 'RESTARTS'],
    ...instances.map(({ instance, state, crashLoop, pid: own, startedAtMs, rssBytes, restarts }) => [
      instance,
      crashLoop ? 'crash loop' : state,
      own === null ? '-' : String(own),
      startedAtMs === null ? '-' : `${Math.round((nowMs - startedAtMs) / 1_000)} s`,
      rssBytes === null ? '-' : `${Math.round(rssBytes / 1_048_576)} MiB`,
      String(restarts),
    ]),
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  return `${system}, supervisor ${pid}${gateway === null ? '' : `, gateway at ${gateway}`}\n\n${lines.join('\n')}\n`
}
