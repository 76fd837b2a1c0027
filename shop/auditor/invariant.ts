/** An invariant of the shop, and what it is held against. */
export interface Evidence {
  readonly now: Date | undefined
  readonly acknowledged: readonly (string | number)[]
  readonly refused: readonly (string | number)[]
  readonly book: ProviderBook | undefined
  /** Runs one query on the database of a service. */
  readonly rows: <Row>(service: string, sql: string, parameters?: readonly unknown[]) => Promise<readonly Row[]>
}

export interface Invariant {
  readonly name: string
  /** The services whose databases it reads, and `provider` for the provider's book. */
  readonly needs: readonly string[]
  /** It need only hold when nothing is on its way. Default: it holds at every instant. */
  readonly atRest?: boolean
  /** What is wrong, one message each. */
  readonly find: (evidence: Evidence) => Promise<readonly string[]>
}

/** The payment provider's own book, as its sandbox gives it. */
export interface ProviderBook {
  readonly operations: readonly ProviderOperation[]
}

export interface ProviderOperation {
  readonly key: string
  readonly kind: 'authorization' | 'capture' | 'void' | 'refund'
  readonly authorization: string
  readonly amount?: number
  readonly currency?: string
  readonly status: 'succeeded' | 'declined'
}
