/** The wish that a run of seeds ends: the first SIGINT or SIGTERM. A second one ends the process at once, as it would without this. */
import process from 'node:process'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

export class Stop implements Disposable {
  #asked = false
  readonly #onSignal = (): void => {
    this.#asked = true
    this[Symbol.dispose]()
  }

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
  }

  /** No seed is to be begun any more. */
  get asked(): boolean {
    return this.#asked
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
  }
}
