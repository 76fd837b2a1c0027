/** Where a page of dead letters begins, as the text that a client hands back: the service and the letter that the page before ended with. */
import type { DeadLetterPlace } from '../../events/dead-letter-rows.ts'

export interface Page {
  readonly service: string
  readonly place: DeadLetterPlace
}

export function writePlace(service: string, { died_at: diedAt, id }: { readonly died_at: Date; readonly id: string }): string {
  return `${service}~${diedAt.getTime()}~${id}`
}

const PLACE = /^([a-z0-9-]+)~(\d{1,15})~([0-9a-f-]{36})$/

/** Undefined for a text that is none of ours, and for none. */
export function readPage(text: string | undefined): Page | undefined {
  const match = PLACE.exec(text ?? '')
  return match === null ? undefined : { service: match[1]!, place: { diedAt: new Date(Number(match[2])), id: match[3]! } }
}
