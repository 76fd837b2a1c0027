/** Where a page begins, as the text that a client hands back: the service, and the dead letter or saga that the page before ended with. */

export interface Page {
  readonly service: string
  /** When the letter died, or the saga was started. */
  readonly at: Date
  readonly id: string
}

export function writePage({ service, at, id }: Page): string {
  return `${service}~${at.getTime()}~${id}`
}

const PLACE = /^([a-z0-9-]+)~(\d{1,15})~([0-9a-f-]{36})$/

export function isPage(after: string | undefined): boolean {
  return after === undefined || readPage(after) !== undefined
}

/** Undefined for a text that is none of ours, and for none. */
export function readPage(text: string | undefined): Page | undefined {
  const match = PLACE.exec(text ?? '')
  return match === null ? undefined : { service: match[1]!, at: new Date(Number(match[2])), id: match[3]! }
}
