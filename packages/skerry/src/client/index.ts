/** `skerry/client`: the types of typed calls, for code that receives a client. */
export { CallError } from '../contract/call-error.ts'
export type { Call, CallOptions, Client, DeclaredFailure, InfrastructureFailure, Result } from './call.ts'
export { createClient } from './client.ts'
export { createCaller } from './caller.ts'
export type { Caller, CallerOptions } from './caller.ts'
export type { CallRequest, CallResponse, Link } from './link.ts'
