/** A process of its own that runs seeds for `skerry simulate --workers`: one after the other, as it is told. */
import process from 'node:process'
import type { RunnerOptions, SeedReport } from './runner.ts'
import { Runner } from './runner.ts'

export type ToWorker = { readonly kind: 'open'; readonly options: RunnerOptions } | { readonly kind: 'seed'; readonly seed: number }
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'ran'; readonly report: SeedReport }
  | { readonly kind: 'broken'; readonly message: string }

let runner: Runner | undefined

process.on('message', (message: ToWorker) => {
  void answer(message).then(
    (reply) => process.send!(reply),
    (error: unknown) => process.send!({ kind: 'broken', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))

async function answer(message: ToWorker): Promise<FromWorker> {
  if (message.kind === 'seed') return { kind: 'ran', report: await runner!.runSeed(message.seed) }
  runner = await Runner.open(message.options)
  return { kind: 'ready' }
}
