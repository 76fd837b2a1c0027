/**
 * One process of a simulated world, from its start to its end. When it dies nothing tells its code: whatever it waits for never comes, as
 * when a machine stops. It is known inside the code that runs in it, however deep.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

export class Life {
  /** Such as `orders`, or `orders 2` for the second instance. */
  readonly node: string
  /** The service that it runs, or the gateway. */
  readonly service: string
  /** Rejects when it dies, for the one thing that must then be undone: a transaction that is open. */
  readonly died: Promise<never>
  #isOver = false
  #die!: (reason: Error) => void

  constructor(node: string, service: string) {
    this.node = node
    this.service = service
    this.died = new Promise((_, reject) => (this.#die = reject))
    this.died.catch(() => undefined)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#die(new Died(this.node))
  }
}

/** Never seen by the code of the process that died. */
export class Died extends Error {
  override readonly name = 'Died'

  constructor(node: string) {
    super(`${node} has died`)
  }
}

const current = new AsyncLocalStorage<Life | undefined>()

/** The process whose code is running; undefined outside all of them. */
export function currentLife(): Life | undefined {
  return current.getStore()
}

/** Runs code as that of a process, or, with undefined, as nobody's. */
export function inLife<T>(life: Life | undefined, work: () => T): T {
  return current.run(life, work)
}
