/** The definition of a simulation: a system, what its clients do, and what must hold whatever happens. */
import type { Clock } from '../base/clock.ts'
import type { Duration } from '../base/duration.ts'
import { milliseconds } from '../base/duration.ts'
import type { Random } from '../base/random.ts'
import type { Client } from '../client/call.ts'
import type { Contract } from '../contract/contract.ts'
import type { System } from '../runtime/system.ts'
import { GATEWAY } from '../runtime/system.ts'
import type { Service } from '../service/service.ts'
import type { Invariant } from './invariant.ts'
import type { Run } from './outcome.ts'

/** What is in the simulated world and not part of the system: third parties, and what clients remember. */
export interface Outside {
  /** The true time. */
  readonly clock: Clock
  /** Draws from the seed. */
  readonly random: Random
  /** Carries a request to a third party: it may be lost, or refused. */
  readonly reach: (way: string) => Promise<'delivered' | 'lost' | 'refused'>
  /** Carries its answer back. */
  readonly answer: (way: string) => Promise<'delivered' | 'lost'>
  /** Sends a request to the gateway, as a client outside. Rejects when no answer comes within a minute. */
  readonly request: (method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>) => Promise<GatewayAnswer>
}

export interface GatewayAnswer {
  readonly status: number
  readonly body: unknown
}

export interface OperationContext<State> extends Outside {
  /** Such as `client 1`. */
  readonly client: string
  readonly state: State
  /** A typed client of a contract's public operations, through the gateway. */
  readonly clientOf: <C extends Contract>(contract: C) => Client<C>
}

/** Makes a value from what a seed decides. */
export type Generate<Input> = (random: Random) => Input

/** A generator of fast-check: anything that `fc.record`, `fc.constantFrom` and the like return. */
export interface FastCheckArbitrary<Input> {
  generate(random: never, biasFactor: number | undefined): { readonly value: Input }
}

export interface Operation<State, Input> {
  /** How often it is chosen, relative to the others. Default: 1. */
  readonly weight?: number
  /** What it is given. Default: nothing. */
  readonly input?: Generate<Input> | FastCheckArbitrary<Input>
  /** What a client does. It may reject: then the client does not know what came of it, and goes on. */
  readonly run: (context: OperationContext<State>, input: Input) => Promise<unknown>
}

export interface SimulationOptions<State> {
  readonly system: System
  // Each operation has an input of its own, which only its own generator and its own code know.
  // eslint-disable-next-line typescript/no-explicit-any
  readonly operations: Readonly<Record<string, Operation<State, any>>>
  /** Each holds whenever nobody is at anything any more and something has happened, with `atRest` false, and at the end, with it true. */
  readonly invariants: Readonly<Record<string, Invariant<State>>>
  /** What must have come about when everything has healed and come to rest. */
  readonly eventually?: Readonly<Record<string, Invariant<State>>>
  /** Rare things that some seed must come by, else the simulation has lost its teeth: how often each has happened in a run. */
  readonly sometimes?: Readonly<Record<string, (run: Run) => number>>
  /** What clients and third parties keep, made anew for each seed. */
  readonly state: (outside: Outside) => State
  /** By the name of the service: what it is given instead of the resources that it would open, which reach outside. */
  readonly resources?: (state: State, outside: Outside) => Readonly<Record<string, unknown>>
  /** For the services' `config`. */
  readonly environment?: Readonly<Record<string, string>>
  /** How many clients there are at the same time. Default: 3. */
  readonly clients?: number
  /** How many processes run a service; the gateway is one, too. Default: 1 each. */
  readonly instances?: Readonly<Record<string, number>>
  /** Earlier versions of services that run side by side with the present ones, as in a rolling upgrade. */
  readonly previous?: readonly Service[]
  /** How long, in the time of the world, it may take to come to rest. Default: 6 hours. */
  readonly restWithin?: Duration
}

export interface Simulation<State = unknown> {
  readonly kind: 'simulation'
  readonly name: string
  readonly options: SimulationOptions<State>
  readonly restWithinMs: number
}

/**
 * Declares a simulation, to be run with `skerry simulate`, or with `openSimulator` in a test.
 *
 * @example
 * export default simulation('orders', {
 *   system: shop,
 *   state: () => ({ placed: [] as string[] }),
 *   operations: {
 *     'place an order': {
 *       input: fc.record({ sku: fc.constantFrom('mug', 'pen'), quantity: fc.integer({ min: 1, max: 3 }) }),
 *       run: async ({ clientOf, state }, line) => {
 *         const order = await clientOf(orders).placeOrder({ lines: [line] })
 *         state.placed.push(order.id)
 *       },
 *     },
 *   },
 *   invariants: {
 *     'every order that was answered exists': async ({ databases, state }) => …,
 *   },
 * })
 */
export function simulation<State>(name: string, options: SimulationOptions<State>): Simulation<State> {
  const { operations, clients = 3, restWithin = '6h' } = options
  if (Object.keys(operations).length === 0) throw new TypeError(`simulation "${name}": it has no operations, so nothing would happen`)
  if (!Number.isInteger(clients) || clients < 1)
    throw new TypeError(`simulation "${name}": clients must be a whole number from 1, not ${clients}`)
  for (const [operation, { weight = 1 }] of Object.entries(operations))
    if (!(weight > 0)) throw new TypeError(`simulation "${name}": the weight of "${operation}" must be above 0, not ${weight}`)
  const { system, instances = {}, previous = [] } = options
  if (system.gateway === undefined)
    throw new TypeError(`simulation "${name}": its system has no gateway, so clients reach nothing: pass { gateway: gateway() }`)
  const services = system.services.map(({ contract }) => contract.name)
  const refuseStrangers = (named: readonly string[]): void => {
    const unknown = named.filter((service) => !services.includes(service) && service !== GATEWAY)
    if (unknown.length > 0)
      throw new TypeError(`The system "${system.name}" has no service "${unknown.join('", "')}": it has ${services.join(', ')}`)
  }
  refuseStrangers(previous.map(({ contract }) => contract.name))
  refuseStrangers(Object.keys(instances))
  for (const [service, count] of Object.entries(instances))
    if (!Number.isInteger(count) || count < 1)
      throw new TypeError(`simulation "${name}": the instances of "${service}" must be a whole number from 1, not ${count}`)
  return Object.freeze({ kind: 'simulation', name, options, restWithinMs: milliseconds(restWithin) })
}
