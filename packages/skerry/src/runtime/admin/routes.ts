/** What the admin listener serves: the admin API itself, and the events of the whole system as one AsyncAPI document. */
import { mergeAsyncApi } from '../../contract/asyncapi.ts'
import type { Route } from '../../http/router.ts'
import type { HttpTarget } from '../../http/server.ts'
import type { System } from '../system.ts'
import { eventPartiesOf } from '../system.ts'

const PATH = '/asyncapi.json'

/** `routes` are those of the admin API, which has no events of its own to describe. */
export function adminRoutes(system: System, routes: readonly Route<HttpTarget>[]): readonly Route<HttpTarget>[] {
  const document = mergeAsyncApi(system.name, eventPartiesOf(system))
  const handle = async () => ({ status: 200, body: document })
  return [...routes.filter(({ path }) => path !== PATH), { method: 'GET', path: PATH, target: { takesBody: false, handle } }]
}
