/**
 * The first answer to a request with an Idempotency-Key, kept by the transaction that did its work, so that a repetition does nothing and
 * gets the same answer (IETF draft-ietf-httpapi-idempotency-key-header). For POST and PATCH operations that are declared `idempotent`;
 * the other methods are repeatable by their nature. Such a handler opens one transaction and returns what that returned.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import { copyJson } from '../base/json.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { keepsAnswer } from '../contract/operation.ts'
import type { ProblemDetails } from '../contract/problem.ts'
import { declaredProblem, platformProblem } from '../contract/problem.ts'
import { validate } from '../contract/schema.ts'
import type { Queryable, Transaction } from '../engine/database.ts'
import type { OpenTransaction } from '../events/transaction-runner.ts'
import { DeclaredProblemError } from './context.ts'
import type { Service } from './service.ts'

/** Without output when the operation has none. */
export type Answer = { readonly output?: unknown } | { readonly problem: ProblemDetails }

/** Thrown through the handler of a repeated request: it has been answered before. */
export class AnsweredBefore extends Error {
  override readonly name = 'AnsweredBefore'
  readonly answer: Answer

  constructor(answer: Answer) {
    super('This request was answered before, and its handler must not catch this')
    this.answer = answer
  }
}

/** True when the answers of an operation are kept. */
export function keepsAnswers({ ownIdempotency }: Pick<Service, 'ownIdempotency'>, { name, operation }: BoundOperation): boolean {
  return keepsAnswer(operation) && !ownIdempotency.includes(name)
}

/** One keyed request, from its first statement to its answer. */
export class KeyedRequest {
  readonly #operation: BoundOperation
  readonly #key: string
  readonly #fingerprint: string
  readonly #clock: Clock
  #answered: { readonly value: unknown } | undefined
  /** What the transaction threw, and kept as its answer. */
  #refused: unknown

  constructor(operation: BoundOperation, key: string, input: unknown, clock: Clock) {
    this.#operation = operation
    this.#key = key
    this.#fingerprint = fingerprint(input)
    this.#clock = clock
  }

