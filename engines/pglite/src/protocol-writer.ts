/**
 * Requests in PostgreSQL's frontend/backend protocol, version 3 (manual, chapter 55), gathered in one buffer: PGlite
 * takes any number of them in one go. Each request written here is answered by exactly one ReadyForQuery.
 */
const INITIAL_BYTES = 4_096
const TEXT_FORMAT = 0
const BINARY_FORMAT = 1

export class ProtocolWriter {
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #length = 0

  /** Several statements without parameters (Query). */
  script(sql: string): void {
    this.#message('Q', () => this.#string(sql))
  }

  /**
   * One statement (Parse, Bind, Describe, Execute, Sync). With a name it stays prepared under it; without `sql` it has been.
   * `close` names a prepared statement that goes first.
   */
  statement(name: string, sql: string | undefined, parameters: readonly (string | Uint8Array | null)[], close: string | undefined): void {
    if (close !== undefined) this.#message('C', () => this.#string(`S${close}`))
    if (sql !== undefined)
      this.#message('P', () => {
        this.#string(name)
        this.#string(sql)
        this.#int16(0)
      })
    this.#message('B', () => {
      this.#string('')
      this.#string(name)
      this.#int16(parameters.length)
      for (const value of parameters) this.#int16(value instanceof Uint8Array ? BINARY_FORMAT : TEXT_FORMAT)
      this.#int16(parameters.length)
      for (const value of parameters) this.#value(value)
      this.#int16(0)
    })
    this.#message('D', () => this.#string('P'))
    this.#message('E', () => {
      this.#string('')
      this.#int32(0)
    })
    this.#message('S', () => undefined)
  }

  /** Everything written since the last time, in an array of its own. */
  take(): Uint8Array {
    const requests = new Uint8Array(this.#buffer.subarray(0, this.#length))
    this.#length = 0
    if (this.#buffer.length > INITIAL_BYTES * 16) this.#buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
    return requests
  }

  #message(code: string, writeBody: () => void): void {
    this.#reserve(5)
    this.#buffer[this.#length] = code.charCodeAt(0)
    const start = this.#length + 1
    this.#length += 5
    writeBody()
    this.#buffer.writeInt32BE(this.#length - start, start)
  }

  #value(value: string | Uint8Array | null): void {
    if (value === null) return this.#int32(-1)
    if (typeof value === 'string') {
      const bytes = Buffer.byteLength(value)
      this.#int32(bytes)
      this.#reserve(bytes)
      this.#length += this.#buffer.write(value, this.#length)
      return
    }
    this.#int32(value.length)
    this.#reserve(value.length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
  }

  #string(text: string): void {
    this.#reserve(text.length * 3 + 1)
    this.#length += this.#buffer.write(text, this.#length)
    this.#buffer[this.#length++] = 0
  }

  #int16(value: number): void {
    this.#reserve(2)
    this.#length = this.#buffer.writeUInt16BE(value, this.#length)
  }

  #int32(value: number): void {
    this.#reserve(4)
    this.#length = this.#buffer.writeInt32BE(value, this.#length)
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}
