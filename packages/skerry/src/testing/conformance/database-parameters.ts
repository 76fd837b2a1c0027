/** Every kind of parameter that the port's description names, from JavaScript to the database. */
import { strict as assert } from 'node:assert'
import type { DatabaseEngine } from '../../engine/database.ts'
import type { ConformanceCase } from './conformance-case.ts'
import { databaseCase, failure, times, value } from './database-scene.ts'

type Sent = readonly (readonly [parameter: unknown, expression: string, expected: unknown])[]

const AT = new Date('2026-07-01T10:11:12.013Z')
const MANY_PARAMETERS = 10_000

const parameters: Record<string, Sent> = {
  numbers: [
    [1, '$1::int4', 1],
    [-0.5, '$1::float8', -0.5],
    [-0, '$1::float8', -0],
    [Number.NaN, '$1::float8', Number.NaN],
    [Number.POSITIVE_INFINITY, '$1::float8', Number.POSITIVE_INFINITY],
    [Number.NEGATIVE_INFINITY, '$1::numeric', Number.NEGATIVE_INFINITY],
    [1e21, '$1::numeric', '1000000000000000000000'],
    [5e-324, '$1::float8', 5e-324],
    [Number.MAX_SAFE_INTEGER, '$1::int8', Number.MAX_SAFE_INTEGER],
    [7, '$1::text', '7'],
  ],
  bigints: [
    [1n, '$1::int8', 1],
    [9_007_199_254_740_993n, '$1::int8', '9007199254740993'],
    [-9_223_372_036_854_775_808n, '$1::int8', '-9223372036854775808'],
    [10n ** 30n, '$1::numeric', `1${'0'.repeat(30)}`],
  ],
  booleans: [
    [true, '$1::bool', true],
    [false, '$1::bool', false],
    [true, '$1::text', 'true'],
  ],
  strings: [
    ['', '$1::text', ''],
    ['Grüße, 世界 🌍', '$1::text', 'Grüße, 世界 🌍'],
    [`it's "quoted" \\ $1 -- ; {}`, '$1::text', `it's "quoted" \\ $1 -- ; {}`],
    ['42', '$1::int4', 42],
    ['9007199254740993', '$1::int8', '9007199254740993'],
    ['19.99', '$1::numeric', 19.99],
    ['2024-02-29', '$1::date', '2024-02-29'],
    ['2026-07-01T12:11:12.013+02:00', '$1::timestamptz', AT],
    ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '$1::uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['P1DT2H', '$1::interval', 'P1DT2H'],
    ['😀', 'length($1::text)', 1],
  ],
  dates: [
    [AT, '$1::timestamptz', AT],
    [AT, '$1::timestamp', AT],
    [AT, '$1::date', '2026-07-01'],
    [AT, '$1::text', '2026-07-01T10:11:12.013Z'],
    [new Date('2026-12-31T23:59:59.999Z'), '$1::date', '2026-12-31'],
    [new Date('-000043-03-15T12:00:00Z'), '$1::timestamptz', new Date('-000043-03-15T12:00:00Z')],
    [new Date('0000-06-01T00:00:00Z'), '$1::timestamptz', new Date('0000-06-01T00:00:00Z')],
    [new Date('+012026-01-01T00:00:00Z'), '$1::timestamptz', new Date('+012026-01-01T00:00:00Z')],
    [Number.POSITIVE_INFINITY, '$1::timestamptz', Number.POSITIVE_INFINITY],
  ],
  bytes: [
    [new Uint8Array([0, 1, 255]), '$1::bytea', new Uint8Array([0, 1, 255])],
    [new Uint8Array(), '$1::bytea', new Uint8Array()],
    [Buffer.from('hello'), '$1::bytea', new Uint8Array([104, 101, 108, 108, 111])],
    [new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4), '$1::bytea', new Uint8Array([1, 2, 3])],
  ],
  'JSON, as a string': [
    ['{"a":[1,"ü"]}', '$1::jsonb', { a: [1, 'ü'] }],
    ['[1,2]', '$1::jsonb', [1, 2]],
    ['"text"', '$1::jsonb', 'text'],
    ['null', '$1::jsonb', null],
    ['{"n":1}', '$1::json', { n: 1 }],
    ['{"a":{"b":[5]}}', `$1::jsonb #>> '{a,b,0}'`, '5'],
  ],
  arrays: [
    [[1, 2, null], '$1::int4[]', [1, 2, null]],
    [[], '$1::text[]', []],
    [
      ['', 'NULL', null, 'a,b', '{x}', 'say "hi"', 'back\\slash', ' spaced '],
      '$1::text[]',
      ['', 'NULL', null, 'a,b', '{x}', 'say "hi"', 'back\\slash', ' spaced '],
    ],
    [
      [
        [1, 2],
        [3, 4],
      ],
      '$1::int4[]',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [[9_007_199_254_740_993n, 1n], '$1::int8[]', ['9007199254740993', 1]],
    [[true, false], '$1::bool[]', [true, false]],
    [[AT], '$1::timestamptz[]', [AT]],
    [[new Uint8Array([255, 0])], '$1::bytea[]', [new Uint8Array([255, 0])]],
    [['{"a":"x,y"}'], '$1::jsonb[]', [{ a: 'x,y' }]],
    [[2, 3], '2 = any($1::int4[])', true],
    [['x'], 'cardinality($1::text[])', 1],
  ],
}

