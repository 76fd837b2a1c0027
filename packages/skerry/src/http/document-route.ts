/** A document at a path, made when somebody first asks for it: to make one takes longer than all else that a service does when it starts. */
import type { Route } from './router.ts'
import type { HttpTarget } from './server.ts'

export function documentRoute(path: string, make: () => unknown): Route<HttpTarget> {
  let document: unknown
  return { method: 'GET', path, target: { takesBody: false, handle: async () => ({ status: 200, body: (document ??= make()) }) } }
}