  /** Runs the request's one transaction. Rejects with `AnsweredBefore` when this is a repetition. */
  async run<T>(
    transact: <R>(work: (open: OpenTransaction) => Promise<R>) => Promise<R>,
    work: (open: OpenTransaction) => Promise<T>,
  ): Promise<T> {
    if (this.#answered !== undefined)
      throw new SkerryError(
        'contractBroken',
        `${this.#operation.fullName} is declared idempotent and opened a second transaction: a crash between the two would leave half of it done. Do all in one, or start a saga in it; if the handler sees to repetition itself, name it in implement(…, { ownIdempotency: […] }).`,
      )
    const outcome = await transact(async (open) => {
      const earlier = await this.#claim(open.transaction)
      if (earlier !== undefined) return { earlier }
      const saved = open.transaction.query('savepoint skerry_answer')
      // When it fails, so does what comes after it; nobody else may be waiting for it.
      saved.catch(() => undefined)
      try {
        const value = await work(open)
        await this.#keep(open.transaction, { output: await this.#promised(value) })
        return { value }
      } catch (error) {
        const problem = this.#declared(error)
        if (problem === undefined) throw error
        await saved
        await open.transaction.query('rollback to savepoint skerry_answer')
        open.discard()
        await this.#keep(open.transaction, { problem })
        return { refused: error }
      }
    })
    if ('earlier' in outcome) throw new AnsweredBefore(outcome.earlier)
    if ('refused' in outcome) {
      this.#refused = outcome.refused
      throw outcome.refused
    }
    this.#answered = outcome
    return outcome.value
  }

  /**
   * What the handler threw, or what it was answered with before. A declared problem that was thrown outside its transaction is an answer as
   * well: a repetition must neither hear it of work that was done nor do the work behind it.
   */
  async settle(error: unknown, transact: <R>(work: (open: OpenTransaction) => Promise<R>) => Promise<R>): Promise<unknown> {
    if (!(error instanceof DeclaredProblemError) || error === this.#refused) return error
    const problem = this.#declared(error)
    try {
      return await transact(async ({ transaction }) => {
        const earlier = await this.#claim(transaction)
        if (earlier !== undefined) return new AnsweredBefore(earlier)
        if (problem === undefined) throw error
        await this.#keep(transaction, { problem })
        return error
      })
    } catch (failed) {
      return failed
    }
  }

  /** Throws when the handler answers something else than what was kept as its answer. */
  check(result: unknown): void {
    if (this.#answered === undefined || this.#answered.value === result) return
    if (canonical(this.#answered.value) === canonical(result)) return
    throw new SkerryError(
      'contractBroken',
      `${this.#operation.fullName} is declared idempotent and answers something else than its transaction returned, which is what a repeated request gets: return the transaction's result, or name the operation in implement(…, { ownIdempotency: […] }) if the handler sees to repetition itself`,
    )
  }

  /** A repetition that comes while the first is running waits here for its end. */
  async #claim(on: Transaction): Promise<Answer | undefined> {
    const { fullName } = this.#operation
    const { rows } = await on.query(
      `insert into skerry_answer (operation, key, fingerprint, at) values ($1, $2, $3, $4) on conflict do nothing returning 1 as claimed`,
      [fullName, this.#key, this.#fingerprint, this.#clock.now()],
    )
    if (rows.length > 0) return undefined
    const found = await on.query<{ fingerprint: string; answer: string }>(
      `select fingerprint, answer from skerry_answer where operation = $1 and key = $2`,
      [fullName, this.#key],
    )
    const { fingerprint: earlier, answer } = found.rows[0]!
    if (earlier !== this.#fingerprint)
      return { problem: platformProblem('idempotencyKeyReused', 'This Idempotency-Key was used before for a request with other data') }
    return JSON.parse(answer) as Answer
  }

  async #keep(on: Transaction, answer: Answer): Promise<void> {
    await on.query(`update skerry_answer set answer = $3 where operation = $1 and key = $2`, [
      this.#operation.fullName,
      this.#key,
      JSON.stringify(answer),
    ])
  }

  /** Checked before it is kept: what breaks the contract must not be committed. */
  async #promised(value: unknown): Promise<unknown> {
    const { output } = this.#operation.operation
    if (output === undefined) return undefined
    const validation = await validate(output, value)
    if (validation.ok) return copyJson(validation.value)
    const issues = validation.issues.map(({ path, message }) => `${path || 'the value'}: ${message}`).join('; ')
    throw new SkerryError(
      'contractBroken',
      `The transaction of ${this.#operation.fullName} returned what its contract does not promise: ${issues}`,
    )
  }

  #declared(error: unknown): ProblemDetails | undefined {
    if (!(error instanceof DeclaredProblemError)) return undefined
    const { contract, operation } = this.#operation
    if (operation.errors[error.code] !== error.problem) return undefined
    // These say: ask again. Kept, they would be the answer for ever.
    if (error.problem.status >= 500 || error.problem.status === 429) return undefined
    return declaredProblem(contract, error.code, error.problem, error.message, copyJson(error.data))
  }
}

/** Forgets up to `limit` answers given before a moment; returns how many it forgot. */
export async function forgetAnswers(on: Queryable, before: Date, limit: number): Promise<number> {
  const { affected } = await on.query(
    `delete from skerry_answer where (operation, key) in (select operation, key from skerry_answer where at < $1 limit $2)`,
    [before, limit],
  )
  return affected
}

function fingerprint(input: unknown): string {
  return createHash('sha256').update(canonical(input)).digest('base64url')
}

/** JSON text that does not depend on the order of an object's keys. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(copyJson(value), (_, member: unknown) =>
      typeof member === 'object' && member !== null && !Array.isArray(member)
        ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : member,
    ) ?? ''
  )
}
