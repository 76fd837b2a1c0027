import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Random } from '../base/random.ts'
import { seededRandom, systemRandom } from '../base/random.ts'
import type { TraceContext } from './trace-context.ts'
import { childTrace, formatTraceparent, parseTraceparent } from './trace-context.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

describe('parseTraceparent', () => {
  it.each([
    ['the example of the specification', `00-${TRACE}-${SPAN}-01`, true],
    ['not sampled', `00-${TRACE}-${SPAN}-00`, false],
    ['flags of which only the lowest is known', `00-${TRACE}-${SPAN}-ff`, true],
    ['only unknown flags', `00-${TRACE}-${SPAN}-fe`, false],
    ['the random flag of level 2', `00-${TRACE}-${SPAN}-02`, false],
    ['a later version', `01-${TRACE}-${SPAN}-01`, true],
    ['a later version that says more', `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, true],
    ['a later version that says nothing more', `fe-${TRACE}-${SPAN}-00-`, false],
  ])('reads %s', (_what, header, sampled) => {
    expect(parseTraceparent(header)).toEqual({ traceId: TRACE, spanId: SPAN, sampled })
  })

  it.each([
    ['nothing', undefined],
    ['an empty header', ''],
    ['version ff, which is forbidden', `ff-${TRACE}-${SPAN}-01`],
    ['version 00 that says more', `00-${TRACE}-${SPAN}-01-what-the-future-will-not-be-like`],
    ['version 00 with a dash behind', `00-${TRACE}-${SPAN}-01-`],
    ['a later version that says more without a dash', `cc-${TRACE}-${SPAN}-01.what`],
    ['a later version with longer flags', `cc-${TRACE}-${SPAN}-011`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['upper case in the span', `00-${TRACE}-${SPAN.toUpperCase()}-01`],
    ['upper case in the version', `0A-${TRACE}-${SPAN}-01`],
    ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['a long trace', `00-${TRACE}0-${SPAN}-01`],
    ['a short span', `00-${TRACE}-${SPAN.slice(1)}-01`],
    ['a long span', `00-${TRACE}-${SPAN}0-01`],
    ['short flags', `00-${TRACE}-${SPAN}-1`],
    ['no flags', `00-${TRACE}-${SPAN}`],
    ['a short version', `0-${TRACE}-${SPAN}-01`],
    ['letters that are no digits', `00-${TRACE.replace('a', 'g')}-${SPAN}-01`],
    ['points for dashes', `00.${TRACE}.${SPAN}.01`],
    ['white space', ` 00-${TRACE}-${SPAN}-01`],
    ['a line break behind', `00-${TRACE}-${SPAN}-01\n`],
    ['a line break inside a later version', `cc-${TRACE}-${SPAN}-01-a\nb`],
    ['two headers joined', `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
  ])('takes %s for malformed', (_what, header) => {
    expect(parseTraceparent(header)).toBeUndefined()
  })

  it('never throws, whatever the header', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 80 }),
          fc.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{1,3}-?$/),
        ),
        (header) => {
          const trace = parseTraceparent(header)
          if (trace !== undefined) expect(formatTraceparent(trace).slice(2, 53)).toBe(header.slice(2, 53))
        },
      ),
    )
  })
})

const trace = fc.record({
  traceId: fc.stringMatching(/^[0-9a-f]{32}$/).filter((id) => !/^0*$/.test(id)),
  spanId: fc.stringMatching(/^[0-9a-f]{16}$/).filter((id) => !/^0*$/.test(id)),
  sampled: fc.boolean(),
})

describe('formatTraceparent', () => {
  it('writes what parseTraceparent reads', () => {
    fc.assert(
      fc.property(trace, (context) => {
        expect(parseTraceparent(formatTraceparent(context))).toEqual(context)
      }),
    )
  })

  it('writes the example of the specification', () => {
    expect(formatTraceparent({ traceId: TRACE, spanId: SPAN, sampled: true })).toBe(`00-${TRACE}-${SPAN}-01`)
  })
})

describe('childTrace', () => {
  it('goes on with the trace of its parent under a span of its own', () => {
    fc.assert(
      fc.property(trace, fc.maxSafeNat(), (parent, seed) => {
        const child = childTrace(parent, seededRandom(seed))
        expect(child).toMatchObject({ traceId: parent.traceId, sampled: parent.sampled })
        expect(child.spanId).not.toBe(parent.spanId)
        expect(child.spanId).toBe(child.spanId)
        expect(parseTraceparent(formatTraceparent(child))).toEqual(fieldsOf(child))
      }),
    )
  })

  it('begins a sampled trace without a parent', () => {
    const first = childTrace(undefined, systemRandom)
    expect(first.sampled).toBe(true)
    expect(parseTraceparent(formatTraceparent(first))).toEqual(fieldsOf(first))
    expect(childTrace(undefined, systemRandom).traceId).not.toBe(first.traceId)
  })

  it.each([0, 1 - 2 ** -53])('is valid at the end %s of what randomness gives: never all zero, never too long', (drawn) => {
    const random: Random = { ...systemRandom, next: () => drawn }
    const first = childTrace(undefined, random)
    expect(parseTraceparent(formatTraceparent(first))).toEqual(fieldsOf(first))
  })
})

function fieldsOf({ traceId, spanId, sampled }: TraceContext): TraceContext {
  return { traceId, spanId, sampled }
}
