/** How an answer says that it is not all that it would be: which operations could not be asked, and what stands in for what they would have said. */

export interface Degradation {
  /** `inventory.getStock`: what could not be asked. */
  readonly operation: string
  readonly because: 'unavailable' | 'deadlineExceeded' | 'overloaded'
  /** What its caller says by itself, or an earlier answer. */
  readonly answer: 'fallback' | 'lastKnown'
  /** How long ago the earlier answer was given. */
  readonly ageMs?: number
}

/** An answer made of more than that many is bad enough. */
export const MAX_DEGRADATIONS = 20
