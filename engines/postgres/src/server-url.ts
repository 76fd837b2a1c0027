/** The address of a server, as people write it: checked whole, so that one error lists everything that is wrong with it. */
export interface ServerUrl {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** What the driver connects to: the same URL without `options`, which has to be merged with the platform's. */
  readonly connectionString: string
  /** The URL's own start-up options, such as `-c statement_timeout=5s`. */
  readonly options: string
}

const EXAMPLE = 'postgres://user:password@db.example:5432/orders'
const DEFAULT_PORT = 5432

/** Throws a `TypeError` that lists what is wrong. It never repeats the URL: a password may be anywhere in a malformed one. */
export function parseServerUrl(text: string): ServerUrl {
  const problems: string[] = []
  if (!/^postgres(?:ql)?:\/\//.test(text)) problems.push('it must begin with postgres:// or postgresql://')
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) {
    if (problems.length === 0)
      problems.push(
        'it cannot be read: the port must be a number up to 65535, and in user name and password these characters must be percent-encoded: / ? # [ ] @ : %',
      )
    throw malformed(problems)
  }
  const host = url.searchParams.get('host') ?? decode(url.hostname)
  const database = decode(url.pathname.slice(1))
  const user = decode(url.username)
  if (host === undefined || host === '') problems.push('the host is missing')
  if (user === undefined) problems.push('the user name is not properly percent-encoded')
  if (user === '') problems.push('the user name is missing')
  if (decode(url.password) === undefined) problems.push('the password is not properly percent-encoded (a % must be written %25)')
  if (database === undefined || database.includes('/')) problems.push('the path must be the name of one database')
  if (database === '') problems.push('the database is missing after the host, as in /orders')
  if (url.hash !== '') problems.push('it holds a #, which must be written %23 in a password')
  if (problems.length > 0 || host === undefined || database === undefined || user === undefined) throw malformed(problems)
  const options = url.searchParams.get('options') ?? ''
  url.searchParams.delete('options')
  return {
    host: host.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    database,
    user,
    connectionString: url.href,
    options,
  }
}

function malformed(problems: readonly string[]): TypeError {
  return new TypeError(`The PostgreSQL URL is malformed: ${problems.join('; ')}. Expected something like ${EXAMPLE}`)
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
