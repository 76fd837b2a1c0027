/** The mail server of a simulated shop: takes a mail once, by its id, and now and then does not answer. */
import { sleep } from 'skerry/engine'
import type { Outside } from 'skerry/simulation'

export interface SimulatedMailServer {
  /** As notifications has it in its resources. */
  send(mail: { readonly id: string }): Promise<void>
  /** The ids of mails that it has taken. */
  readonly accepted: ReadonlySet<string>
}

/** As long as the real transport waits. */
const TIMEOUT_MS = 10_000

export function simulatedMailServer({ clock, reach, answer }: Outside): SimulatedMailServer {
  const accepted = new Set<string>()
  return {
    accepted,
    async send({ id }) {
      const way = await reach('notifications → mail server')
      if (way === 'refused') throw new Error('connect ECONNREFUSED')
      if (way === 'delivered') {
        accepted.add(id)
        if ((await answer('mail server → notifications')) === 'delivered') return
      }
      await sleep(clock, TIMEOUT_MS)
      throw new Error('the mail server has not answered')
    },
  }
}
