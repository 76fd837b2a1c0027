/** What is said on the command line of how many instances there should be, and how large they may become. */
import { InvalidArgumentError } from 'commander'
import { CommandError, EXIT } from '../failure.ts'

const MAX_INSTANCES = 100

/** `orders=3`, several with spaces or commas between them. Throws for names that are not among `services`. */
export function instanceCounts(given: readonly string[], services: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const one of given.flatMap((text) => text.split(','))) {
    const { service, count } = /^(?<service>[\w-]+)=(?<count>\d{1,4})$/.exec(one)?.groups ?? {}
    if (service === undefined || Number(count) > MAX_INSTANCES)
      throw new CommandError(
        EXIT.usage,
        `"${one}" does not say how many.`,
        `Write the service and a number up to ${MAX_INSTANCES}, such as orders=3.`,
      )
    if (!services.includes(service))
      throw new CommandError(EXIT.usage, `There is no service named "${service}" here.`, `Use one of: ${services.join(', ')}.`)
    counts.set(service, Number(count))
  }
  return counts
}

const UNIT_BYTES = { K: 1_024, M: 1_048_576, G: 1_073_741_824 } as const

/** `512M`, `1.5G`; in bytes. */
export function memorySize(text: string): number {
  const { number, unit } = /^(?<number>\d{1,6}(?:\.\d{1,3})?)(?<unit>[KMG])i?B?$/i.exec(text)?.groups ?? {}
  if (number === undefined) throw new InvalidArgumentError('Write a number and a unit, such as 512M or 1.5G.')
  return Math.round(Number(number) * UNIT_BYTES[unit!.toUpperCase() as keyof typeof UNIT_BYTES])
}
