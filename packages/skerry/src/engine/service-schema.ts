/**
 * How a service's own part of a database is made: one schema, and on a shared database one role that owns it. Pure:
 * an engine runs `FIND_SERVICE_SCHEMA`, gives what it found to `provisioningScript` and runs the answer, both as the
 * login role. Running it again changes nothing, and what the login role may not do is said before it is tried.
 */
import type { DatabaseOptions } from './database.ts'
import { DatabaseError } from './database.ts'

const SERVICE_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/
const RESERVED_NAMES = new Set(['public', 'none', 'current_role', 'current_user', 'session_user', 'information_schema'])

/** The service's schema and role as SQL writes them: both have the service's name. Throws a `TypeError` for a name that cannot be one. */
export function serviceIdentifier(service: string): string {
  if (!SERVICE_NAME.test(service))
    throw new TypeError(
      `"${service}" cannot name a schema: use at most 63 lower case letters, digits, "_" and "-", starting with a letter or digit`,
    )
  if (service.startsWith('pg_') || RESERVED_NAMES.has(service))
    throw new TypeError(`"${service}" cannot name a schema: PostgreSQL keeps this name for itself; give the service another name`)
  return `"${service}"`
}

/** One row of type `FoundSchema` for the service named by `$1`. */
export const FIND_SERVICE_SCHEMA = `
select service.role is not null as "roleExists",
       coalesce(service.rolsuper or service.rolcanlogin or service.rolcreaterole or service.rolcreatedb or service.rolbypassrls or service.rolreplication, false) as "rolePowerful",
       coalesce(pg_catalog.pg_has_role(service.role, 'member'), false) as "roleUsable",
       pg_catalog.pg_get_userbyid(schema.nspowner) as "schemaOwner",
       login.rolname as "login",
       login.rolsuper or login.rolcreaterole as "mayCreateRole",
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create') as "mayCreateSchema",
       pg_catalog.current_database() as "database"
from pg_catalog.pg_roles as login
left join (select oid as role, * from pg_catalog.pg_roles) as service on service.rolname = $1
left join pg_catalog.pg_namespace as schema on schema.nspname = $1
where login.rolname = current_user`

export interface FoundSchema {
  readonly roleExists: boolean
  /** The role can log in or has a privilege of its own: it was not made by Skerry, and no service may become it. */
  readonly rolePowerful: boolean
  readonly roleUsable: boolean
  readonly schemaOwner: string | null
  readonly login: string
  readonly mayCreateRole: boolean
  readonly mayCreateSchema: boolean
  readonly database: string
}

/** What is missing, as a script; empty when nothing is. Throws a `DatabaseError` that names the fix when the login role may not make it. */
export function provisioningScript(options: DatabaseOptions, found: FoundSchema): string {
  return (
    options.shared
      ? [...roleStatements(options.service, found), ...sharedSchemaStatements(options.service, found)]
      : ownSchemaStatements(options.service, found)
  ).join('; ')
}

function roleStatements(service: string, found: FoundSchema): string[] {
  const role = serviceIdentifier(service)
  if (found.rolePowerful)
    throw refusal(
      `Service "${service}" would run as the role ${role}, but a role of that name exists and can log in or has privileges of its own. Rename the service or that role`,
    )
  if (found.roleExists && found.roleUsable) return []
  if (!found.mayCreateRole)
    throw refusal(
      `Service "${service}" shares database "${found.database}" and needs the role ${role}, which "${found.login}" may not ` +
        `${found.roleExists ? 'use' : 'create'}. As a superuser run: ${found.roleExists ? '' : `CREATE ROLE ${role} NOLOGIN; `}` +
        `GRANT ${role} TO "${found.login}" (or let it do so itself: ALTER ROLE "${found.login}" CREATEROLE), or give the service a database of its own`,
    )
  return [...(found.roleExists ? [] : [`create role ${role} nologin`]), `grant ${role} to current_user`]
}

function sharedSchemaStatements(service: string, found: FoundSchema): string[] {
  const name = serviceIdentifier(service)
  if (found.schemaOwner === null) {
    requireSchemaPrivilege(service, found)
    return [`create schema ${name} authorization ${name}`]
  }
  if (found.schemaOwner !== service)
    throw refusal(
      `Schema ${name} of database "${found.database}" belongs to "${found.schemaOwner}", not to the role ${name} that service "${service}" runs as. ` +
        `Give it and its tables to that role (ALTER SCHEMA ${name} OWNER TO ${name}; ALTER TABLE … OWNER TO ${name}), or open the database as the service's own`,
    )
  return []
}

function ownSchemaStatements(service: string, found: FoundSchema): string[] {
  if (found.schemaOwner !== null) return []
  requireSchemaPrivilege(service, found)
  return [`create schema ${serviceIdentifier(service)}`]
}

function requireSchemaPrivilege(service: string, found: FoundSchema): void {
  if (!found.mayCreateSchema)
    throw refusal(
      `Service "${service}" needs the schema ${serviceIdentifier(service)} in database "${found.database}", which "${found.login}" may not create. ` +
        `As the owner of the database run: GRANT CREATE ON DATABASE "${found.database}" TO "${found.login}"`,
    )
}

function refusal(message: string): DatabaseError {
  return new DatabaseError('statement', message, { sqlState: '42501' })
}
