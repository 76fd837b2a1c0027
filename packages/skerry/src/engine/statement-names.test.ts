import { expect, test } from 'vitest'
import { MAX_PREPARED_STATEMENTS, PreparedStatements, StatementNames } from './statement-names.ts'

test('a text is named when it is seen again, and keeps its name', () => {
  const names = new StatementNames('s')
  expect(names.nameOf('select 1')).toBeUndefined()
  expect(names.nameOf('select 2')).toBeUndefined()
  const name = names.nameOf('select 1')
  expect(name).toBe('s1')
  expect(names.nameOf('select 2')).toBe('s2')
  expect(names.nameOf('select 1')).toBe(name)
})

test('a forgotten text gets another name', () => {
  const names = new StatementNames('s')
  for (let use = 0; use < 2; use++) names.nameOf('select 1')
  names.forget('select 1')
  expect(names.nameOf('select 1')).toBeUndefined()
  expect(names.nameOf('select 1')).toBe('s2')
})

test('texts that are not used again are forgotten, those in use are not', () => {
  const names = new StatementNames('s')
  names.nameOf('hot')
  for (let n = 0; n < 5_000; n++) {
    expect(names.nameOf('hot')).toBe('s1')
    names.nameOf(`cold ${n}`)
  }
  expect(names.nameOf('cold 0')).toBeUndefined()
})

test('a connection closes the statement used longest ago when it has too many, and never gives a name twice', () => {
  const prepared = new PreparedStatements()
  const given = new Set<string>()
  for (let n = 0; n < MAX_PREPARED_STATEMENTS; n++) {
    const { statement, close } = prepared.use(`s${n}`)
    expect(close).toBeUndefined()
    given.add(statement.name)
  }
  const first = prepared.use('s0').statement
  const { close } = prepared.use('another')
  expect(given.has(close!)).toBe(true)
  expect(close).not.toBe(first.name)
  expect(prepared.use('s0').statement).toBe(first)
  expect(given.has(prepared.use('s1').statement.name)).toBe(false)
})
