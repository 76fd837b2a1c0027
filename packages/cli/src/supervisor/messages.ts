/** What a supervisor and the processes of its instances tell each other. */

export type FromInstance =
  | { readonly kind: 'started'; readonly stopLimitMs: number }
  | { readonly kind: 'memory'; readonly rssBytes: number }
  /** It could not start, and ends. */
  | { readonly kind: 'failed'; readonly text: string }

export type ToInstance =
  | { readonly kind: 'stop' }
  /** With the socket: a connection for the gateway. */
  | { readonly kind: 'connection' }
