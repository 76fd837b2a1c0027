import { describe, expect, test } from 'vitest'
import type { FoundSchema } from './service-schema.ts'
import { provisioningScript, serviceIdentifier } from './service-schema.ts'

const NOTHING: FoundSchema = {
  roleExists: false,
  rolePowerful: false,
  roleUsable: false,
  schemaOwner: null,
  login: 'app',
  mayCreateRole: true,
  mayCreateSchema: true,
  database: 'shop',
}

describe('a shared database', () => {
  const script = (found: Partial<FoundSchema>): string =>
    provisioningScript({ service: 'order-items', shared: true }, { ...NOTHING, ...found })

  test('gets what is missing', () => {
    expect(script({})).toBe(
      'create role "order-items" nologin; grant "order-items" to current_user; create schema "order-items" authorization "order-items"',
    )
    expect(script({ roleExists: true })).toBe(
      'grant "order-items" to current_user; create schema "order-items" authorization "order-items"',
    )
    expect(script({ roleExists: true, roleUsable: true })).toBe('create schema "order-items" authorization "order-items"')
  })

  test('that has everything gets nothing, whatever the login role may do', () => {
    expect(script({ roleExists: true, roleUsable: true, schemaOwner: 'order-items', mayCreateRole: false, mayCreateSchema: false })).toBe(
      '',
    )
  })

  test.each<[string, Partial<FoundSchema>, string]>([
    ['no right to make roles', { mayCreateRole: false }, 'CREATE ROLE "order-items" NOLOGIN; GRANT "order-items" TO "app"'],
    ['a role it may not use', { mayCreateRole: false, roleExists: true }, 'As a superuser run: GRANT "order-items" TO "app"'],
    ['no right to make schemas', { mayCreateSchema: false }, 'GRANT CREATE ON DATABASE "shop" TO "app"'],
    ['a role that is a user’s', { roleExists: true, roleUsable: true, rolePowerful: true }, 'Rename the service or that role'],
    [
      'a schema of another',
      { roleExists: true, roleUsable: true, schemaOwner: 'app' },
      'ALTER SCHEMA "order-items" OWNER TO "order-items"',
    ],
  ])('with %s is refused, with the fix', (_, found, fix) => {
    expect(() => script(found)).toThrow(fix)
    expect(() => script(found)).toThrow(expect.objectContaining({ kind: 'statement', sqlState: '42501' }))
  })
})

describe('a database of its own', () => {
  const script = (found: Partial<FoundSchema>): string =>
    provisioningScript({ service: 'orders', shared: false }, { ...NOTHING, mayCreateRole: false, ...found })

  test('gets a schema and no role', () => {
    expect(script({})).toBe('create schema "orders"')
    expect(script({ schemaOwner: 'anyone', mayCreateSchema: false })).toBe('')
    expect(() => script({ mayCreateSchema: false })).toThrow('GRANT CREATE ON DATABASE')
  })
})

test('names', () => {
  expect(serviceIdentifier('order-items_2')).toBe('"order-items_2"')
  for (const name of ['', 'Orders', 'a"b', 'a b', '-a', '_a', 'pg_a', 'public', 'none', 'information_schema', 'x'.repeat(64)])
    expect(() => serviceIdentifier(name)).toThrow(`"${name}" cannot name a schema`)
})
