import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { FrameBatch } from './frame-batch.ts'
import { FrameParser } from './frame-parser.ts'
import { ANSWER_HEAD_BYTES, HEAD_BYTES, KIND, MAX_CALL_HEAD_BYTES, ProtocolError, readAnswer, readCall, readHello } from './frame.ts'

const MAX_FRAME_BYTES = 1_000_000

interface Frame {
  readonly kind: number
  readonly call: number
  readonly body: Buffer
}

/** The frames in these pieces, and what was wrong at the end. */
function parse(pieces: readonly Buffer[], maxFrameBytes = MAX_FRAME_BYTES) {
  const frames: Frame[] = []
  let mostUnfinished = 0
  const parser = new FrameParser(maxFrameBytes, (kind, call, bytes, from, to) =>
    frames.push({ kind, call, body: Buffer.from(bytes.subarray(from, to)) }),
  )
  let error: unknown
  try {
    for (const piece of pieces) {
      parser.feed(piece)
      mostUnfinished = Math.max(mostUnfinished, parser.unfinishedBytes)
    }
  } catch (thrown) {
    error = thrown
  }
  return { frames, error, mostUnfinished, unfinished: parser.unfinishedBytes }
}

function written(write: (batch: FrameBatch) => void): Buffer {
  const batch = new FrameBatch()
  write(batch)
  return Buffer.concat(batch.take())
}

const number = fc.integer({ min: 0, max: 0xffff_ffff })
const text = fc.string({ unit: 'binary', maxLength: 300 })
const ascii = fc.string({ unit: 'grapheme-ascii', maxLength: 300 })
const writes = fc.array(
  fc.oneof(
    fc.record({ maxCalls: number, maxBodyBytes: number, maxBytes: number }).map((hello) => (batch: FrameBatch) => batch.hello(hello)),
    fc
      .tuple(
        number,
        ascii,
        ascii.map((given) => given.slice(0, 255)),
        fc.option(text, { nil: undefined }),
        fc.option(text, { nil: undefined }),
        text,
      )
      .map(
        ([call, target, trace, agent, key, body]) =>
          (batch: FrameBatch) =>
            batch.call(call, target, trace, agent, key, 100, body),
      ),
    fc.tuple(number, text).map(
      ([call, body]) =>
        (batch: FrameBatch) =>
          batch.answer(call, 200, undefined, body),
    ),
    fc.tuple(number, fc.uint8Array({ maxLength: 400 })).map(
      ([call, bytes]) =>
        (batch: FrameBatch) =>
          batch.part(call, Buffer.from(bytes)),
    ),
    fc.constantFrom(KIND.cancel, KIND.ping, KIND.pong).map((kind) => (batch: FrameBatch) => batch.sign(kind, 7)),
    text.map((reason) => (batch: FrameBatch) => batch.goaway(reason)),
  ),
  { minLength: 1, maxLength: 20 },
)

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((one, other) => one - other), bytes.length]
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place))
}

