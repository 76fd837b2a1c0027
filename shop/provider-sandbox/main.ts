/**
 * The provider's sandbox as a process of its own: `PORT=9090 node main.ts`. It prints one line of JSON when it listens. With
 * EXIT_WITH_PARENT it ends when its standard input does, so that nobody who starts it can leave it behind.
 */
import { startProviderSandbox } from './sandbox.ts'

const environment = (name: string): string | undefined => process.env[name] || undefined

const webhookUrl = environment('WEBHOOK_URL')
const bookFile = environment('BOOK_FILE')
const sandbox = await startProviderSandbox({
  port: Number(environment('PORT') ?? 0),
  webhookSecret: environment('WEBHOOK_SECRET') ?? 'sandbox',
  ...(webhookUrl === undefined ? {} : { webhookUrl }),
  ...(bookFile === undefined ? {} : { bookFile }),
})
const end = (): void => {
  void sandbox[Symbol.asyncDispose]().then(() => process.exit(0))
}
process.once('SIGTERM', end)
if (environment('EXIT_WITH_PARENT') === undefined) process.once('SIGINT', end)
else {
  // Ctrl-C reaches the whole terminal: whoever has started this one says when it is no longer needed.
  process.on('SIGINT', () => {})
  process.stdin.once('close', end).resume()
}
console.log(JSON.stringify({ event: 'started', url: sandbox.url }))
