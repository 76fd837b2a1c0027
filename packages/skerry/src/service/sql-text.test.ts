import { expect, test } from 'vitest'
import { readSql } from './sql-text.ts'

const SCRIPTS: readonly (readonly [sql: string, statements: readonly string[], comments?: readonly string[]])[] = [
  ['', []],
  [' ; ;select 1;', ['select 1']],
  ["select 'a; b'; select 2", ["select ''", 'select 2']],
  ["select 'it''s; -- not a comment'; select 2", ["select ''", 'select 2']],
  ["select E'\\'; still'; select 2", ["select E''", 'select 2']],
  ["select '\\'; select 2", ["select ''", 'select 2']],
  ['select "a;b""c" from t; select 2', ['select "a;b""c" from t', 'select 2']],
  ['select 1 -- one; two\n; select 2', ['select 1', 'select 2'], ['-- one; two']],
  ['select/* a /* b; */ c; */1; select 2', ['select 1', 'select 2'], ['/* a /* b; */ c; */']],
  ['do $$ begin; end $$; select 2', ["do ''", 'select 2']],
  ['do $a$ $$ ; $b$ $a$; select 2', ["do ''", 'select 2']],
  ['select a$$b, c; select 2', ['select a$$b, c', 'select 2']],
  ['select $1; select 2', ['select $1', 'select 2']],
  ["select 'never closed; select 2", ["select ''"]],
  ['select 1 /* never closed; select 2', ['select 1'], ['/* never closed; select 2']],
]

test.each(SCRIPTS.map(([sql, statements, comments = []]) => ({ sql, statements, comments })))('$sql', ({ sql, statements, comments }) => {
  expect(readSql(sql)).toEqual({ statements, comments })
})
