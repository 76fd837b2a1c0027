/** The way to the API server: from inside a pod by its service account, from elsewhere through `kubectl proxy`. */
import { readFile } from 'node:fs/promises'
import { JsonApi } from 'skerry/engine'

export interface Access {
  readonly api: JsonApi
  readonly namespace: string
}

export interface AccessOptions {
  /** `kubernetes://` in a pod, `kubernetes://127.0.0.1:8001` through `kubectl proxy`; `?namespace=` for another one. */
  readonly url: URL
  /** Where a pod finds its token, certificates and namespace. */
  readonly serviceAccountFolder: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Throws what keeps it from being used. */
export async function accessTo({ url, serviceAccountFolder, environment }: AccessOptions): Promise<Access> {
  const given = url.searchParams.get('namespace')
  if (url.host !== '') return { api: new JsonApi({ origin: `http://${url.host}` }), namespace: given ?? 'default' }
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT_HTTPS: securePort, KUBERNETES_SERVICE_PORT: port } = environment
  if (host === undefined)
    throw new Error('this is no pod: KUBERNETES_SERVICE_HOST is missing. From elsewhere use kubectl proxy and kubernetes://127.0.0.1:8001')
  const fileOf = async (name: string): Promise<string> => (await readFile(`${serviceAccountFolder}/${name}`, 'utf8')).trim()
  return {
    api: new JsonApi({
      origin: `https://${host.includes(':') ? `[${host}]` : host}:${securePort ?? port ?? '443'}`,
      ca: await fileOf('ca.crt'),
      // The kubelet writes a new one before the old one runs out.
      headers: async () => ({ authorization: `Bearer ${await fileOf('token')}` }),
    }),
    namespace: given ?? (await fileOf('namespace')),
  }
}
