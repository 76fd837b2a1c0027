/** `skerry faults`: what goes wrong on purpose in a host that runs. */
import type { AdminOptions, Call } from '../admin/access.ts'
import { withRunningHost } from '../admin/access.ts'
import { print, refuseNoId } from '../admin/command.ts'
import { oneLine } from '../admin/text.ts'
import { CommandError, EXIT } from '../failure.ts'

type Input = Parameters<Call['injectFault']>[0]
type Fault = Awaited<ReturnType<Call['injectFault']>>

export interface InjectOptions extends AdminOptions {
  readonly effect: Input['effect']
  readonly of?: string
  /** `field=value` */
  readonly where?: string
  readonly percent?: number
  readonly latencyMs?: number
  readonly problem?: NonNullable<Input['problem']>
  readonly seed?: number
  readonly forMs?: number
}

export async function listFaults(options: AdminOptions): Promise<void> {
  await withRunningHost(options, async (call) => {
    const { faults } = await call.listFaults()
    if (options.json === true) return print(JSON.stringify({ faults }))
    print(faults.length === 0 ? 'No fault is injected.' : faults.map(faultText).join('\n'))
  })
}

export async function injectFault(service: string, options: InjectOptions): Promise<void> {
  const { effect, of, percent, latencyMs, problem, seed, forMs } = options
  const input = { service, effect, of, percent, latencyMs, problem, seed, forMs, ...conditionOf(options.where) }
  await withRunningHost(options, async (call) => {
    const fault = await call.injectFault(input)
    print(options.json === true ? JSON.stringify(fault) : `injected ${faultText(fault)}`)
  })
}

export async function removeFault(id: string, options: AdminOptions): Promise<void> {
  refuseNoId(id, 'fault', 'skerry faults list')
  await withRunningHost(options, async (call) => {
    const fault = await call.removeFault({ id })
    print(options.json === true ? JSON.stringify(fault) : `ended ${faultText(fault)}`)
  })
}

function conditionOf(where: string | undefined): { readonly field?: string; readonly value?: string } {
  if (where === undefined) return {}
  const at = where.indexOf('=')
  if (at < 1) throw new CommandError(EXIT.usage, `"${where}" is no condition.`, 'Write the field and its value, such as --where id=7.')
  return { field: where.slice(0, at), value: where.slice(at + 1) }
}

function faultText({ id, service, of, field, value, percent, effect, latencyMs, problem, endsAt, met }: Fault): string {
  const what = effect === 'latency' ? `latency of ${latencyMs} ms` : effect === 'error' ? `error ${problem}` : effect
  const where = field === null ? '' : ` where ${oneLine(field)} is ${oneLine(value ?? '')}`
  const share = percent === 100 ? '' : ` for ${percent} of 100`
  return `${id}  ${service}${of === null ? '' : ` ${of}`}: ${what}${share}${where}, until ${endsAt}, met ${met} times`
}
