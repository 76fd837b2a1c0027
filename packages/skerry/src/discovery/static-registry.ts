/** Addresses that do not change while the host runs: a registry for those who need none. */
import type { Registry } from '../engine/registry.ts'

/** A registry in which every service is at these URLs. */
export function staticRegistry(urls: readonly string[]): Registry {
  return {
    description: 'static addresses',
    watch(_service, tell) {
      tell(urls.map((url) => ({ id: url, url })))
      return { close: async () => undefined }
    },
    register: undefined,
    status: () => ({ up: true }),
    close: async () => undefined,
  }
}
