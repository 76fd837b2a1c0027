/**
 * The services of a run: an exclusive one and one of two hosts, both of which emit and have sagas, a consumer of both on two hosts, and one
 * that may join in the middle.
 */

export interface Shape {
  readonly name: string
  readonly hosts: number
  /** Whose events it consumes, by their place in this list. */
  readonly topics: readonly number[]
  /** It takes commands, and so emits and has sagas. */
  readonly isCommanded: boolean
  /** Handling an event may emit one. */
  readonly emits: boolean
  readonly mayJoinLate: boolean
}

export const SHAPES: readonly Shape[] = [
  { name: 'orders', hosts: 1, topics: [1], isCommanded: true, emits: false, mayJoinLate: false },
  { name: 'billing', hosts: 2, topics: [0], isCommanded: true, emits: true, mayJoinLate: false },
  { name: 'stock', hosts: 2, topics: [0, 1], isCommanded: false, emits: false, mayJoinLate: false },
  { name: 'ledger', hosts: 1, topics: [0, 1], isCommanded: false, emits: false, mayJoinLate: true },
]

/** By the place of a topic: the places of those who consume it. */
export const SUBSCRIBERS: readonly (readonly number[])[] = SHAPES.map((_, topic) =>
  SHAPES.flatMap(({ topics }, consumer) => (topics.includes(topic) ? [consumer] : [])),
)
