/** What the engine and its worker say to each other besides what fits into the memory that both see. Requests are answered in the order in which they were sent. */
import type { SharedMemory } from './shared-channel.ts'

export interface WorkerSettings {
  readonly directory: string | undefined
  readonly memory: SharedMemory
}

export type ToWorker =
  | { readonly kind: 'exchange'; readonly requests: Uint8Array }
  /** After what came before it; the worker then ends. */
  | { readonly kind: 'close' }

export type FromWorker =
  | { readonly kind: 'opened' }
  | { readonly kind: 'answered'; readonly answers: Uint8Array }
  /** There is an answer in the memory that both see. */
  | { readonly kind: 'wake' }
  /** PostgreSQL could not be opened, or has died; the worker ends. */
  | { readonly kind: 'failed'; readonly message: string }
