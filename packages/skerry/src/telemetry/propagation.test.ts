import { describe, expect, it } from 'vitest'
import { traceOf } from './propagation.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

describe('traceOf', () => {
  it.each([
    ['W3C Trace Context', { traceparent: `00-${TRACE}-${SPAN}-01` }, { traceId: TRACE, spanId: SPAN, sampled: true }],
    ['B3 in one header', { b3: `${TRACE}-${SPAN}-1` }, { traceId: TRACE, spanId: SPAN, sampled: true }],
    ['B3 with a parent', { b3: `${TRACE}-${SPAN}-1-05e3ac9a4f6e3b90` }, { traceId: TRACE, spanId: SPAN, sampled: true }],
    ['B3 that is not sampled', { b3: `${TRACE}-${SPAN}-0` }, { traceId: TRACE, spanId: SPAN, sampled: false }],
    ['B3 that asks for everything', { b3: `${TRACE}-${SPAN}-d` }, { traceId: TRACE, spanId: SPAN, sampled: true }],
    ['B3 that leaves sampling to us', { b3: `${TRACE}-${SPAN}` }, { traceId: TRACE, spanId: SPAN, sampled: true }],
    [
      'B3 with an id of 64 bits',
      { b3: `${TRACE.slice(16)}-${SPAN}-1` },
      { traceId: `0000000000000000${TRACE.slice(16)}`, spanId: SPAN, sampled: true },
    ],
    [
      'B3 in several headers',
      { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, 'x-b3-sampled': '1' },
      { traceId: TRACE, spanId: SPAN, sampled: true },
    ],
    [
      'B3 in several headers, not sampled',
      { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, 'x-b3-sampled': '0' },
      { traceId: TRACE, spanId: SPAN, sampled: false },
    ],
    [
      'B3 in several headers, for debugging',
      { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, 'x-b3-flags': '1', 'x-b3-sampled': '0' },
      { traceId: TRACE, spanId: SPAN, sampled: true },
    ],
    [
      'W3C Trace Context before B3',
      { traceparent: `00-${TRACE}-${SPAN}-01`, b3: `${'1'.repeat(32)}-${SPAN}-1` },
      { traceId: TRACE, spanId: SPAN, sampled: true },
    ],
  ])('reads %s', (_what, headers, expected) => {
    expect(traceOf(headers)).toEqual(expected)
  })

  it.each([
    ['no headers', {}],
    ['B3 that only says not to sample', { b3: '0' }],
    ['a trace of zeros', { b3: `${'0'.repeat(32)}-${SPAN}-1` }],
    ['a span of zeros', { b3: `${TRACE}-${'0'.repeat(16)}-1` }],
    ['letters that are no digits', { b3: `${TRACE.replace('a', 'g')}-${SPAN}-1` }],
    ['an id without its span', { 'x-b3-traceid': TRACE }],
    ['a header given twice', { 'x-b3-traceid': [TRACE, TRACE], 'x-b3-spanid': SPAN }],
    ['a malformed traceparent, whatever B3 says', { traceparent: 'nonsense', b3: `${TRACE}-${SPAN}-1` }],
  ])('begins a trace with %s', (_what, headers) => {
    expect(traceOf(headers)).toBeUndefined()
  })
})
