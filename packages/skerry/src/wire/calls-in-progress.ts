/**
 * The calls in progress on a connection, by their numbers. Not a Map: one whose entries come and go leaves its outgrown tables behind it, each
 * of which holds on to the next, so that under load all that calls had held lives until the next full collection.
 */

export interface Numbered {
  readonly number: number
}

/** Twice what servers of this version take on at once: numbers that go up hardly ever meet in a slot. */
const SLOTS = 2_048

export class CallsInProgress<Call extends Numbered> {
  readonly #slots: (Call | undefined)[] = Array.from({ length: SLOTS }, () => undefined)
  /** Those whose slot another one has. */
  readonly #others = new Map<number, Call>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(number: number): Call | undefined {
    const call = this.#slots[number % SLOTS]
    return call?.number === number ? call : this.#others.size === 0 ? undefined : this.#others.get(number)
  }

  has(number: number): boolean {
    return this.get(number) !== undefined
  }

  /** One whose number no other has. */
  add(call: Call): void {
    const slot = call.number % SLOTS
    if (this.#slots[slot] === undefined) this.#slots[slot] = call
    else this.#others.set(call.number, call)
    this.#size++
  }

  delete(call: Call): void {
    const slot = call.number % SLOTS
    if (this.#slots[slot] === call) this.#slots[slot] = undefined
    else if (!this.#others.delete(call.number)) return
    this.#size--
  }

  /** All of them in the order of their numbers, which are in progress no more. */
  takeAll(): readonly Call[] {
    const all = [...this.#slots.filter((call) => call !== undefined), ...this.#others.values()].toSorted((a, b) => a.number - b.number)
    this.#slots.fill(undefined)
    this.#others.clear()
    this.#size = 0
    return all
  }
}
