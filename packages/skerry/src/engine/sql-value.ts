/**
 * PostgreSQL's values on their way to JavaScript, the same for every engine: a parser per type for the text format, as
 * the port's description lists them. Engines must set `SESSION_SETTINGS`, which decide how the server writes values.
 */
export type ValueParser = (text: string) => unknown

/** Settings under which these parsers and the port's description hold, whatever the server's configuration says. */
export const SESSION_SETTINGS = {
  timezone: 'UTC',
  datestyle: 'ISO',
  intervalstyle: 'iso_8601',
  bytea_output: 'hex',
  extra_float_digits: '1',
  default_transaction_isolation: 'read committed',
} as const

/** The parser for a type of PostgreSQL's own (its object id); undefined when the text is the value. */
export function parserOf(typeId: number): ValueParser | undefined {
  return PARSERS.get(typeId)
}

/** A parser for arrays of any type: without `element`, elements stay text. `delimiter` is the element type's. */
export function arrayParser(element: ValueParser | undefined, delimiter = ','): ValueParser {
  return (text) => parseArray(text, element, delimiter)
}

function parseInteger(text: string): number | string {
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : text
}

/** Every decimal of up to 15 significant digits survives the way through a double; a longer one only when it prints the same. */
function parseNumeric(text: string): number | string {
  const value = Number(text)
  if (!Number.isFinite(value)) return text === 'NaN' || text.endsWith('Infinity') ? value : text
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return text
  const digits = text.includes('.') ? text.replace(/0+$/, '') : text
  const significant = digits.replace(/^-?0*\.?0*/, '').replace('.', '')
  return significant.length <= 15 || String(value) === digits.replace(/\.$/, '') ? value : text
}

const TIMESTAMP = /^(\d{4,})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?$/

/**
 * A timestamp without time zone is read as UTC, which is how a Date is written to one. A Date holds milliseconds: what
 * is finer is cut off. `infinity` is not a date and becomes the number, which compares with dates as it should.
 */
function parseTimestamp(text: string): Date | number {
  // What sessions set to UTC write of our times, and ECMAScript's own format but for two characters: parsed natively, in a tenth of the time.
  if (text[10] === ' ' && text.endsWith('+00')) {
    const date = new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`)
    if (!Number.isNaN(date.getTime())) return date
  }
  const match = TIMESTAMP.exec(text)
  if (match === null) return text === '-infinity' ? -Infinity : Infinity
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHours = '0', offsetMinutes = '0', offsetSeconds = '0', era] =
    match
  const date = new Date(0)
  date.setUTCFullYear(era === undefined ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day))
  date.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, '0').slice(0, 3)))
  const offsetMs = (Number(offsetHours) * 3600 + Number(offsetMinutes) * 60 + Number(offsetSeconds)) * 1000
  return offsetMs === 0 ? date : new Date(date.getTime() + (sign === '-' ? offsetMs : -offsetMs))
}

function parseBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'))
}

/** Array output syntax: PostgreSQL manual, section 8.15.6. */
function parseArray(text: string, element: ValueParser | undefined, delimiter: string): unknown[] {
  let at = text.startsWith('[') ? text.indexOf('=') + 1 : 0
  const parse = (raw: string): unknown => (element === undefined ? raw : element(raw))

  const quoted = (): string => {
    let value = ''
    let from = ++at
    for (; text[at] !== '"'; at++)
      if (text[at] === '\\') {
        value += text.slice(from, at)
        from = ++at
      }
    return value + text.slice(from, at++)
  }
  const bare = (): string => {
    const from = at
    while (text[at] !== delimiter && text[at] !== '}') at++
    return text.slice(from, at)
  }
  const list = (): unknown[] => {
    const values: unknown[] = []
    at++
    while (text[at] !== '}') {
      if (text[at] === '{') values.push(list())
      else if (text[at] === '"') values.push(parse(quoted()))
      else {
        const raw = bare()
        values.push(raw === 'NULL' ? null : parse(raw))
      }
      if (text[at] === delimiter) at++
    }
    at++
    return values
  }
  return list()
}

/** Type id, id of its array type, parser. The ids are fixed: src/include/catalog/pg_type.dat of PostgreSQL. */
const TYPES: readonly (readonly [name: string, typeId: number, arrayId: number, parser?: ValueParser])[] = [
  ['bool', 16, 1000, (text) => text === 't'],
  ['bytea', 17, 1001, parseBytes],
  ['char', 18, 1002],
  ['name', 19, 1003],
  ['int8', 20, 1016, parseInteger],
  ['int2', 21, 1005, Number],
  ['int4', 23, 1007, Number],
  ['text', 25, 1009],
  ['oid', 26, 1028, Number],
  ['json', 114, 199, (text) => JSON.parse(text)],
  ['xml', 142, 143],
  ['cidr', 650, 651],
  ['float4', 700, 1021, Number],
  ['float8', 701, 1022, Number],
  ['macaddr', 829, 1040],
  ['inet', 869, 1041],
  ['bpchar', 1042, 1014],
  ['varchar', 1043, 1015],
  ['date', 1082, 1182],
  ['time', 1083, 1183],
  ['timestamp', 1114, 1115, parseTimestamp],
  ['timestamptz', 1184, 1185, parseTimestamp],
  ['interval', 1186, 1187],
  ['timetz', 1266, 1270],
  ['bit', 1560, 1561],
  ['varbit', 1562, 1563],
  ['numeric', 1700, 1231, parseNumeric],
  ['uuid', 2950, 2951],
  ['jsonb', 3802, 3807, (text) => JSON.parse(text)],
  ['tsvector', 3614, 3643],
  ['int4range', 3904, 3905],
  ['numrange', 3906, 3907],
  ['tsrange', 3908, 3909],
  ['tstzrange', 3910, 3911],
  ['daterange', 3912, 3913],
  ['int8range', 3926, 3927],
]

const PARSERS = new Map<number, ValueParser>(
  TYPES.flatMap(([, typeId, arrayId, parser]) => [
    ...(parser === undefined ? [] : [[typeId, parser] as const]),
    [arrayId, arrayParser(parser)] as const,
  ]),
)
