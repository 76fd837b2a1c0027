/** The commonest invariant: one query on one database that finds the rows which must not be there. */
import type { Invariant } from './invariant.ts'

export interface QueryInvariant<Row> {
  readonly name: string
  readonly service: string
  readonly atRest?: boolean
  readonly sql: string
  readonly message: (row: Row) => string
}

export function nothingFoundBy<Row>({ name, service, atRest = false, sql, message }: QueryInvariant<Row>): Invariant {
  return {
    name,
    needs: [service],
    atRest,
    find: async ({ rows }) => (await rows<Row>(service, sql)).map(message),
  }
}
