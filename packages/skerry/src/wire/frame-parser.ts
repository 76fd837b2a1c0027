/**
 * Cuts what arrives into frames, however it arrives. It keeps at most one unfinished frame, whose length is bounded, and refuses at the first
 * byte that shows it what cannot be a frame.
 */
import { HEAD_BYTES, KIND, LENGTH_BYTES, ProtocolError } from './frame.ts'

/** Told of each whole frame; its body stands in `bytes` at `from` to `to`, and only until this returns. */
export type TakeFrame = (kind: number, call: number, bytes: Buffer, from: number, to: number) => void

const LAST_KIND: number = KIND.goaway

export class FrameParser {
  readonly #maxFrameBytes: number
  readonly #take: TakeFrame
  /** The beginning of a frame whose rest has not come, in pieces. */
  #pieces: Buffer[] = []
  #pieceBytes = 0
  /** How much of the unfinished frame must be there before it can be looked at again. */
  #neededBytes = 0

  /** `maxFrameBytes`: without the length itself. */
  constructor(maxFrameBytes: number, take: TakeFrame) {
    this.#maxFrameBytes = maxFrameBytes
    this.#take = take
  }

  /** Bytes of a frame that is not whole yet. */
  get unfinishedBytes(): number {
    return this.#pieceBytes
  }

  /** Throws a `ProtocolError`; after that the connection is of no use. */
  feed(chunk: Buffer): void {
    let bytes = chunk
    if (this.#pieceBytes > 0) {
      this.#pieces.push(chunk)
      this.#pieceBytes += chunk.length
      if (this.#pieceBytes < this.#neededBytes) return
      bytes = Buffer.concat(this.#pieces, this.#pieceBytes)
      this.#pieces = []
      this.#pieceBytes = 0
    }
    let at = 0
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(at)
      if (length < HEAD_BYTES - LENGTH_BYTES || length > this.#maxFrameBytes) throw new ProtocolError(`a frame of ${length} bytes`)
      const end = at + LENGTH_BYTES + length
      if (at + LENGTH_BYTES === bytes.length) break
      refuseUnknown(bytes[at + LENGTH_BYTES]!)
      if (end > bytes.length) return this.#keep(bytes, at, end - at)
      this.#take(bytes[at + LENGTH_BYTES]!, bytes.readUInt32BE(at + LENGTH_BYTES + 1), bytes, at + HEAD_BYTES, end)
      at = end
    }
    if (at < bytes.length) this.#keep(bytes, at, bytes.length - at < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + 1)
  }

  #keep(bytes: Buffer, from: number, neededBytes: number): void {
    // A copy, so that a few bytes do not keep a whole chunk.
    this.#pieces.push(Buffer.from(bytes.subarray(from)))
    this.#pieceBytes = bytes.length - from
    this.#neededBytes = neededBytes
  }
}

function refuseUnknown(kind: number): void {
  if (kind < KIND.hello || kind > LAST_KIND) throw new ProtocolError(`a frame of the unknown kind ${kind}`)
}
