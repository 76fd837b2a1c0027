import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { readableLine, readableLog } from './readable-log.ts'

const entry = { level: 'warn', time: '2026-01-31T12:34:56.789Z', service: 'users', msg: 'It rains', broker: 'embedded', retries: 3 }
const local = new Date(entry.time)
const clock = [local.getHours(), local.getMinutes(), local.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':')

test('is short: local time, level, service, message, the other fields', () => {
  expect(readableLine(`${JSON.stringify(entry)}\n`)).toBe(`${clock} warn  users: It rains broker=embedded retries=3\n`)
})

test('shows the stack of a cause below', () => {
  const line = readableLine(JSON.stringify({ ...entry, cause: { type: 'Error', message: 'no', stack: 'Error: no\n    at x.ts:1' } }))
  expect(line.split('\n').slice(1)).toEqual(['    Error: no', '        at x.ts:1', ''])
})

test('takes away what would move the cursor of a terminal', () => {
  expect(readableLine(JSON.stringify({ ...entry, msg: 'a\u001b[2Jb', broker: '\u001b[31mred' }))).not.toContain('\u001b')
})

test('leaves alone what is no log line', () => {
  expect(readableLine('plain words\n')).toBe('plain words\n')
})

test('has colours only where the output is a terminal', () => {
  const output = new PassThrough()
  readableLog(output).write(JSON.stringify(entry))
  expect(output.read()?.toString()).toBe(readableLine(JSON.stringify(entry)))
})
