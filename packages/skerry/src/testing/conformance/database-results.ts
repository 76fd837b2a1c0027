/** Every type that the port's description names, from the database to JavaScript. */
import { strict as assert } from 'node:assert'
import type { DatabaseEngine } from '../../engine/database.ts'
import type { ConformanceCase } from './conformance-case.ts'
import { databaseCase, value } from './database-scene.ts'

type Expected = readonly (readonly [sql: string, expected: unknown])[]

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => byte)
const TRICKY_TEXT = `a "quoted" \\ back\\slash, {braces} 'single' NULL\n\ttab ünï©ødé 👩‍👩‍👧 \u200b`

const results: Record<string, Expected> = {
  'integers and floats are numbers': [
    [`32767::int2`, 32_767],
    [`'-2147483648'::int4`, -2_147_483_648],
    [`1.5::float4`, 1.5],
    [`0.1::float8`, 0.1],
    [`1.7976931348623157e308::float8`, Number.MAX_VALUE],
    [`5e-324::float8`, Number.MIN_VALUE],
    [`'NaN'::float8`, Number.NaN],
    [`'Infinity'::float8`, Number.POSITIVE_INFINITY],
    [`'-Infinity'::float4`, Number.NEGATIVE_INFINITY],
    [`4294967295::oid`, 4_294_967_295],
  ],
  'bigints are numbers while exact, else strings': [
    [`0::int8`, 0],
    [`9007199254740991::int8`, 9_007_199_254_740_991],
    [`'-9007199254740991'::int8`, -9_007_199_254_740_991],
    [`9007199254740992::int8`, '9007199254740992'],
    [`9007199254740993::int8`, '9007199254740993'],
    [`'-9223372036854775808'::int8`, '-9223372036854775808'],
    [`(select count(*) from generate_series(1, 3))`, 3],
    [`(select sum(n) from generate_series(1, 3) as s (n))`, 6],
  ],
  'numerics are numbers while exact, else strings': [
    [`19.99::numeric(10, 2)`, 19.99],
    [`1.50::numeric(10, 2)`, 1.5],
    [`0.00::numeric(10, 2)`, 0],
    [`'-0.5'::numeric`, -0.5],
    [`100::numeric`, 100],
    [`0.0000000001::numeric`, 1e-10],
    [`9007199254740991::numeric`, 9_007_199_254_740_991],
    [`9007199254740993::numeric`, '9007199254740993'],
    [`123456789012345678901234567890.12::numeric`, '123456789012345678901234567890.12'],
    [`0.12345678901234567891::numeric`, '0.12345678901234567891'],
    [`0.300000000000000001::numeric`, '0.300000000000000001'],
    [`'NaN'::numeric`, Number.NaN],
    [`'Infinity'::numeric`, Number.POSITIVE_INFINITY],
  ],
  'booleans are booleans': [
    [`true`, true],
    [`false`, false],
  ],
  'text is text, empty and Unicode included': [
    [`''`, ''],
    [`'Grüße, 世界 🌍'::text`, 'Grüße, 世界 🌍'],
    [`'ab'::char(4)`, 'ab  '],
    [`'abc'::varchar(3)`, 'abc'],
    [`'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid`, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    [`'x'::name`, 'x'],
    [`'192.168.0.1/24'::inet`, '192.168.0.1/24'],
    [`'[1,5)'::int4range`, '[1,5)'],
  ],
  'dates and times of day are text': [
    [`'2024-02-29'::date`, '2024-02-29'],
    [`'0044-03-15 BC'::date`, '0044-03-15 BC'],
    [`'12:34:56.789'::time`, '12:34:56.789'],
    [`'12:34:56+02'::timetz`, '12:34:56+02'],
  ],
  'timestamps are Dates, in UTC unless they say otherwise': [
    [`'2026-01-02 03:04:05.678'::timestamp`, new Date('2026-01-02T03:04:05.678Z')],
    [`'2026-01-02 03:04:05'::timestamp`, new Date('2026-01-02T03:04:05Z')],
    [`'2026-07-01 12:00:00+02'::timestamptz`, new Date('2026-07-01T10:00:00Z')],
    [`'2026-07-01 12:00:00 America/New_York'::timestamptz`, new Date('2026-07-01T16:00:00Z')],
    [`'2026-07-01 12:00:00.123999+05:30'::timestamptz`, new Date('2026-07-01T06:30:00.123Z')],
    [`'1969-12-31 23:59:59.5'::timestamp`, new Date(-500)],
    [`'0001-01-01 00:00:00'::timestamp`, new Date('0001-01-01T00:00:00Z')],
    [`'0044-03-15 12:00:00 BC'::timestamp`, new Date('-000043-03-15T12:00:00Z')],
    [`'12026-01-01 00:00:00+00'::timestamptz`, new Date('+012026-01-01T00:00:00Z')],
    [`'infinity'::timestamptz`, Number.POSITIVE_INFINITY],
    [`'-infinity'::timestamp`, Number.NEGATIVE_INFINITY],
  ],
  'bytea is a Uint8Array': [
    [`''::bytea`, new Uint8Array()],
    [`'\\x00ff10'::bytea`, new Uint8Array([0, 255, 16])],
    [`decode('${Buffer.from(EVERY_BYTE).toString('hex')}', 'hex')`, EVERY_BYTE],
  ],
  'JSON is parsed': [
    [`'{"a": [1, "ü", null, {"b": true}]}'::jsonb`, { a: [1, 'ü', null, { b: true }] }],
    [`'[1, 2]'::json`, [1, 2]],
    [`'"text"'::jsonb`, 'text'],
    [`'1.5'::jsonb`, 1.5],
    [`'null'::jsonb`, null],
    [`json_build_object('n', 1)`, { n: 1 }],
  ],
  'intervals are ISO 8601': [
    [`'1 year 2 months 3 days 04:05:06.7'::interval`, 'P1Y2M3DT4H5M6.7S'],
    [`'-90 minutes'::interval`, 'PT-1H-30M'],
    [`'0'::interval`, 'PT0S'],
  ],
  'arrays are arrays': [
    [`array[1, 2, null]::int4[]`, [1, 2, null]],
    [`'{}'::int4[]`, []],
    [
      `array[[1, 2], [3, 4]]`,
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [`'[0:1]={7,8}'::int4[]`, [7, 8]],
    [`array[1, 9007199254740993]::int8[]`, [1, '9007199254740993']],
    [`array[19.99, 1.50]::numeric[]`, [19.99, 1.5]],
    [`array[true, false]`, [true, false]],
    [
      `array['', 'NULL', null, 'a,b', '{x}', 'say "hi"', 'back\\slash', ' spaced ', 'ünï']::text[]`,
      ['', 'NULL', null, 'a,b', '{x}', 'say "hi"', 'back\\slash', ' spaced ', 'ünï'],
    ],
    [`array['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']::uuid[]`, ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
    [`array['2024-02-29']::date[]`, ['2024-02-29']],
    [`array['2026-07-01 12:00:00+02']::timestamptz[]`, [new Date('2026-07-01T10:00:00Z')]],
    [`array['\\xff00']::bytea[]`, [new Uint8Array([255, 0])]],
    [`array['{"a": "x,y"}']::jsonb[]`, [{ a: 'x,y' }]],
    [`array['1 day']::interval[]`, ['P1D']],
    [`array['a', 'b']::varchar[]`, ['a', 'b']],
  ],
}

const NULLABLE =
  'int2 int4 int8 float4 float8 numeric bool text varchar uuid date time timestamp timestamptz bytea json jsonb interval int4[] text[]'

export const resultCases: readonly ConformanceCase<DatabaseEngine>[] = [
  ...Object.entries(results).map(([name, expectations]) =>
    databaseCase(`results: ${name}`, async (scene) => {
      const database = await scene.open()
      for (const [sql, expected] of expectations) assert.deepEqual(await value(database, `select ${sql} as value`), expected, sql)
    }),
  ),

  databaseCase('results: NULL is null, in every type', async (scene) => {
    const database = await scene.open()
    for (const type of NULLABLE.split(' ')) assert.equal(await value(database, `select null::${type}`), null, type)
  }),

  databaseCase('results: enums are text, and arrays of enums and domains are arrays, once a migration has made them', async (scene) => {
    const database = await scene.open(
      scene.name(),
      `create type mood as enum ('good', 'so, so'); create domain cents as int check (value >= 0)`,
    )
    const sql = `select 'good'::mood as one, array['good', 'so, so']::mood[] as many, array[1, null]::cents[] as amounts, 5::cents as amount`
    const expected = { one: 'good', many: ['good', 'so, so'], amounts: [1, null], amount: 5 }
    assert.deepEqual((await database.query(sql)).rows, [expected], 'at first sight, outside a transaction')
    const other = await scene.open(scene.name(), `create type mood as enum ('good', 'so, so'); create domain cents as int`)
    await other.transaction('serializable', async (transaction) => {
      assert.deepEqual((await transaction.query(sql)).rows, [expected], 'at first sight, inside a transaction')
      assert.deepEqual((await transaction.query(sql)).rows, [expected], 'again')
    })
  }),

  databaseCase('results: rows keep the order and names of their columns', async (scene) => {
    const database = await scene.open()
    const { rows } = await database.query(
      `select n as "Zähler", n * 2 as "two words", 'x' as a from generate_series(1, 3) as s (n) order by n desc`,
    )
    assert.deepEqual(rows, [
      { Zähler: 3, 'two words': 6, a: 'x' },
      { Zähler: 2, 'two words': 4, a: 'x' },
      { Zähler: 1, 'two words': 2, a: 'x' },
    ])
    assert.deepEqual(Object.keys(rows[0]!), ['Zähler', 'two words', 'a'])
    assert.deepEqual((await database.query('select 1 as n where false')).rows, [])
  }),

  databaseCase('results: what a table holds comes back as it was written', async (scene) => {
    const database = await scene.open(
      scene.name(),
      `create table kept (i int4, l int8, f float8, n numeric, b bool, t text, at timestamptz, local timestamp, d date, raw bytea, doc jsonb, tags text[], grid int4[])`,
    )
    const at = new Date('2026-03-29T01:30:00.001Z')
    const numbers = { i: -1, l: 42, f: -1.5e-9, n: 19.99, b: false }
    const texts = { t: TRICKY_TEXT, at, local: at, d: '2026-03-29', raw: EVERY_BYTE }
    const grid = [
      [1, 2],
      [3, 4],
    ]
    const row = { ...numbers, ...texts, doc: { text: TRICKY_TEXT, list: [1, null] }, tags: [TRICKY_TEXT, '', 'NULL'], grid }
    const parameters = Object.values({ ...row, doc: JSON.stringify(row.doc) })
    const placeholders = parameters.map((_, index) => `$${index + 1}`).join(', ')
    assert.deepEqual((await database.query(`insert into kept values (${placeholders}) returning *`, parameters)).rows, [row])
    assert.deepEqual((await database.query('select * from kept')).rows, [row])
  }),

  databaseCase('results: a megabyte of text, of bytes and of rows', async (scene) => {
    const database = await scene.open(scene.name(), 'create table large (id int4, t text, raw bytea)')
    const text = 'ü€𝄞a'.repeat(130_000)
    const bytes = new Uint8Array(1_100_000).map((_, index) => index % 251)
    await database.query('insert into large values (1, $1, $2)', [text, bytes])
    const { rows } = await database.query<{ t: string; raw: Uint8Array }>('select t, raw from large')
    assert.ok(rows[0]!.t === text, 'the text is the same')
    assert.deepEqual(rows[0]!.raw, bytes)
    const many = await database.query("select n, repeat('x', 100) as t from generate_series(1, 20000) as s (n)")
    assert.equal(many.rows.length, 20_000)
    assert.deepEqual(many.rows.at(-1), { n: 20_000, t: 'x'.repeat(100) })
  }),
]
