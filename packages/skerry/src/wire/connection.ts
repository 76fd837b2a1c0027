/**
 * One connection that speaks the fast wire, as both of its ends see it: what is said in one turn of the program leaves in one piece, a peer
 * that has fallen silent is asked and then cut off, and whoever breaks the protocol is told so and cut off.
 */
import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '../base/clock.ts'
import { FrameBatch } from './frame-batch.ts'
import { FrameParser } from './frame-parser.ts'
import { KIND, ProtocolError } from './frame.ts'

/** Whose connection it is. */
export interface ConnectionOwner {
  /** A frame of any kind but ping and pong. Throws a `ProtocolError` for one that has no place here. */
  take(kind: number, call: number, bytes: Buffer, from: number, to: number): void
  /** What had been held up has left. */
  drained(): void
  /** It is over. Told once. */
  closed(reason: string): void
}

/** After so long without a byte from the peer it is asked, and cut off when it does not answer for as long again. */
const QUIET_MS = 10_000
/** The same when there is a reason to ask. */
const SUSPECT_MS = 2_000
/** How long a peer may take to close a connection on which it was told that it broke the protocol. */
const LAST_WORD_MS = 1_000
/** How much may wait for a peer that does not read before no more is read of what it wants. */
const MAX_HELD_UP_BYTES = 1_048_576
/** So many do not wait for the end of the turn: the peer can begin with them while this side goes on. */
const MAX_BATCH_FRAMES = 32

export class WireConnection {
  /** What is to be said: to be followed by `flushSoon`. */
  readonly out = new FrameBatch()
  readonly #socket: Duplex
  readonly #clock: Clock
  readonly #owner: ConnectionOwner
  readonly #parser: FrameParser
  #flushing = false
  #heard = true
  #asked = false
  #timer: Timer
  #isClosed = false

  constructor(socket: Duplex, clock: Clock, maxFrameBytes: number, owner: ConnectionOwner) {
    this.#socket = socket
    this.#clock = clock
    this.#owner = owner
    this.#parser = new FrameParser(maxFrameBytes, (kind, call, bytes, from, to) => {
      if (kind === KIND.ping) this.#sign(KIND.pong)
      else if (kind !== KIND.pong && !this.#isClosed) owner.take(kind, call, bytes, from, to)
    })
    this.#timer = clock.setTimer(QUIET_MS, this.#look)
  }

  /** Begins to listen; `head`: what had come with the upgrade. */
  begin(head: Buffer): void {
    const socket = this.#socket
    socket.on('error', (error: NodeJS.ErrnoException) => this.destroy(error.code ?? error.message))
    socket.on('end', () => this.destroy('the peer closed the connection'))
    socket.on('close', () => this.destroy('the connection was closed'))
    socket.on('drain', () => {
      socket.resume()
      this.#owner.drained()
    })
    if (head.length > 0) this.#feed(head)
    if (this.#isClosed) return
    socket.on('data', (chunk: Buffer) => this.#feed(chunk))
  }

  /** Something waits to leave that the peer's side does not take. */
  get isHeldUp(): boolean {
    return this.#socket.writableNeedDrain
  }

  /** Sends what has been written to `out` by the end of this turn. */
  flushSoon(): void {
    if (this.out.frames >= MAX_BATCH_FRAMES) return this.#flush()
    if (this.#flushing) return
    this.#flushing = true
    process.nextTick(this.#flushLater)
  }

  flush(): void {
    this.#flush()
  }

  /** There is a reason to doubt that the peer is there. */
  suspect(): void {
    if (this.#asked || this.#isClosed) return
    this.#heard = false
    this.#ask(SUSPECT_MS)
  }

  /** Nothing more will be said; what has been said still leaves. */
  end(): void {
    this.#flush()
    this.#socket.end()
  }

  destroy(reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timer.cancel()
    this.#socket.destroy()
    this.#owner.closed(reason)
  }

  #feed(chunk: Buffer): void {
    this.#heard = true
    try {
      this.#parser.feed(chunk)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#refuse(error.message)
    }
  }

  /** Says why before it closes; what still comes is read and dropped, or the reset for it would overtake the reason. */
  #refuse(reason: string): void {
    this.out.goaway(reason)
    this.#flush()
    this.#isClosed = true
    this.#timer.cancel()
    const socket = this.#socket
    socket.removeAllListeners('data')
    socket.resume()
    socket.end()
    this.#clock.setTimer(LAST_WORD_MS, () => socket.destroy())
    this.#owner.closed(`the peer broke the protocol with ${reason}`)
  }

  #sign(kind: typeof KIND.ping | typeof KIND.pong): void {
    this.out.sign(kind)
    this.flushSoon()
  }

  readonly #flushLater = (): void => {
    this.#flushing = false
    this.#flush()
  }

  readonly #flush = (): void => {
    const socket = this.#socket
    if (this.#isClosed || !socket.writable) return
    const buffers = this.out.take()
    if (buffers.length === 1) {
      socket.write(buffers[0]!)
      // It has gone to the kernel already, as it mostly does.
      if (socket.writableLength === 0) this.out.reuse()
    } else if (buffers.length > 1) {
      socket.cork()
      for (const buffer of buffers) socket.write(buffer)
      socket.uncork()
    }
    if (socket.writableLength > MAX_HELD_UP_BYTES) socket.pause()
  }

  readonly #look = (): void => {
    if (!this.#heard && this.#asked) return this.destroy('the peer has fallen silent')
    if (this.#heard) {
      this.#heard = this.#asked = false
      this.#timer = this.#clock.setTimer(QUIET_MS, this.#look)
    } else this.#ask(QUIET_MS)
  }

  #ask(forMs: number): void {
    this.#asked = true
    this.#sign(KIND.ping)
    this.#timer.cancel()
    this.#timer = this.#clock.setTimer(forMs, this.#look)
  }
}
