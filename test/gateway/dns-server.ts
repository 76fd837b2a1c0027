/** A DNS server for tests: answers for the names it is given with the addresses they have at that moment, and can say when it was asked. */
import type { Socket } from 'node:dgram'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

const TYPE_A = 1
const TYPE_SRV = 33
const HEADER_BYTES = 12
const RESPONSE = 0x8180
const SERVER_FAILURE = 2
const NAME_ERROR = 3

export interface SrvRecord {
  readonly priority: number
  readonly port: number
  readonly target: string
}

export class DnsServer implements AsyncDisposable {
  /** Name to IPv4 addresses. Change it at any time. */
  readonly names = new Map<string, readonly string[]>()
  /** Name to SRV records. */
  readonly services = new Map<string, readonly SrvRecord[]>()
  /** While true, every question is answered with a server failure. */
  failing = false
  /** How often each name has been asked for. */
  readonly asked = new Map<string, number>()
  readonly #socket: Socket = createSocket('udp4')

  static async start(): Promise<DnsServer> {
    const server = new DnsServer()
    server.#socket.on('message', (query, { port, address }) => server.#socket.send(server.#answer(query), port, address))
    server.#socket.bind(0, '127.0.0.1')
    await once(server.#socket, 'listening')
    return server
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }

  /** RFC 1035, 4.1: the header, the question as it came, and one record for each address. */
  #answer(query: Buffer): Buffer {
    const { name, type, end } = question(query)
    this.asked.set(name, (this.asked.get(name) ?? 0) + 1)
    const addresses = this.names.get(name)
    const services = this.services.get(name)
    const failure = this.failing ? SERVER_FAILURE : addresses === undefined && services === undefined ? NAME_ERROR : 0
    const known = failure > 0 ? [] : type === TYPE_A ? (addresses ?? []).map(record) : (services ?? []).map(srvRecord)
    const records = type === TYPE_A || type === TYPE_SRV ? known : []
    const header = Buffer.alloc(HEADER_BYTES)
    query.copy(header, 0, 0, 2)
    header.writeUInt16BE(RESPONSE | failure, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(records.length, 6)
    return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...records])
  }
}

function question(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

/** An A record whose name points back to the question; it may be kept for a second. */
function record(address: string): Buffer {
  return Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)])
}

/** The same for an SRV record (RFC 2782), whose target is written out. */
function srvRecord({ priority, port, target }: SrvRecord): Buffer {
  const name = Buffer.concat([...target.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.from([0])])
  const head = Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_SRV, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0])
  head.writeUInt16BE(6 + name.length, 10)
  head.writeUInt16BE(priority, 12)
  head.writeUInt16BE(port, 16)
  return Buffer.concat([head, name])
}
