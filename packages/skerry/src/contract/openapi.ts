/** The OpenAPI 3.1 document of a contract, and of several merged for the gateway. */
import type { Contract } from './contract.ts'

export type OpenApiDocument = Record<string, unknown>

export function openApi(contract: Contract): OpenApiDocument {
  return { openapi: '3.1.1', info: { title: contract.name, version: contract.version }, paths: {} }
}

export function mergeOpenApi(title: string, contracts: readonly Contract[]): OpenApiDocument {
  return { openapi: '3.1.1', info: { title, version: '1.0.0' }, paths: {}, 'x-contracts': contracts.map((one) => one.name) }
}
