/** What the commands that look after a system share: ids, who acts, what they print. */
import { hostname, userInfo } from 'node:os'
import { CommandError, EXIT } from '../failure.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** `list`: the command that shows ids. */
export function refuseNoId(id: string, what: string, list: string): void {
  if (!UUID.test(id)) throw new CommandError(EXIT.usage, `"${id}" is not the id of a ${what}.`, `Ids are shown by ${list}.`)
}

/** For the audit, when it was not said. */
export function whoever(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    // A container may run as a user that has no name.
    return `user ${process.getuid?.() ?? '?'}@${hostname()}`
  }
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
