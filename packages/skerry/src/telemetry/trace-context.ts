/** W3C Trace Context: which trace a piece of work belongs to, as it travels in `traceparent` headers and CloudEvents. */
import type { Random } from '../base/random.ts'
import { SensitiveValues } from './redaction.ts'
import type { Sampler } from './sampler.ts'

export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits: this piece of work. */
  readonly spanId: string
  readonly sampled: boolean
  /** What must not be read in what is told of this work, as far as this process has come across it. */
  readonly sensitive?: SensitiveValues | undefined
  /** The same, to add to. */
  keepBack?(text: string): void
}

const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const SAMPLED = 1

/** Reads a `traceparent` header; undefined when it is missing or malformed, in which case a new trace begins. */
export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  const match = header === undefined ? null : TRACEPARENT.exec(header)
  if (match === null) return undefined
  const [, version, traceId, spanId, flags, more] = match as unknown as [string, string, string, string, string, string | undefined]
  // Only later versions than 00 may say more, and are read as 00 all the same (section 3.2.4).
  if (version === '00' && more !== undefined) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED }
}

/** Writes version 00, with every flag that it does not define at zero (section 3.2.3). */
export function formatTraceparent(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`
}

/** The context of a new piece of work, part of the parent's trace or the first of a new one. */
export function childTrace(parent: TraceContext | undefined, random: Random): TraceContext {
  return new ChildTrace(parent, random)
}

/** Draws its ids when they are asked for. */
export class ChildTrace implements TraceContext {
  readonly sampled: boolean
  readonly #parent: TraceContext | undefined
  readonly #random: Random
  #traceId: string | undefined
  #spanId: string | undefined
  #sensitive: SensitiveValues | undefined

  /** `decided`: whether it is recorded, null where nobody has decided that. Default: as its parent. Without a `sampler` that holds. */
  constructor(parent: TraceContext | undefined, random: Random, sampler?: Sampler, decided: boolean | null = parent?.sampled ?? null) {
    this.#parent = parent
    this.#random = random
    this.sampled = sampler === undefined ? (decided ?? true) : sampler(() => this.traceId, decided ?? undefined)
  }

  get traceId(): string {
    return (this.#traceId ??= this.#parent?.traceId ?? hexadecimal64(this.#random) + hexadecimal64(this.#random))
  }

  get spanId(): string {
    return (this.#spanId ??= hexadecimal64(this.#random))
  }

  /** One for all work of the trace in this process, from whoever first came across something. */
  get sensitive(): SensitiveValues | undefined {
    return this.#sensitive ?? this.#parent?.sensitive
  }

  keepBack(text: string): void {
    let values = this.sensitive
    if (values === undefined) this.#sensitive = values = new SensitiveValues()
    values.add(text)
  }
}

/** The same context, which remembers what is to be kept back for all work below it in this process. */
export function keeping({ traceId, spanId, sampled }: TraceContext): TraceContext {
  const sensitive = new SensitiveValues()
  return { traceId, spanId, sampled, sensitive, keepBack: (text) => sensitive.add(text) }
}

function hexadecimal64(random: Random): string {
  return hexadecimal32(random) + hexadecimal32(random)
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Eight digits, never all zero, which the specification reserves for "invalid". */
function hexadecimal32(random: Random): string {
  const value = Math.floor(random.next() * 0xfffffffe) + 1
  return HEX[value >>> 24]! + HEX[(value >>> 16) & 0xff]! + HEX[(value >>> 8) & 0xff]! + HEX[value & 0xff]!
}
