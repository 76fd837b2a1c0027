/** Where the time of a call went, as the answer 504 says it: what was waited for and for how long, without a word of where it runs. */

export interface TimeSpent {
  /** `inventory.getStock` */
  readonly operation: string
  readonly ms: number
  /** `waiting`: there was no answer yet. */
  readonly outcome: 'answered' | 'failed' | 'waiting'
  /** When it was asked more than once: each attempt, and the pause before it. */
  readonly attempts?: readonly AttemptTime[]
  /** What its handler waited for in turn, as far as that has been said. */
  readonly waitedFor?: readonly TimeSpent[]
}

export interface AttemptTime {
  readonly pauseMs: number
  readonly ms: number
}

const OUTCOMES: ReadonlySet<unknown> = new Set<TimeSpent['outcome']>(['answered', 'failed', 'waiting'])
/** What comes from elsewhere is kept in bounds. */
const MAX_DEPTH = 8
export const MAX_CALLS_TOLD = 50
const MAX_NAME_LENGTH = 200

/** What a peer has sent, as far as it is what it should be. */
export function readTimeSpent(json: unknown, depth = 0): readonly TimeSpent[] {
  if (!Array.isArray(json) || depth === MAX_DEPTH) return []
  return (json as readonly unknown[]).slice(0, MAX_CALLS_TOLD).flatMap((entry): TimeSpent[] => {
    const { operation, ms, outcome, attempts, waitedFor } = Object(entry) as Partial<TimeSpent>
    if (typeof operation !== 'string' || operation.length > MAX_NAME_LENGTH || !isTime(ms) || !OUTCOMES.has(outcome)) return []
    const times = readAttempts(attempts)
    const inside = readTimeSpent(waitedFor, depth + 1)
    return [
      {
        operation,
        ms,
        outcome: outcome!,
        ...(times.length === 0 ? {} : { attempts: times }),
        ...(inside.length === 0 ? {} : { waitedFor: inside }),
      },
    ]
  })
}

function readAttempts(json: unknown): readonly AttemptTime[] {
  if (!Array.isArray(json)) return []
  return (json as readonly unknown[]).slice(0, MAX_CALLS_TOLD).flatMap((entry) => {
    const { pauseMs, ms } = Object(entry) as Partial<AttemptTime>
    return isTime(pauseMs) && isTime(ms) ? [{ pauseMs, ms }] : []
  })
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

/** For people: `orders.placeOrder 995 ms without an answer (users.getUser 12 ms, inventory.getStock 970 ms without an answer)`. */
export function describeTime(timing: readonly TimeSpent[]): string {
  return timing
    .map(({ operation, ms, outcome, attempts, waitedFor }) => {
      const tries = attempts === undefined ? '' : ` in ${attempts.length} attempts`
      const end = outcome === 'answered' ? '' : outcome === 'failed' ? ', failed' : ' without an answer'
      const inside = waitedFor === undefined ? '' : ` (${describeTime(waitedFor)})`
      return `${operation} ${Math.round(ms)} ms${tries}${end}${inside}`
    })
    .join(', ')
}
