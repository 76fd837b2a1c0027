/** A process of its own that runs seeds for `skerry simulate --workers`: one after the other, as it is told. */
import process from 'node:process'
import type { RunnerOptions, SeedReport } from './runner.ts'
import { Runner } from './runner.ts'

export type ToWorker = { readonly kind: 'open'; readonly options: RunnerOptions } | { readonly kind: 'seed'; readonly seed: number }
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'ran'; readonly report: SeedReport }
  | { readonly kind: 'broken'; readonly error: SentError }

/** What the command needs of an error in order to tell of it as if it had happened there. */
export interface SentError {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  /** Of the platform's errors. */
  readonly code?: unknown
  readonly help?: unknown
}

// A terminal sends them to all processes at once. Which seeds are still run is the command's to say.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)

let runner: Runner | undefined

process.on('message', (message: ToWorker) => {
  void answer(message).then(tell, (error: unknown) => tell({ kind: 'broken', error: sentError(error) }))
})
process.on('disconnect', () => process.exit(0))

function tell(reply: FromWorker): void {
  // A command that has ended needs no reply; without somewhere to say so, it would end this process with a stack.
  process.send!(reply, undefined, undefined, () => undefined)
}

async function answer(message: ToWorker): Promise<FromWorker> {
  if (message.kind === 'seed') return { kind: 'ran', report: await runner!.runSeed(message.seed) }
  runner = await Runner.open(message.options)
  return { kind: 'ready' }
}

function sentError(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined }
  const { name, message, stack } = error
  return { name, message, stack, ...('code' in error && { code: error.code }), ...('help' in error && { help: error.help }) }
}
