/**
 * Which operation a request is for, as nginx maps. They look at the path as it was sent, as the embedded gateway and the
 * services do: were it decoded or normalised first, nginx could let a request pass for one operation that the service takes for another.
 */
import type { BoundOperation } from 'skerry/gateway'
import { literally } from './syntax.ts'

export interface Route {
  readonly method: string
  /** `/orders/{orderId}` */
  readonly path: string
  /** The location under `/@skerry/` that serves it. */
  readonly location: string
}

/** What the gateway itself answers, beside the operations. */
export const PLATFORM_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/health', location: 'health' },
  { method: 'GET', path: '/health/live', location: 'health' },
  { method: 'GET', path: '/health/ready', location: 'ready' },
  { method: 'GET', path: '/openapi.json', location: 'openapi' },
]

export function operationRoutes(operations: readonly BoundOperation[]): readonly Route[] {
  return operations.map(({ fullName, operation }) => ({ method: operation.method, path: operation.path, location: fullName }))
}

/** Defines `$skerry_location`: where the request is served, or the name of the refusal. And `$skerry_allow`: the methods of its path. */
export function routeMaps(routes: readonly Route[]): string {
  const methods = [...new Set(routes.map(({ method }) => method))]
  return [
    PATH,
    ...methods.map((method) =>
      methodMap(
        method,
        routes.filter((route) => route.method === method),
      ),
    ),
    `map $skerry_method $skerry_operation {
    default "";
${[...methods.map((method) => `    ${method} $skerry_${method.toLowerCase()};`), ...(methods.includes('GET') ? ['    HEAD $skerry_get;'] : [])].join('\n')}
}`,
    ...methods.map(
      (method) => `map $skerry_${method.toLowerCase()} $skerry_allow_${method.toLowerCase()} {
    default "${method === 'GET' ? 'GET, HEAD' : method}, ";
    "" "";
}`,
    ),
    `map "${methods.map((method) => `$skerry_allow_${method.toLowerCase()}`).join('')}" $skerry_allow {
    default "";
    "~^(?<skerry_methods>.+), $" $skerry_methods;
}`,
    `map $skerry_allow $skerry_refusal {
    default methodNotAllowed;
    "" notFound;
}`,
    `map $skerry_operation $skerry_location {
    default $skerry_operation;
    "" $skerry_refusal;
}`,
  ].join('\n\n')
}

// A dot segment is refused however it is encoded: what is behind nginx might fold it away and serve another path.
const PATH = `map $request_uri $skerry_path {
    default refused;
    "~^[^?]*/(?:\\.|%2[Ee]){1,2}(?:[/?]|$)" refused;
    "~^(?<skerry_raw_path>[^?]*?)/?(?:\\?|$)" $skerry_raw_path;
}`

/** A request that fits several paths is for the one that is literal where the others have parameters, from left to right. */
function methodMap(method: string, routes: readonly Route[]): string {
  return `map $skerry_path $skerry_${method.toLowerCase()} {
    default "";
${routes
  .toSorted(bySpecificity)
  .map(({ path, location }) => `    ${path === '/' ? '""' : `"~^${pattern(path)}$"`} ${location};`)
  .join('\n')}
}`
}

function pattern(path: string): string {
  return path
    .split(/(\{[^}]*\})/)
    .map((part) => (part.startsWith('{') ? '[^/]+' : literally(part)))
    .join('')
}

function bySpecificity(a: Route, b: Route): number {
  const [left, right] = [a.path.split('/'), b.path.split('/')]
  for (const [index, segment] of left.entries()) {
    const other = right[index] ?? ''
    if (segment === other) continue
    const difference = Number(segment.startsWith('{')) - Number(other.startsWith('{'))
    return difference === 0 ? (segment < other ? -1 : 1) : difference
  }
  return left.length - right.length
}
