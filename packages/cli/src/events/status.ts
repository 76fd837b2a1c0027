/** `skerry events status`: what waits and what is dead, service by service. */
import type { Call, AdminOptions } from '../admin/access.ts'
import { withAdmin } from '../admin/access.ts'
import { age, oneLine } from '../admin/text.ts'

type Status = Awaited<ReturnType<Call['eventStatus']>>['services'][number]
type Waiting = Status['outbox']

export async function eventStatus(options: AdminOptions): Promise<void> {
  await withAdmin(options, async (call, clock) => {
    const { services } = await call.eventStatus(options.service === undefined ? {} : { service: options.service })
    if (options.json === true) process.stdout.write(`${JSON.stringify({ services })}\n`)
    else process.stdout.write(`${services.map((status) => statusText(status, clock.now().getTime())).join('\n\n')}\n`)
  })
}

const MAX_COUNTED = 10_000

export function statusText({ service, outbox, inbox, deadLetters, subscriptions }: Status, nowMs: number): string {
  const text = ({ count, oldest }: Waiting): string =>
    `${count > MAX_COUNTED ? `more than ${MAX_COUNTED}` : count}${oldest === null ? '' : `, the oldest since ${oldest} (${age(nowMs - Date.parse(oldest))})`}`
  const removed = subscriptions.filter(({ declared }) => !declared)
  const lines = [
    ['outbox', text(outbox)],
    ...inbox.flatMap(({ source, early, retry }): [string, string][] => [
      ...(early.count > 0 ? [['waiting early', `${text(early)}, from ${oneLine(source)}`] as [string, string]] : []),
      ...(retry.count > 0 ? [['waiting retry', `${text(retry)}, from ${oneLine(source)}`] as [string, string]] : []),
    ]),
    ...deadLetters.map(({ topic, cause, ...waiting }) => ['dead letters', `${oneLine(topic)}, ${cause}: ${text(waiting)}`]),
    ...removed.map(({ topic, since }) => [
      'removed',
      `it has no handler for ${oneLine(topic)} any more, which it had subscribed to ${since}`,
    ]),
  ]
  return [service, ...lines.map(([label, value]) => `  ${label!.padEnd(15)}${value}`)].join('\n')
}
