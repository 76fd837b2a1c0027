/** What EndpointSlices (discovery.k8s.io/v1) say of who serves. A service has any number of them, and one endpoint may be in two for a moment. */
import type { ServiceAddress } from 'skerry/engine'

export interface EndpointSlice {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string }
  readonly addressType?: string
  readonly endpoints?: readonly Endpoint[] | null
  readonly ports?: readonly { readonly name?: string | null; readonly port?: number | null; readonly protocol?: string | null }[] | null
}

interface Endpoint {
  readonly addresses: readonly string[]
  readonly conditions?: { readonly ready?: boolean | null; readonly serving?: boolean | null; readonly terminating?: boolean | null }
  readonly zone?: string | null
  readonly targetRef?: { readonly uid?: string } | null
}

/** The port of this name is ours; where none is, the first one. */
const PORT_NAME = 'http'

/** Those that are ready; when none is, those that still serve while they terminate, as kube-proxy does. */
export function instancesIn(slices: Iterable<EndpointSlice>): readonly ServiceAddress[] {
  const ready = new Map<string, ServiceAddress>()
  const leaving = new Map<string, ServiceAddress>()
  for (const { addressType, endpoints, ports } of slices) {
    const port = (ports?.find(({ name }) => name === PORT_NAME) ?? ports?.[0])?.port
    if (typeof port !== 'number') continue
    for (const endpoint of endpoints ?? []) {
      const address = endpoint.addresses[0]
      if (address === undefined) continue
      const { ready: isReady, serving, terminating } = endpoint.conditions ?? {}
      const url = `http://${addressType === 'IPv6' ? `[${address}]` : address}:${port}`
      const instance = { id: `${endpoint.targetRef?.uid ?? ''}@${url}`, url, zone: endpoint.zone ?? undefined }
      // Unknown is to be taken for ready.
      if (isReady !== false) ready.set(url, instance)
      else if (serving === true && terminating === true) leaving.set(url, instance)
    }
  }
  return [...(ready.size > 0 ? ready : leaving).values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
}
