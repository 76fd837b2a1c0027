/**
 * The boundary to mail. With an SMTP server mail is sent; without one it is written to the log, so that the system runs
 * before anybody has set up mail. A message keeps its Message-ID over every attempt: servers and readers recognise repetitions by it.
 */
import { createTransport } from 'nodemailer'
import type { Log } from 'skerry/service'
import { z } from 'zod'

export const MailConfig = z.object({
  /** `smtp://user:password@mail.example.com:587`, or `smtps:`. Default: mail goes to the log. */
  SMTP_URL: z.url({ protocol: /^smtps?$/, error: 'expected a URL that begins with smtp:// or smtps://' }).optional(),
  MAIL_FROM: z.email().default('orders@shop.example'),
})

export interface Mail {
  /** Unique for ever; the same when the mail is sent again. */
  readonly id: string
  readonly to: string
  readonly subject: string
  readonly text: string
}

export interface MailTransport extends AsyncDisposable {
  /** Resolves when the server has accepted the mail. */
  send(mail: Mail): Promise<void>
}

const TIMEOUT_MS = 10_000

export function mailTransport({ SMTP_URL: url, MAIL_FROM: from }: z.output<typeof MailConfig>, log: Log): MailTransport {
  const timeouts = { connectionTimeout: TIMEOUT_MS, greetingTimeout: TIMEOUT_MS, socketTimeout: TIMEOUT_MS, dnsTimeout: TIMEOUT_MS }
  const transport = url === undefined ? createTransport({ jsonTransport: true }) : createTransport({ url, ...timeouts })
  const domain = from.slice(from.lastIndexOf('@') + 1)
  return {
    async send({ id, ...mail }) {
      await transport.sendMail({ from, ...mail, messageId: `<${id}@${domain}>` })
      if (url === undefined) log.info('Mail, not sent because SMTP_URL is not set', { mail })
    },
    async [Symbol.asyncDispose]() {
      transport.close()
    },
  }
}
