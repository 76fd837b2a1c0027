import { expect, test } from 'vitest'
import { createRoutes } from './router.ts'

const router = createRoutes([
  { method: 'GET', path: '/', target: 'root' },
  { method: 'GET', path: '/things', target: 'list' },
  { method: 'GET', path: '/things/{id}', target: 'one' },
  { method: 'GET', path: '/things/featured', target: 'featured' },
  { method: 'DELETE', path: '/things/{id}', target: 'remove' },
])

test.each([
  ['GET', '/', 'root', {}],
  ['GET', '/things', 'list', {}],
  ['GET', '/things/', 'list', {}],
  ['GET', '/things/7', 'one', { id: '7' }],
  ['GET', '/things/a%2Fb/', 'one', { id: 'a/b' }],
  ['GET', '/things/featured', 'featured', {}],
  ['DELETE', '/things/featured', 'remove', { id: 'featured' }],
  ['HEAD', '/things/7', 'one', { id: '7' }],
])('%s %s is for "%s"', (method, path, target, parameters) => {
  expect(router.match(method, path)).toEqual({ target, parameters })
})

test.each([
  '/thingsfoo',
  '/Things',
  '//',
  '//things',
  '/things//',
  '/things//7',
  '/%74hings',
  '*',
  '',
  'things',
  'http://elsewhere/things',
])('nothing is at "%s"', (path) => {
  expect(() => router.match('GET', path)).toThrow(expect.objectContaining({ code: 'notFound' }))
})

test.each([
  ['PUT', '/things/7', ['GET', 'HEAD', 'DELETE']],
  ['PUT', '/things/featured', ['GET', 'HEAD', 'DELETE']],
  ['DELETE', '/things', ['GET', 'HEAD']],
])('%s %s is refused with the methods there are', (method, path, allow) => {
  expect(() => router.match(method, path)).toThrow(expect.objectContaining({ code: 'methodNotAllowed', data: { allow } }))
})

test.each(['%00', '%0d%0a', '%7F', '%zz', '%', '%FF'])('a parameter of %s is malformed', (parameter) => {
  expect(() => router.match('GET', `/things/${parameter}`)).toThrow(expect.objectContaining({ code: 'malformedRequest' }))
})
