/** `skerry map`: who calls whom and who is told what. */
import type { AdminOptions } from '../admin/access.ts'
import { print } from '../admin/command.ts'
import { withTelemetry } from './access.ts'
import { given, sinceTime } from './filter.ts'
import { mapText } from './map-text.ts'

export interface MapOptions extends AdminOptions {
  readonly since?: number
}

export async function map({ since, json, ...options }: MapOptions): Promise<void> {
  await withTelemetry(options, async (call, clock) => {
    const shown = await call.showMap(given({ since: sinceTime(since, clock) }))
    print(json === true ? JSON.stringify(shown) : mapText(shown))
  })
}
