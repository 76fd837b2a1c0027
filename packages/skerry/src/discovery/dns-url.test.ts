import { expect, test } from 'vitest'
import { dnsNameOf } from './dns-url.ts'

test.each([
  ['dns://users:8080', { kind: 'address', host: 'users', port: 8_080, resolver: undefined }],
  ['dns://users.shop.svc.cluster.local:80/', { kind: 'address', host: 'users.shop.svc.cluster.local', port: 80, resolver: undefined }],
  ['dns+srv://_http._tcp.users.shop', { kind: 'srv', host: '_http._tcp.users.shop', port: 0, resolver: undefined }],
  ['dns://users:80?resolver=10.0.0.2:5353', { kind: 'address', host: 'users', port: 80, resolver: '10.0.0.2:5353' }],
])('%s', (text, name) => {
  expect(dnsNameOf(text)).toEqual(name)
})

test.each([
  'dns://users',
  'dns+srv://users:80',
  'dns://users:70000',
  'dns://users:80/path',
  'dns://',
  'dns://users:80?port=1',
  'dnsx://users:80',
])('%s is none', (text) => {
  expect(dnsNameOf(text)).toBeUndefined()
})
