import { describe, expect, test } from 'vitest'
import { checkScript, checkStatement } from './statement-guard.ts'

describe('one statement', () => {
  test.each([
    'commit',
    'COMMIT;',
    ' \n begin',
    '--x\nrollback',
    '/* a *//* b */ end',
    'rollback work',
    'abort',
    'start transaction',
    "set timezone = 'UTC'",
    'set session x = 1',
    'reset all',
    'discard all',
    'listen a',
    "prepare transaction 'x'",
  ])('%j is refused', (sql) => expect(() => checkStatement(sql)).toThrow('is not for services'))

  test.each([
    'select 1',
    'set local x = 1',
    'set constraints all deferred',
    'set transaction read only',
    'rollback to here',
    'rollback work to savepoint here',
    'savepoint s',
    'ended',
    'select 1 -- commit',
    'prepare p as select 1',
    'settle',
    'commits',
  ])('%j is not', (sql) => expect(() => checkStatement(sql)).not.toThrow())

  test('a NUL character is refused: PostgreSQL would read half of it', () => {
    expect(() => checkStatement('select 1\0; drop')).toThrow('NUL')
    expect(() => checkScript('select 1\0; drop')).toThrow('NUL')
  })
})

describe('a script', () => {
  test.each([
    'begin; select 1; commit',
    'select 1; -- so\n /* and so */ COMMIT',
    `select ';'; end`,
    `select $$;$$; rollback`,
    `select $a$ $$; $a$; abort`,
    `select E'\\'; x'; commit`,
    'select ";"; start transaction',
  ])('%j is refused', (sql) => expect(() => checkScript(sql)).toThrow('is not for services'))

  test.each([
    `select '; commit'`,
    `select 'it''s; commit'`,
    `select E'it\\'s; commit'`,
    'select "; commit"',
    'select 1 -- ; commit',
    'select 1 /* ; commit */',
    'create function f() returns int language plpgsql as $body$ begin return 1; end; $body$; select 1',
    'create procedure p() begin atomic insert into t values (1); end; select 1',
    "set timezone = 'UTC'; reset all",
    'savepoint a; rollback to a; release a',
    '',
  ])('%j is not', (sql) => expect(() => checkScript(sql)).not.toThrow())

  test('a large one is looked through in no time worth measuring: nothing in it is read twice', () => {
    const large = `${'select 1 /* x */ -- y\n;'.repeat(20_000)}${' '.repeat(100_000)}${"insert into t values ('a', $$b$$);".repeat(20_000)}`
    checkScript(large)
    expect(() => checkScript(`${large} commit`)).toThrow('"commit"')
  })
})
