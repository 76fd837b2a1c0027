/** Answers in PostgreSQL's frontend/backend protocol, version 3 (manual, sections 55.7 and 55.8), read into rows. */
import type { ResultColumn } from 'skerry/engine'

/** What PostgreSQL answered to one request. */
export interface Answer {
  readonly columns: readonly ResultColumn[]
  readonly rows: Record<string, unknown>[]
  /** The last command tag, such as `INSERT 0 1`; empty when no statement completed. */
  readonly tag: string
  readonly error: ServerError | undefined
  /** False when PostgreSQL went on to the next request without having completed or refused this one: it has come to harm. */
  readonly complete: boolean
  /** True when the request's statement was parsed, and so is prepared now if it had a name. */
  readonly parsed: boolean
  readonly inTransaction: boolean
}

/** The fields of an ErrorResponse that matter here (section 55.8). */
export interface ServerError {
  readonly message: string
  readonly sqlState: string
  readonly detail: string | undefined
  readonly constraint: string | undefined
  readonly position: number | undefined
  readonly routine: string | undefined
}

type Parser = ((text: string) => unknown) | undefined

const PARSE_COMPLETE = 0x31
const COMMAND_COMPLETE = 0x43
const DATA_ROW = 0x44
const ERROR_RESPONSE = 0x45
const EMPTY_QUERY_RESPONSE = 0x49
const ROW_DESCRIPTION = 0x54
const READY_FOR_QUERY = 0x5a
const HEADER_BYTES = 5
/** After a column's name: table, column, type, type length, type modifier, format. */
const COLUMN_TAIL_BYTES = 18
const TYPE_OFFSET = 6
const IDLE = 0x49

/** Reads the answers to the requests of one exchange, one after the other. */
export class ProtocolReader {
  readonly #bytes: Buffer
  readonly #parserOf: (typeId: number) => Parser
  #at = 0

  constructor(answers: Uint8Array, parserOf: (typeId: number) => Parser) {
    this.#bytes = Buffer.from(answers.buffer, answers.byteOffset, answers.byteLength)
    this.#parserOf = parserOf
  }

  /** The next request's answer; undefined when there is none. */
  next(): Answer | undefined {
    const bytes = this.#bytes
    let columns: ResultColumn[] = []
    let parsers: Parser[] = []
    let rows: Record<string, unknown>[] = []
    let tag = ''
    let error: ServerError | undefined
    let parsed = false
    let complete = false
    while (this.#at + HEADER_BYTES <= bytes.length) {
      const code = bytes[this.#at]
      const body = this.#at + HEADER_BYTES
      this.#at += 1 + bytes.readInt32BE(this.#at + 1)
      if (code === PARSE_COMPLETE) parsed = true
      else if (code === ROW_DESCRIPTION) {
        columns = this.#columns(body)
        parsers = columns.map((column) => this.#parserOf(column.dataTypeID))
        rows = []
      } else if (code === DATA_ROW) rows.push(this.#row(body, columns, parsers))
      else if (code === COMMAND_COMPLETE) tag = bytes.toString('latin1', body, this.#at - 1)
      else if (code === ERROR_RESPONSE) error ??= this.#error(body)
      else if (code === READY_FOR_QUERY) return { columns, rows, tag, error, complete, parsed, inTransaction: bytes[body] !== IDLE }
      complete ||= code === COMMAND_COMPLETE || code === ERROR_RESPONSE || code === EMPTY_QUERY_RESPONSE
    }
    return undefined
  }

  #columns(body: number): ResultColumn[] {
    const count = this.#bytes.readInt16BE(body)
    const columns: ResultColumn[] = []
    let at = body + 2
    for (let index = 0; index < count; index++) {
      const end = this.#bytes.indexOf(0, at)
      columns.push({ name: this.#bytes.toString('utf8', at, end), dataTypeID: this.#bytes.readUInt32BE(end + 1 + TYPE_OFFSET) })
      at = end + 1 + COLUMN_TAIL_BYTES
    }
    return columns
  }

  #row(body: number, columns: readonly ResultColumn[], parsers: readonly Parser[]): Record<string, unknown> {
    const row: Record<string, unknown> = {}
    let at = body + 2
    for (let index = 0; index < columns.length; index++) {
      const length = this.#bytes.readInt32BE(at)
      at += 4
      if (length === -1) {
        row[columns[index]!.name] = null
        continue
      }
      const text = this.#bytes.toString('utf8', at, at + length)
      at += length
      const parser = parsers[index]
      row[columns[index]!.name] = parser === undefined ? text : parser(text)
    }
    return row
  }

  #error(body: number): ServerError {
    const fields = new Map<string, string>()
    for (let at = body; this.#bytes[at] !== 0;) {
      const end = this.#bytes.indexOf(0, at)
      fields.set(String.fromCharCode(this.#bytes[at]!), this.#bytes.toString('utf8', at + 1, end))
      at = end + 1
    }
    const position = fields.get('P')
    return {
      message: fields.get('M') ?? 'no message',
      sqlState: fields.get('C') ?? 'XX000',
      detail: fields.get('D'),
      constraint: fields.get('n'),
      position: position === undefined ? undefined : Number(position),
      routine: fields.get('R'),
    }
  }
}
