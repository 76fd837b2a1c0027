/** A link that may be given up while calls are on their way: it is closed when the last of them has its answer. */
import type { Link } from '../../client/link.ts'

export interface RetiringLink extends Link {
  /** Nobody sends any more: closes when nothing is on its way. */
  retire(): void
}

export function retiringLink(link: Link): RetiringLink {
  let onTheirWay = 0
  let retired = false
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= link.close())
  const closeWhenDone = (): void => {
    if (retired && onTheirWay === 0) close().catch(() => undefined)
  }
  const arrived = (): void => {
    onTheirWay--
    closeWhenDone()
  }
  return {
    send(request) {
      onTheirWay++
      const answer = link.send(request)
      answer.then(arrived, arrived)
      return answer
    },
    retire() {
      retired = true
      closeWhenDone()
    },
    close,
  }
}
