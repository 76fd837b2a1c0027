import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock, VirtualClock } from '../base/clock.ts'
import { Metrics } from '../telemetry/metrics.ts'
import { hexadecimal, spanFor } from './fixtures/span.ts'
import type { Recent, RecentOptions } from './recent.ts'
import { openRecent, openRecentOfOthers } from './recent.ts'

const WRITER = fileURLToPath(new URL('./fixtures/writer-process.ts', import.meta.url))

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'skerry-recent-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

function opened(options: Partial<RecentOptions> = {}) {
  const clock = new VirtualClock()
  const troubles: unknown[] = []
  const recent = openRecent({ place: 'memory', clock, process: 'test', onTrouble: (error) => troubles.push(error), ...options })
  onTestFinished(() => recent.close())
  return { recent, clock, troubles }
}

/** Starts a process that writes; its first line says that it has begun. */
async function writer(file: string, service: string, count: number, limits = '') {
  const command = `${limits} exec "$0" "$@"`
  const child = spawn('/bin/sh', ['-c', command, process.execPath, WRITER, file, service, String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  expect(await lines.next()).toMatchObject({ value: 'started' })
  return { child, lines, ended }
}

const servicesOf = (recent: Recent): string[] => recent.read.traces({}, 200).traces.map(({ service }) => service)

describe('what is kept', () => {
  test('is bounded in rows, and the oldest go first', async () => {
    const { recent, clock } = opened({ bounds: { spans: { maxRows: 1_000, maxBytes: 1e9, maxAgeMs: 1e9 }, maxSpansPerSecond: 1e9 } })
    const spans = Array.from({ length: 5_000 }, () => spanFor())
    for (const span of spans) {
      recent.onSpan(span)
      if (spans.indexOf(span) % 500 === 499) await clock.advance('10s')
    }
    await clock.advance('10s')
    recent.onSpan(spanFor({ traceId: 'last' }))
    await clock.advance('10s')
    expect(recent.read.status().kinds.spans.rows).toBe(1_000)
    expect(recent.read.traces({}, 1).traces).toMatchObject([{ traceId: 'last' }])
    expect(recent.read.trace(spans[4_000]!.traceId)).toEqual([])
    expect(recent.read.trace(spans[4_001]!.traceId)).toHaveLength(1)
  })

  test('is bounded in age', async () => {
    const { recent, clock } = opened({ bounds: { spans: { maxRows: 1e9, maxBytes: 1e9, maxAgeMs: 60_000 } } })
    recent.onSpan(spanFor({ service: 'old' }))
    await clock.advance('50s')
    recent.onSpan(spanFor({ service: 'new' }))
    await clock.advance('11s')
    recent.onSpan(spanFor({ service: 'last' }))
    await clock.advance('1s')
    expect(servicesOf(recent)).toEqual(['last', 'new'])
  })

  test('is bounded in bytes, and so is the file that it is in', async () => {
    const file = join(await directory(), 'recent.sqlite')
    const maxBytes = 1_000_000
    const { recent, clock } = opened({
      place: { file },
      bounds: { spans: { maxRows: 1e9, maxBytes, maxAgeMs: 1e9 }, maxSpansPerSecond: 1e9 },
    })
    for (let round = 0; round < 40; round++) {
      for (let number = 0; number < 400; number++) recent.onSpan(spanFor({ attributes: { text: 'x'.repeat(1_000) } }))
      await clock.advance('10s')
    }
    const { bytes, rows } = recent.read.status().kinds.spans
    expect(bytes).toBeLessThanOrEqual(maxBytes)
    expect(rows).toBeGreaterThan(500)
    recent.close()
    expect((await stat(file)).size).toBeLessThan(2 * maxBytes + 500_000)
  })

  test('of a span that is too large is all but its attributes', () => {
    const { recent } = opened({ bounds: { maxRowBytes: 100 } })
    const span = spanFor({ attributes: { text: 'x'.repeat(200) }, failure: 'f'.repeat(200) })
    recent.onSpan(span)
    expect(recent.read.trace(span.traceId)).toMatchObject([{ attributes: { 'skerry.truncated': true }, failure: 'f'.repeat(100) }])
  })

  test('is not what comes faster than it may be written, and how much was left out is said', async () => {
    const { recent } = opened({ bounds: { maxWaiting: 10, maxLinesPerSecond: 12 } })
    for (let number = 0; number < 11; number++) recent.onSpan(spanFor())
    for (let number = 0; number < 15; number++) recent.onLine('{"level":"info","time":"2026-01-01T00:00:00.000Z","msg":"said"}\n')
    const [process] = recent.read.status().processes
    expect(process).toMatchObject({ process: 'test', spans: 11, lines: 12, linesLeftOut: 3, dropped: 3 })
    expect(recent.read.status().kinds).toMatchObject({ spans: { rows: 10 }, logs: { rows: 10 } })
  })
})

describe('a file', () => {
  test('is written by two processes at once and read by a third', async () => {
    const file = join(await directory(), 'data', 'recent.sqlite')
    const writers = await Promise.all([writer(file, 'one', 3_000), writer(file, 'other', 3_000)])
    using others = openRecentOfOthers(file, systemClock)!
    await expect.poll(() => new Set(others.read.work(0, 1_000).map(({ service }) => service))).toEqual(new Set(['one', 'other']))
    for (const { lines, ended } of writers) {
      expect(await lines.next()).toMatchObject({ value: 'done' })
      expect(await ended).toEqual([0, null])
    }
    const { kinds, processes } = others.read.status()
    expect(kinds.spans.rows).toBe(6_000)
    expect(
      processes.map(({ process, spans, dropped }) => ({ process, spans, dropped })).toSorted((a, b) => (a.process < b.process ? -1 : 1)),
    ).toEqual([
      { process: 'one', spans: 3_000, dropped: 0 },
      { process: 'other', spans: 3_000, dropped: 0 },
    ])
    const [trace] = others.read.traces({}, 1).traces
    expect(trace).toMatchObject({ spans: 2, services: expect.arrayContaining(['one', 'other']) })
  })

  test('can be read and written on when its writer was killed', async () => {
    const file = join(await directory(), 'recent.sqlite')
    const { child, ended } = await writer(file, 'killed', 1e9)
    await expect.poll(() => openOnce(file)).toBeGreaterThan(200)
    child.kill('SIGKILL')
    await ended
    const before = openOnce(file)
    const { recent, troubles } = opened({ place: { file }, clock: systemClock })
    recent.onSpan(spanFor())
    expect(recent.read.status().kinds.spans.rows).toBe(before + 1)
    expect(troubles).toEqual([])
  })

  test('that is no database is moved aside, and one whose pages are broken too', async () => {
    const file = join(await directory(), 'recent.sqlite')
    await writeFile(file, 'what somebody wrote '.repeat(100))
    const first = opened({ place: { file } })
    for (let number = 0; number < 100; number++) first.recent.onSpan(spanFor())
    expect(first.recent.read.status().kinds.spans.rows).toBe(100)
    first.recent.close()
    expect(await readFile(`${file}.unreadable`, 'utf8')).toContain('what somebody wrote')
    const bytes = await readFile(file)
    await writeFile(file, bytes.fill(7, 100))
    const second = opened({ place: { file } })
    second.recent.onSpan(spanFor())
    expect(second.recent.read.status().kinds.spans.rows).toBe(1)
    expect([...first.troubles, ...second.troubles]).toEqual([])
  })

  test('of another version is emptied; one of another program is left alone, and nothing is kept', async () => {
    const folder = await directory()
    const file = join(folder, 'recent.sqlite')
    opened({ place: { file } }).recent.close()
    const older = new DatabaseSync(file)
    older.exec('alter table span rename to spans_of_old; pragma user_version = 4000')
    older.close()
    expect(openRecentOfOthers(file, systemClock)).toBeUndefined()
    const { recent } = opened({ place: { file } })
    recent.onSpan(spanFor())
    expect(recent.read.status().kinds.spans.rows).toBe(1)

    const foreign = join(folder, 'foreign.sqlite')
    const theirs = new DatabaseSync(foreign)
    theirs.exec('create table precious (id); insert into precious values (1)')
    theirs.close()
    const { recent: none, troubles } = opened({ place: { file: foreign } })
    none.onSpan(spanFor())
    expect(troubles).toMatchObject([{ message: 'The file is a database of another program' }])
    expect(none.read.traces({}, 10).traces).toEqual([])
    expect(new DatabaseSync(foreign).prepare('select * from precious').all()).toHaveLength(1)
  })

  test('that another process has locked is written to when it is free again', async () => {
    const file = join(await directory(), 'recent.sqlite')
    const { recent, clock, troubles } = opened({ place: { file } })
    const other = new DatabaseSync(file)
    other.exec('begin immediate')
    recent.onSpan(spanFor())
    await clock.advance('10s')
    expect(recent.read.status().kinds.spans.rows).toBe(0)
    other.exec('commit')
    await clock.advance('1s')
    expect(openOnce(file)).toBe(1)
    expect(troubles).toEqual([])
  })

  test('that is deleted while it is in use is made anew', async () => {
    const folder = join(await directory(), 'data')
    const file = join(folder, 'recent.sqlite')
    const { recent, clock, troubles } = opened({ place: { file } })
    recent.onSpan(spanFor())
    await clock.advance('1s')
    await rm(folder, { recursive: true })
    recent.onSpan(spanFor({ service: 'after' }))
    await clock.advance('1s')
    expect(servicesOf(recent)).toEqual(['after'])
    expect(openOnce(file)).toBe(1)
    expect(troubles).toEqual([])
  })

  test('that cannot be opened: said once, and tried again every minute', async () => {
    const file = join(await directory(), 'in-the-way', 'recent.sqlite')
    await writeFile(join(file, '..'), '')
    const { recent, clock, troubles } = opened({ place: { file } })
    for (let round = 0; round < 5; round++) {
      recent.onSpan(spanFor())
      await clock.advance('30s')
    }
    expect(troubles).toHaveLength(1)
    expect(recent.read.status()).toMatchObject({ processes: [], kinds: { spans: { rows: 0 } } })
    await rm(join(file, '..'))
    await mkdir(join(file, '..'))
    recent.onSpan(spanFor())
    await clock.advance('2m')
    recent.onSpan(spanFor({ service: 'after' }))
    expect(servicesOf(recent)).toContain('after')
    expect(recent.read.status().processes[0]!.dropped).toBeGreaterThan(0)
  })

  test('for which the disk is full: said once, and the process goes on', async () => {
    const file = join(await directory(), 'recent.sqlite')
    // A file may have 512 blocks of 512 bytes, and the signal that says so is ignored: writing fails as on a full disk.
    const { lines, ended } = await writer(file, 'full', 3_000, `trap '' XFSZ; ulimit -f 512;`)
    expect([(await lines.next()).value, (await lines.next()).value]).toEqual(['trouble', 'done'])
    expect(await ended).toEqual([0, null])
  })
})

test('metrics are sampled, as they are now and over time', async () => {
  const { recent, clock } = opened()
  const metrics = new Metrics()
  const calls = metrics.counter({ name: 'calls', unit: '{call}', description: 'Calls.' }, { service: 'a' })
  const took = metrics.histogram({ name: 'took', unit: 's', description: 'Time.', bounds: [1, 2] }, {})
  recent.watch(metrics)
  calls.add(2)
  took.record(1.5)
  await clock.advance('16s')
  calls.add(3)
  await clock.advance('16s')
  expect(recent.read.metrics()).toMatchObject([
    { name: 'calls', kind: 'counter', unit: '{call}', points: [{ process: 'test', labels: { service: 'a' }, value: 5, count: undefined }] },
    { name: 'took', kind: 'histogram', points: [{ value: 1.5, count: 1, buckets: { bounds: [1, 2], counts: [0, 1, 0] } }] },
  ])
  expect(recent.read.series('calls', 0)!.points.map(({ value }) => value)).toEqual([2, 5])
  expect(recent.read.series('other', 0)).toBeUndefined()
  await clock.advance('10m')
  recent.close()
  await clock.advance('10m')
})

function openOnce(file: string): number {
  using others = openRecentOfOthers(file, systemClock)
  return others?.read.status().kinds.spans.rows ?? 0
}

test('a trace is found by what one of its spans is', async () => {
  const { recent } = opened()
  const traceId = hexadecimal(0xabc, 32)
  const startMs = Date.UTC(2026, 0, 1)
  const root = spanFor({
    traceId,
    service: 'gateway',
    name: 'POST /orders',
    durationMs: 30,
    startMs,
    attributes: { 'rpc.method': 'orders.placeOrder' },
  })
  recent.onSpan(
    spanFor({
      traceId,
      parentSpanId: root.spanId,
      startMs: startMs + 5,
      durationMs: 60,
      failure: 'No 100% stock',
      attributes: { order: 7, gift: true, by: 'Ann' },
    }),
  )
  recent.onSpan(root)
  const other = spanFor({ service: 'users', name: 'users.getUser', startMs: startMs + 1_000 })
  recent.onSpan(other)
  const found = (filter: Parameters<typeof recent.read.traces>[0]) => recent.read.traces(filter, 10).traces.map((trace) => trace.traceId)
  expect(recent.read.traces({}, 10)).toEqual({
    traces: [
      expect.objectContaining({ traceId: other.traceId }),
      {
        traceId,
        service: 'gateway',
        name: 'POST /orders',
        startMs,
        durationMs: 30,
        wholeMs: 65,
        spans: 2,
        failures: 1,
        services: ['orders', 'gateway'],
      },
    ],
    next: undefined,
  })
  const both = [other.traceId, traceId]
  for (const [filter, expected] of [
    [{ service: 'users' }, [other.traceId]],
    [{ operation: 'orders.placeOrder' }, [traceId]],
    [{ operation: 'POST /orders' }, [traceId]],
    [{ status: 'failed' }, [traceId]],
    [{ status: 'ok' }, [other.traceId]],
    [{ minDurationMs: 31 }, [traceId]],
    [{ minDurationMs: 61 }, []],
    [{ minDurationMs: 31, service: 'gateway' }, []],
    [{ attribute: { name: 'order', value: '7' } }, [traceId]],
    [{ attribute: { name: 'by', value: 'Ann' } }, [traceId]],
    [{ attribute: { name: 'gift', value: 'true' } }, [traceId]],
    [{ attribute: { name: 'order', value: '8' } }, []],
    [{ text: '100%' }, [traceId]],
    [{ text: 'ann' }, [traceId]],
    [{ text: '1_0' }, []],
    [{ sinceMs: startMs + 500 }, [other.traceId]],
    [{ untilMs: startMs + 500 }, [traceId]],
    [{}, both],
  ] as const)
    expect(found(filter), JSON.stringify(filter)).toEqual(expected)
})

test('pages of traces name each once, whatever is written meanwhile', () => {
  const { recent } = opened()
  const ids = Array.from({ length: 5 }, (_, number) => hexadecimal(number + 1, 32))
  for (const round of [0, 1, 2]) for (const traceId of ids) recent.onSpan(spanFor({ traceId, name: `round ${round}` }))
  const first = recent.read.traces({}, 2)
  recent.onSpan(spanFor({ traceId: ids[0]! }))
  recent.onSpan(spanFor())
  const second = recent.read.traces({ before: first.next }, 2)
  const third = recent.read.traces({ before: second.next }, 2)
  expect([first, second, third].map(({ traces }) => traces.map(({ traceId }) => ids.indexOf(traceId)))).toEqual([[4, 3], [2, 1], []])
  expect(third.next).toBeUndefined()
})

test('lines of the log are found by what they are, page by page both ways', () => {
  const { recent } = opened()
  const write = (fields: object): void =>
    recent.onLine(`${JSON.stringify({ level: 'info', time: '2026-01-01T00:00:00.000Z', ...fields })}\n`)
  write({ msg: 'first', service: 'orders', traceId: 't', spanId: 's', order: 7 })
  write({ msg: 'second', level: 'error', cause: { stack: 'Error: broke' } })
  write({ msg: 'third', level: 'debug' })
  recent.onLine('no line of the log')
  recent.onLine('{"level":"loud","time":"2026-01-01T00:00:00.000Z"}')
  const end = { before: Number.MAX_SAFE_INTEGER }
  const messages = (filter: Parameters<typeof recent.read.lines>[0]) => recent.read.lines(filter, end, 10).map(({ message }) => message)
  expect(messages({})).toEqual(['first', 'second', 'third'])
  expect(messages({ level: 'info' })).toEqual(['first', 'second'])
  expect(messages({ service: 'orders' })).toEqual(['first'])
  expect(messages({ traceId: 't' })).toEqual(['first'])
  expect(messages({ text: 'BROKE' })).toEqual(['second'])
  expect(messages({ sinceMs: Date.UTC(2026, 0, 2) })).toEqual([])
  const [first, second, third] = recent.read.lines({}, end, 10)
  expect(first).toMatchObject({ level: 'info', service: 'orders', traceId: 't', spanId: 's', fields: '{"order":7}' })
  expect(recent.read.lines({}, { before: third!.id }, 1)).toEqual([second])
  expect(recent.read.lines({}, { after: first!.id }, 1)).toEqual([second])
})
