/** What `skerry dev` and the process that runs its services tell each other. */
import type { StartedFacts } from '../started.ts'

/** A file of the system as it was when it was read. */
export interface Source {
  /** Absolute, without symbolic links. */
  readonly path: string
  readonly version: string
}

export interface Failed {
  /** For people. */
  readonly text: string
  readonly exitCode: number
  /** Whether editing a file can help: a mistake in the code, not in the environment. */
  readonly inCode: boolean
}

export type FromHost =
  | { readonly kind: 'progress'; readonly step: string }
  /** The code and the configuration have been read; nothing has been opened. It waits for `start`. */
  | {
      readonly kind: 'loaded'
      readonly sources: readonly Source[]
      /** Folders with files that are read, not imported: migrations. */
      readonly folders: readonly string[]
      /** Where the gateway should be reached; null when the system has none. */
      readonly gateway: { readonly host: string; readonly port: number } | null
      /** How long an orderly stop may take at most. */
      readonly stopLimitMs: number
    }
  | { readonly kind: 'started'; readonly facts: StartedFacts }
  /** It could not be loaded or started, and ends. */
  | { readonly kind: 'failed'; readonly failed: Failed; readonly sources: readonly Source[] }

export type ToHost = { readonly kind: 'start' } | { readonly kind: 'stop' }
