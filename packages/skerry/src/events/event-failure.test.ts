import { describe, expect, it } from 'vitest'
import { SkerryError } from '../base/errors.ts'
import { CallError } from '../contract/call-error.ts'
import { DatabaseError } from '../engine/database.ts'
import { describeFailure, InvalidEvent, OvertakenEvent, UndeclaredEvent } from './event-failure.ts'
import type { FailureKind } from './inbox.ts'

const call = (code: string, status: number): CallError => new CallError('users', 'getUser', { code, status, detail: 'no', data: {} })

function ownCause(): Error {
  const error = new Error('no')
  return Object.assign(error, { cause: error })
}

describe('describeFailure', () => {
  it.each<[string, unknown, FailureKind, string | undefined]>([
    ['any error', new Error('no'), 'transient', undefined],
    ['a mistake in the handler', new TypeError('undefined is not a function'), 'transient', undefined],
    ['a peer that is unavailable', call('unavailable', 503), 'infrastructure', undefined],
    ['a peer that is too slow', call('deadlineExceeded', 504), 'infrastructure', undefined],
    ['a peer with too much to do', call('overloaded', 503), 'infrastructure', undefined],
    ['a problem that the peer declares', call('userNotFound', 404), 'permanent', undefined],
    ['input that the peer refuses', call('invalidInput', 422), 'permanent', undefined],
    ['input that no request can carry', new SkerryError('invalidInput', 'no'), 'permanent', undefined],
    ['a host that is stopping', new SkerryError('stopping', 'no'), 'infrastructure', undefined],
    ['a lost connection in the words of the handler', new Error('no', { cause: call('unavailable', 503) }), 'infrastructure', undefined],
    ['a declared problem in the words of the handler', new Error('no', { cause: call('userNotFound', 404) }), 'permanent', undefined],
    ['any error with any cause', new Error('no', { cause: new Error('no') }), 'transient', undefined],
    ['an error that is its own cause', ownCause(), 'transient', undefined],
    ['a database that is unavailable', new DatabaseError('unavailable', 'no'), 'infrastructure', undefined],
    ['a commit whose answer was lost', new DatabaseError('outcome-unknown', 'no'), 'infrastructure', undefined],
    ['a conflict', new DatabaseError('serialization', 'no'), 'transient', undefined],
    ['a refused statement', new DatabaseError('statement', 'no', { sqlState: '23505' }), 'transient', undefined],
    ['a transaction that took too long', new DatabaseError('unavailable', 'no', { sqlState: '25P03' }), 'transient', undefined],
    ['an emit that breaks the contract', new SkerryError('contractBroken', 'no'), 'permanent', undefined],
    ['another mistake against the platform', new SkerryError('callInTransaction', 'no'), 'transient', undefined],
    ['invalid data', new InvalidEvent('no'), 'permanent', 'invalid'],
    ['an undeclared type', new UndeclaredEvent('no'), 'permanent', 'undeclared'],
    ['a turn that is over', new OvertakenEvent('no'), 'permanent', 'overtaken'],
  ])('%s', (_what, error, kind, cause) => {
    expect(describeFailure(error)).toMatchObject({ kind, cause, error, message: expect.stringContaining('n') as string })
  })

  it.each([
    ['a text', 'no', 'no'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['an object that has no text', Object.create(null), 'a thrown object without a text'],
    [
      'an object whose text throws',
      {
        toString: () => {
          throw new Error('never')
        },
      },
      'a thrown object without a text',
    ],
    ['an error whose message is no text', Object.assign(new Error(), { message: Symbol('x') }), 'Symbol(x)'],
    ['an error whose stack is no text', Object.assign(new Error('no'), { stack: 7 }), 'no'],
  ])('takes what is thrown for what it is: %s', (_what, thrown, message) => {
    const failure = describeFailure(thrown)
    expect(failure).toMatchObject({ kind: 'transient', message })
    expect(['string', 'undefined']).toContain(typeof failure.stack)
    expect(failure.hash).toMatch(/^[0-9a-f]{8}$/)
  })

  it('gives failures of one kind at one place one hash, whatever they say', () => {
    const at = (message: string, Kind = Error): string => describeFailure(new Kind(message)).hash
    expect(at('order 1')).toBe(at('order 2'))
    expect(at('order 1')).not.toBe(at('order 1', TypeError))
    expect(at('order 1')).not.toBe(describeFailure(new Error('order 1')).hash)
    // Calls all throw in the client, so their place says little.
    const called = (operation: string, code: string): string => {
      const error = new CallError('users', operation, { code, status: 404, detail: 'no', data: {} })
      return describeFailure(Object.assign(error, { stack: 'CallError\n    at client.ts' })).hash
    }
    expect(called('getUser', 'userNotFound')).toBe(called('getUser', 'userNotFound'))
    expect(called('getUser', 'userNotFound')).not.toBe(called('getUser', 'userLocked'))
    expect(called('getUser', 'userNotFound')).not.toBe(called('putUser', 'userNotFound'))
  })
})
