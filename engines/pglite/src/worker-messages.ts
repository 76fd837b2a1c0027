/** What the engine and its worker say to each other. Requests are answered in the order in which they were sent. */
export interface WorkerSettings {
  readonly directory: string | undefined
}

export type ToWorker =
  | { readonly kind: 'exchange'; readonly requests: Uint8Array }
  /** After what came before it; the worker then ends. */
  | { readonly kind: 'close' }

export type FromWorker =
  | { readonly kind: 'opened' }
  | { readonly kind: 'answered'; readonly answers: Uint8Array }
  /** PostgreSQL could not be opened, or has died; the worker ends. */
  | { readonly kind: 'failed'; readonly message: string }