describe('the parser of frames', () => {
  it('gives the same frames however the bytes are split', () => {
    fc.assert(
      fc.property(writes, fc.array(fc.nat(), { maxLength: 40 }), (all, cuts) => {
        const bytes = written((batch) => all.forEach((write) => write(batch)))
        const whole = parse([bytes])
        expect(whole).toMatchObject({ error: undefined, unfinished: 0 })
        expect(whole.frames).toHaveLength(all.length)
        expect(parse(split(bytes, cuts)).frames).toEqual(whole.frames)
        expect(parse([...bytes].map((byte) => Buffer.of(byte))).frames).toEqual(whole.frames)
      }),
    )
  })

  it('takes garbage for what it is, and never keeps more than one frame of it', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), fc.integer({ min: 5, max: 2_000 }), (pieces, max) => {
        const { error, mostUnfinished } = parse(
          pieces.map((piece) => Buffer.from(piece)),
          max,
        )
        if (error !== undefined) expect(error).toBeInstanceOf(ProtocolError)
        expect(mostUnfinished).toBeLessThan(max + HEAD_BYTES)
      }),
      { numRuns: 2_000 },
    )
  })

  it('takes frames whose bodies are garbage for what they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (garbage) => {
        const bytes = Buffer.from(garbage)
        for (const read of [readHello, readCall, readAnswer]) {
          try {
            read(bytes, 0, bytes.length)
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError)
          }
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['too long a frame', Buffer.from([0x00, 0x10, 0x00, 0x00]), 'a frame of 1048576 bytes'],
    ['too short a frame', Buffer.from([0, 0, 0, 4, 6, 0, 0, 0]), 'a frame of 4 bytes'],
    ['an unknown kind', Buffer.from([0, 0, 0, 5, 9]), 'a frame of the unknown kind 9'],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), 'a frame of 1213486160 bytes'],
  ])('refuses %s at the first byte that shows it', (_what, bytes, message) => {
    expect(parse([bytes]).error).toEqual(new ProtocolError(message))
    expect(parse([...bytes].map((byte) => Buffer.of(byte))).error).toEqual(new ProtocolError(message))
  })
})

test('a call arrives as it was written, whatever is left out', () => {
  fc.assert(
    fc.property(
      fc.record({
        target: ascii,
        traceparent: ascii.map((given) => given.slice(0, 255)),
        userAgent: fc.option(fc.string({ unit: 'grapheme', maxLength: 100 }), { nil: undefined }),
        idempotencyKey: fc.option(fc.string({ unit: 'grapheme', maxLength: 100 }), { nil: undefined }),
        remainingMs: fc.option(fc.integer({ min: 0, max: 0xffff_fffe }), { nil: undefined }),
      }),
      fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
      (call, body) => {
        const { target, traceparent, userAgent, idempotencyKey, remainingMs } = call
        const bytes = written((batch) => batch.call(1, target, traceparent, userAgent, idempotencyKey, remainingMs, body))
        const { bodyAt, ...read } = readCall(bytes, HEAD_BYTES, bytes.length)
        expect(read).toEqual(call)
        expect(bytes.toString('utf8', bodyAt)).toBe(body ?? '')
      },
    ),
  )
})

test.each([
  [503, 7, '"später"', undefined],
  [200, undefined, '{}', 'a.b;because=unavailable;answer=fallback'],
  [204, undefined, undefined, undefined],
] as const)('an answer arrives as it was written: %d', (status, retryAfterSeconds, body, degraded) => {
  const bytes = written((batch) => batch.answer(3, status, retryAfterSeconds, body, degraded))
  const { bodyAt, ...read } = readAnswer(bytes, HEAD_BYTES, bytes.length)
  expect(read).toEqual({ status, retryAfterSeconds, degraded })
  expect(bytes.toString('utf8', bodyAt)).toBe(body ?? '')
})

test('an answer whose parts are longer than the whole is none', () => {
  const bytes = written((batch) => batch.answer(3, 200, undefined, '', 'a.b'))
  expect(() => readAnswer(bytes, HEAD_BYTES, bytes.length - 1)).toThrow(ProtocolError)
})

test('a batch that grows beyond its buffer loses nothing, and neither does one whose buffer is used again', () => {
  const batch = new FrameBatch()
  const sent: Buffer[] = []
  const bodies = Array.from({ length: 300 }, (_, index) => 'x'.repeat((index * 977) % 9_000))
  for (const [index, body] of bodies.entries()) {
    batch.answer(index, 200, undefined, body)
    if (index % 7 !== 0) continue
    sent.push(...batch.take().map((buffer) => Buffer.from(buffer)))
    batch.reuse()
  }
  sent.push(...batch.take())
  const { frames } = parse(sent)
  expect(frames.map(({ call, body }) => [call, body.toString('utf8', ANSWER_HEAD_BYTES)])).toEqual([...bodies.entries()])
})

test('the head of a call that may be sent fits into what a server takes', () => {
  expect(MAX_CALL_HEAD_BYTES).toBeLessThan(0xffff)
})
