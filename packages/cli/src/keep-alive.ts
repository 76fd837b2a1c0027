/** Keeps the process alive while it waits for something that does not: a timer between two attempts to reach a database, say. */
import { MessageChannel } from 'node:worker_threads'

/** Until `process.exit`. */
export function keepAlive(): void {
  // A port that is listened to counts as pending work; its messages never come.
  new MessageChannel().port1.on('message', () => {})
}
