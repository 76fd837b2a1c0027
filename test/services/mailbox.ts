/** A mail server of one's own on 127.0.0.1 that takes every mail and keeps it, for tests to read. */
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'

export interface Mail {
  /** The Message-ID, with its angle brackets. */
  readonly id: string
  readonly to: string
  readonly subject: string
  /** The whole message as it came over the wire. */
  readonly source: string
}

export interface Mailbox extends AsyncDisposable {
  /** What SMTP_URL is set to. */
  readonly url: string
  /** Everything received so far, in order. */
  readonly mails: readonly Mail[]
}

export async function startMailbox(): Promise<Mailbox> {
  const mails: Mail[] = []
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData(stream, _session, callback) {
      text(stream).then(
        (source) => {
          mails.push(toMail(source))
          callback()
        },
        (error: unknown) => callback(error as Error),
      )
    },
  })
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    mails,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(resolve)),
  }
}

function toMail(source: string): Mail {
  const head = source.slice(0, source.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ')
  const header = (name: string): string => new RegExp(`^${name}: (.*)$`, 'im').exec(head.replaceAll('\r', ''))?.[1] ?? ''
  return { id: header('message-id'), to: header('to'), subject: header('subject'), source }
}
