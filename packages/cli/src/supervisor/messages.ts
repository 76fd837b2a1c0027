/** What a supervisor and the processes of its instances tell each other. */

export type FromInstance =
  | {
      readonly kind: 'started'
      /** How long an orderly stop may take at most. */
      readonly stopLimitMs: number
      /** Its admin API, with its metrics; null when that is off. */
      readonly admin: string | null
    }
  | { readonly kind: 'memory'; readonly rssBytes: number }
  /** It could not start, and ends. */
  | { readonly kind: 'failed'; readonly text: string }

export type ToInstance =
  | { readonly kind: 'stop' }
  /** With the socket: a connection for the gateway. */
  | { readonly kind: 'connection' }