const refused: readonly (readonly [name: string, parameter: unknown])[] = [
  ['undefined', undefined],
  ['an object', { a: 1 }],
  ['an object in an array', [{ a: 1 }]],
  ['undefined in an array', [1, undefined]],
  ['an invalid Date', new Date(Number.NaN)],
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
]

export const parameterCases: readonly ConformanceCase<DatabaseEngine>[] = [
  ...Object.entries(parameters).map(([name, sent]) =>
    databaseCase(`parameters: ${name}`, async (scene) => {
      const database = await scene.open()
      for (const [parameter, expression, expected] of sent)
        assert.deepEqual(
          await value(database, `select ${expression} as value`, [parameter]),
          expected,
          `${expression} with ${String(parameter)}`,
        )
    }),
  ),

  databaseCase('parameters: null, for every type', async (scene) => {
    const database = await scene.open()
    for (const type of 'int4 int8 float8 numeric bool text uuid date timestamptz bytea jsonb interval text[]'.split(' '))
      assert.equal(await value(database, `select $1::${type} as value`, [null]), null, type)
  }),

  databaseCase('parameters: their types come from the statement', async (scene) => {
    const database = await scene.open(scene.name(), 'create table kept (n int8, at timestamptz, doc jsonb, tags text[])')
    await database.query('insert into kept values ($1, $2, $3, $4)', ['5', AT.toISOString(), '{"a":1}', ['x']])
    assert.deepEqual((await database.query('select * from kept where n = $1 and tags @> $2 and at >= $3', [5, ['x'], AT])).rows, [
      { n: 5, at: AT, doc: { a: 1 }, tags: ['x'] },
    ])
    assert.deepEqual(
      (
        await database.query('select unnest($1::int4[]) as n, unnest($2::text[]) as t', [
          [1, 2],
          ['a', 'b'],
        ])
      ).rows,
      [
        { n: 1, t: 'a' },
        { n: 2, t: 'b' },
      ],
    )
  }),

  databaseCase('parameters: what is no SQL value is refused before anything is sent, with its place', async (scene) => {
    const database = await scene.open()
    for (const [name, parameter] of refused) {
      const error = await failure(database.query('select $1::text, $2::text', ['fine', parameter]), 'statement')
      assert.match(error.message, /\$2/, `the message about ${name} names the parameter: ${error.message}`)
    }
    assert.equal(await value(database, 'select 1'), 1, 'the database still answers')
    await database.transaction('read committed', async (transaction) => {
      await failure(transaction.query('select $1::text', [undefined]), 'statement')
      assert.equal(await value(transaction, 'select 1'), 1, 'the transaction can go on: the server never saw the statement')
    })
  }),

  databaseCase('parameters: a JavaScript array is a PostgreSQL array, so it is no JSON', async (scene) => {
    const database = await scene.open()
    await failure(database.query('select $1::jsonb', [[1, 2]]), 'statement', '22P02')
  }),

  databaseCase(`parameters: ${MANY_PARAMETERS} in one statement`, async (scene) => {
    const database = await scene.open(scene.name(), 'create table kept (n int4)')
    const placeholders = times(MANY_PARAMETERS, (index) => `($${index + 1})`).join(', ')
    const { affected } = await database.query(
      `insert into kept values ${placeholders}`,
      times(MANY_PARAMETERS, (index) => index),
    )
    assert.equal(affected, MANY_PARAMETERS)
    assert.deepEqual((await database.query('select count(*) as n, sum(n) as total from kept')).rows, [
      { n: MANY_PARAMETERS, total: (MANY_PARAMETERS * (MANY_PARAMETERS - 1)) / 2 },
    ])
  }),

  databaseCase('parameters: a wrong number of them is refused', async (scene) => {
    const database = await scene.open()
    await failure(database.query('select $1::int4, $2::int4', [1]), 'statement', '08P01')
    assert.equal(await value(database, 'select 1'), 1)
  }),
]
