/** Finds what serves a path. Matching is rou3's; this adds trailing slashes, HEAD, 405 with the methods that there are, and strict decoding. */
import { addRoute, createRouter, findRoute } from 'rou3'
import { SkerryError } from '../base/errors.ts'

export interface Route<T> {
  readonly method: string
  /** `/orders/{orderId}` */
  readonly path: string
  readonly target: T
}

export interface Match<T> {
  readonly target: T
  /** Path parameters, percent-decoded. */
  readonly parameters: Readonly<Record<string, string>>
}

export interface Router<T> {
  /** Throws `notFound`, `methodNotAllowed` (its `data.allow` lists the methods) or `malformedRequest`. */
  match(method: string, path: string): Match<T>
}

const NO_PARAMETERS: Readonly<Record<string, string>> = Object.freeze({})
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/

export function createRoutes<T>(routes: readonly Route<T>[]): Router<T> {
  const router = createRouter<T>()
  const methods = new Set<string>()
  for (const { method, path, target } of routes) {
    methods.add(method)
    addRoute(router, method, path.replaceAll(/\{([^}]*)\}/g, ':$1'), target)
  }
  return {
    match(method, path) {
      // "*" (RFC 9112, 3.2.4) and the like are not paths, but rou3 would take them for "/".
      if (!path.startsWith('/')) throw notFound()
      // Whatever offers GET offers HEAD (RFC 9110, 9.3.2); Node leaves out the body.
      const found = findRoute(router, method === 'HEAD' ? 'GET' : method, path)
      if (found !== undefined) return { target: found.data, parameters: found.params === undefined ? NO_PARAMETERS : decode(found.params) }
      const allow = [...methods]
        .filter((other) => findRoute(router, other, path) !== undefined)
        .flatMap((other) => (other === 'GET' ? ['GET', 'HEAD'] : [other]))
      if (allow.length > 0)
        throw new SkerryError('methodNotAllowed', `${method} is not offered here, only ${allow.join(', ')}`, { data: { allow } })
      throw notFound()
    },
  }
}

function notFound(): SkerryError {
  return new SkerryError('notFound', 'Nothing is offered at this path')
}

function decode(parameters: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const decoded: Record<string, string> = {}
  for (const [name, raw] of Object.entries(parameters)) {
    let text: string
    try {
      text = raw.includes('%') ? decodeURIComponent(raw) : raw
    } catch {
      throw new SkerryError('malformedRequest', 'The path is not valid percent-encoded UTF-8')
    }
    if (CONTROL.test(text)) throw new SkerryError('malformedRequest', 'The path contains control characters')
    decoded[name] = text
  }
  return decoded
}
