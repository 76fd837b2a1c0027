/** What a plain call throws: the declared problem or the infrastructure failure, whichever `code` says. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly code: string
  readonly status: number
  readonly data: unknown
  readonly service: string
  readonly operation: string

  constructor(service: string, operation: string, failure: { code: string; status: number; detail: string; data: unknown }) {
    super(`${service}.${operation}: ${failure.detail}`)
    this.code = failure.code
    this.status = failure.status
    this.data = failure.data
    this.service = service
    this.operation = operation
  }
}
