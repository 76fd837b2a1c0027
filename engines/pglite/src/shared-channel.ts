/**
 * The way of short messages between the service's thread and PGlite's: memory that both see, because a statement takes less than a message
 * between threads. Requests are numbered and answered in their order; each has a slot of its own until its answer has been taken. What is too
 * long for a slot goes as an ordinary message, and the slot says so.
 */

/** In progress at once, at most; a power of two, so that numbers that have begun anew below zero find their slots too. */
export const SLOTS = 8
const REQUEST_BYTES = 16_384
const ANSWER_BYTES = 65_536
/** Instead of a length: what belongs here comes as a message. */
const ELSEWHERE = -1

const SENT = 0
const ANSWERED = 1
const ASKER_SLEEPS = 2
const ANSWERER_SLEEPS = 3
const FIRST_LENGTH = 4

export interface SharedMemory {
  readonly control: SharedArrayBuffer
  readonly data: SharedArrayBuffer
}

/** `first`: the number of the first request. Default: 0. For tests. */
export function sharedMemory(first = 0): SharedMemory {
  const control = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * (FIRST_LENGTH + 2 * SLOTS))
  new Int32Array(control).fill(first, SENT, ANSWERED + 1)
  return { control, data: new SharedArrayBuffer(SLOTS * (REQUEST_BYTES + ANSWER_BYTES)) }
}

/** Reads and writes the slots of one direction. */
class Slots {
  readonly #control: Int32Array
  readonly #bytes: Uint8Array
  readonly #firstLength: number
  readonly #slotBytes: number
  readonly #start: number

  constructor({ control, data }: SharedMemory, of: 'requests' | 'answers') {
    this.#control = new Int32Array(control)
    this.#bytes = new Uint8Array(data)
    this.#firstLength = FIRST_LENGTH + (of === 'requests' ? 0 : SLOTS)
    this.#slotBytes = of === 'requests' ? REQUEST_BYTES : ANSWER_BYTES
    this.#start = of === 'requests' ? 0 : SLOTS * REQUEST_BYTES
  }

  /** False when it does not fit: it is elsewhere then. */
  write(number: number, bytes: Uint8Array | undefined): boolean {
    const slot = number & (SLOTS - 1)
    const fits = bytes !== undefined && bytes.length <= this.#slotBytes
    this.#control[this.#firstLength + slot] = fits ? bytes.length : ELSEWHERE
    if (fits) this.#bytes.set(bytes, this.#start + slot * this.#slotBytes)
    return fits
  }

  /** A copy; undefined when it is elsewhere. */
  read(number: number): Uint8Array | undefined {
    const slot = number & (SLOTS - 1)
    const length = this.#control[this.#firstLength + slot]!
    if (length === ELSEWHERE) return undefined
    const at = this.#start + slot * this.#slotBytes
    return this.#bytes.slice(at, at + length)
  }
}

/** Numbers are 32 bits wide in shared memory, and begin anew. */
function after(number: number): number {
  return (number + 1) | 0
}

/** The end of whoever asks. It must never block. */
export class AskingEnd {
  readonly #control: Int32Array
  readonly #requests: Slots
  readonly #answers: Slots
  #sent: number
  #taken: number

  constructor(memory: SharedMemory) {
    this.#control = new Int32Array(memory.control)
    this.#requests = new Slots(memory, 'requests')
    this.#answers = new Slots(memory, 'answers')
    this.#sent = this.#taken = Atomics.load(this.#control, SENT)
  }

  /** There is a slot for another request. */
  get hasRoom(): boolean {
    return ((this.#sent - this.#taken) | 0) < SLOTS
  }

  /** `elsewhere` is called to send what does not fit, or is no request at all, before the other side is told. */
  send(request: Uint8Array | undefined, elsewhere: () => void): void {
    if (!this.#requests.write(this.#sent, request)) elsewhere()
    this.#sent = after(this.#sent)
    Atomics.store(this.#control, SENT, this.#sent)
    if (Atomics.load(this.#control, ANSWERER_SLEEPS) === 1) Atomics.notify(this.#control, SENT)
  }

  /** The next answer that is there; `elsewhere` is called for one that did not fit. Undefined: there is none yet. */
  take(elsewhere: () => Uint8Array | undefined): Uint8Array | undefined {
    if (Atomics.load(this.#control, ANSWERED) === this.#taken) return undefined
    const answer = this.#answers.read(this.#taken) ?? elsewhere()
    if (answer !== undefined) this.#taken = after(this.#taken)
    return answer
  }

  /** Looks for an answer so many times; true when there is one. */
  look(looks: number): boolean {
    return lookFor(this.#control, ANSWERED, this.#taken, looks)
  }

  /** From now on the other side sends a message to wake this one; false when there is an answer already. */
  sleep(): boolean {
    Atomics.store(this.#control, ASKER_SLEEPS, 1)
    return Atomics.load(this.#control, ANSWERED) === this.#taken
  }
}

/** The end of whoever answers. Its thread has nothing else to do, and blocks. */
export class AnsweringEnd {
  readonly #control: Int32Array
  readonly #requests: Slots
  readonly #answers: Slots
  #answered: number

  constructor(memory: SharedMemory) {
    this.#control = new Int32Array(memory.control)
    this.#requests = new Slots(memory, 'requests')
    this.#answers = new Slots(memory, 'answers')
    this.#answered = Atomics.load(this.#control, ANSWERED)
  }

  /** Waits for the next request, looking for it so many times before it sleeps. Undefined: it is elsewhere. */
  next(looks: number): Uint8Array | undefined {
    while (!lookFor(this.#control, SENT, this.#answered, looks)) {
      Atomics.store(this.#control, ANSWERER_SLEEPS, 1)
      Atomics.wait(this.#control, SENT, this.#answered)
      Atomics.store(this.#control, ANSWERER_SLEEPS, 0)
    }
    return this.#requests.read(this.#answered)
  }

  /** `elsewhere` is called to send what does not fit, `wake` when the other side sleeps. */
  answer(bytes: Uint8Array, elsewhere: () => void, wake: () => void): void {
    if (!this.#answers.write(this.#answered, bytes)) elsewhere()
    this.#answered = after(this.#answered)
    Atomics.store(this.#control, ANSWERED, this.#answered)
    if (Atomics.exchange(this.#control, ASKER_SLEEPS, 0) === 1) wake()
  }
}

/** Looks whether a counter differs; 1,000 looks take some 6.5 µs. */
function lookFor(control: Int32Array, counter: number, from: number, looks: number): boolean {
  for (let look = 0; look <= looks; look++) if (Atomics.load(control, counter) !== from) return true
  return false
}
